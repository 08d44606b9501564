//! What feeds give, written to files that can be replayed: NDJSON in zstd, cut by size and time.
//!
//! A consumer of one inlet ([`Recorder`]) in place of shards. A file is a row of whole zstd frames,
//! one a second, each on the disk before the next is begun, and is named `….part` until it is
//! complete: what a crash leaves can be cut back to its last whole frame, which the next start
//! does. Must not know shards, sessions, nor arguments.

mod folder;
mod recorder;
mod segment;
mod writer;

pub use folder::{Folder, FolderError};
pub use recorder::{Recorded, Recorder, RecordingError};
pub use segment::{Recovered, SegmentError};
pub use writer::{Cuts, Summary, Writer};
