//! What the tests share: a server process, clients, the kernel's view of both, a recording and
//! what it must come out as. It knows the protocol only as its text says it, not by our encoders.

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

pub use client::{Client, Message};
pub use expected::Follower;
pub use raw::Raw;
pub use recording::Recording;
pub use server::Server;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For everything that must happen at some time; far above what any of it takes, because the
/// machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
///
/// Panics: `what` did not come within [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(given) = condition() {
            return given;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tests with thousands of sockets, or that measure a process, run one after the other.
pub fn alone() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    let guard = HEAVY.lock().unwrap_or_else(PoisonError::into_inner);
    tapecast::server::descriptors::raise_descriptor_limit().expect("up to the hard limit");
    guard
}
