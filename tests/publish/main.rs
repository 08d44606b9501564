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
#[path = "../e2e/harness/wait.rs"]
mod wait;

use std::time::Duration;
use wait::wait_for;

/// For what a test waits, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);
