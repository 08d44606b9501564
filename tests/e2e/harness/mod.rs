//! What the tests share: a server process, clients, the kernel's view of both, a recording and
//! what it must come out as. It knows the protocol only as its text says it, not by our encoders.

mod alone;
pub mod bars;
pub mod client;
pub mod expected;
pub mod generator;
pub mod item;
pub mod kernel;
pub mod proxy;
pub mod raw;
pub mod recording;
pub mod relay;
pub mod script;
pub mod server;
mod wait;

pub use alone::alone;
pub use client::{Client, Message};
pub use expected::Follower;
pub use raw::Raw;
pub use recording::Recording;
pub use server::Server;
pub use wait::wait_for;

use std::time::Duration;

/// For everything that must happen at some time; far above what any of it takes, because the
/// machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);
