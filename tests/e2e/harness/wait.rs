//! How a test waits for what must happen at some time.

use super::PATIENCE;
use std::time::{Duration, Instant};

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
