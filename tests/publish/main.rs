//! `tapecast publish` with a real nats-server: what it sends and stores, and who of two leads.

mod contract;
mod disk;
mod leading;
mod listener;
#[path = "../nats/server.rs"]
mod nats_server;
mod opening;
mod publisher;
mod reconnect;
mod stored;

use std::time::{Duration, Instant};

/// For what a test waits, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` gives something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
