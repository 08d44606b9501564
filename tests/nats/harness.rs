//! A server process and clients, as tests/e2e has them.

#[path = "../e2e/harness/client.rs"]
#[allow(dead_code, reason = "tests/e2e uses the rest of it")]
pub mod client;
#[path = "../e2e/harness/server.rs"]
#[allow(dead_code, reason = "tests/e2e uses the rest of it")]
pub mod server;
#[path = "../e2e/harness/wait.rs"]
mod wait;

pub use client::Client;
pub use server::Server;
pub use wait::wait_for;

use std::time::Duration;

/// For everything that must happen at some time; far above what any of it takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
