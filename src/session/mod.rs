//! One client: its state, its deadlines, what it is owed, and every reason it can end.
//!
//! Pure: no socket, clock or thread; `now` is an argument. Must not know other sessions, cohorts'
//! contents or the tables of the hub. The main type is [`Session`]. An idle session that is in
//! step owns no heap memory: what costs memory is boxed and exists only while it is needed.

pub mod bits;
pub mod bucket;
pub mod close_reason;
pub mod intake;
pub mod lag;
pub mod outgoing;
pub mod state;

pub use bits::Bits;
pub use bucket::Bucket;
pub use close_reason::CloseReason;
pub use intake::Intake;
pub use lag::{Floors, Lag};
pub use outgoing::Outgoing;
pub use state::{Deadlines, Phase, Place, Session};

/// The two clocks, read once a turn by the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// ms of a clock that only grows; deadlines are in it.
    pub ms: u64,
    /// ns since the Unix epoch; only what clients are told is in it.
    pub unix_ns: i64,
}
