//! Admission with real sockets: herds, limits, lanes and descriptors.
//!
//! Method: the server is another process. Clients know the protocol by its text only. What is
//! asserted is what they see, and what the server says that it counted.

#[path = "../e2e/harness/alone.rs"]
mod alone;
mod descriptors;
mod herd;
mod limits;
mod raw;
mod server;
mod thunder;
#[path = "../e2e/harness/wait.rs"]
mod wait;

use alone::alone;
use std::time::Duration;
use wait::wait_for;

/// For everything that must happen at some time; far above what any of it takes, because the
/// machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(90);
