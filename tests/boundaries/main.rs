//! Error boundaries of the real binary.
//!
//! Method: faults are asked for (`--fault-injection`) while subscribers of every trade watch; who
//! is not concerned must lose nothing and stay connected, and who was cut resumes without a gap.

mod client;
mod drain;
mod feeds;
mod server;
mod shards;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Each test has hundreds of clients on a server of its own: they take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
