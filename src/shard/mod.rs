//! One shard's contact with the kernel: the listening sockets, and the ring that moves all bytes.
//!
//! The only folder that knows io_uring. Must not know the protocol: to it, a frame is bytes and a
//! client is a [`Token`]. The main type is [`SocketRing`].

pub mod buffers;
pub mod completion;
pub mod listener;
pub mod probe;
pub mod ring;
pub mod socket;

pub use buffers::BufferId;
pub use completion::{Completion, End, Token};
pub use listener::{ListenError, SocketOptions, listen};
pub use probe::{RingError, probe};
pub use ring::{RingSettings, SendNow, SocketRing};
