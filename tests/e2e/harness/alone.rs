//! Tests that must not run beside each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tests with thousands of sockets, or that measure a process, run one after the other.
pub fn alone() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    let guard = HEAVY.lock().unwrap_or_else(PoisonError::into_inner);
    tapecast::server::descriptors::raise_descriptor_limit().expect("up to the hard limit");
    guard
}
