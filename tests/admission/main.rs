//! Admission with real sockets: herds, limits, lanes and descriptors.
//!
//! Method: the server is another process. Clients know the protocol by its text only. What is
//! asserted is what they see, and what the server says that it counted.

mod descriptors;
mod herd;
mod limits;
mod raw;
mod server;
mod thunder;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For everything that must happen at some time; far above what any of it takes, because the
/// machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `condition` gives something.
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
