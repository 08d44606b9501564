//! The one place where a shard reads the clock, once a turn; how long the turn took is measured
//! at its end.

use crate::session::Now;
use std::mem::MaybeUninit;

/// ns of `CLOCK_MONOTONIC`, which the ring's deadlines are in.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Both clocks of a turn.
pub fn now() -> Now {
    Now { ms: monotonic_ns() / 1_000_000, unix_ns: read(libc::CLOCK_REALTIME) as i64 }
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: clock_gettime(2) fills the struct it is given; both clocks exist on every Linux.
    let time = unsafe {
        libc::clock_gettime(clock, time.as_mut_ptr());
        time.assume_init()
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
