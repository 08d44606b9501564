//! A server process and clients, as tests/e2e has them.

#[path = "../e2e/harness/client.rs"]
#[allow(dead_code, reason = "tests/e2e uses the rest of it")]
pub mod client;
#[path = "../e2e/harness/server.rs"]
#[allow(dead_code, reason = "tests/e2e uses the rest of it")]
pub mod server;

pub use client::Client;
pub use server::Server;

use std::time::{Duration, Instant};

/// For everything that must happen at some time; far above what any of it takes.
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
