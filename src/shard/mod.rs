//! One shard: a thread on a core with its listening socket, its ring and its hub.
//!
//! The only folder that knows io_uring and glommio. Must not know the protocol: to it, a frame is
//! bytes and a client is a slot of the hub. The main types are [`SocketRing`], which moves all
//! bytes, the turn that drives hub and ring, and [`ShardHandle`], a shard from outside.

mod accepting;
mod buffers;
mod clock;
mod completion;
mod connections;
mod counters;
mod door;
mod features;
mod flow;
mod gather;
mod gauges;
mod histogram;
mod inspection;
mod lane;
mod listener;
mod mailbox;
mod overload;
mod probe;
mod refusing;
mod restarts;
mod ring;
mod socket;
mod step;
mod survivor;
mod tally;
mod turn;
mod worker;

pub use buffers::BufferId;
pub use completion::{Completion, End, Token};
pub use counters::ShardCounters;
pub use door::Door;
pub use features::features;
pub use flow::FlowCounters;
pub use gauges::OverloadGauges;
pub use histogram::{BUCKETS, Histogram, Reading, bound};
pub use inspection::{Inquiry, Inspected};
pub use listener::{ListenError, listen, passed_listeners, prefer_core, try_address};
pub use mailbox::ShardPort;
pub use probe::{RingError, is_too_old, probe, release};
pub use ring::{RingSettings, SendNow, SocketRing};
pub use step::Step;
pub use worker::{ShardError, ShardHandle, ShardSettings};
