//! A short wait in the ring itself.
//!
//! To sleep in the executor takes a read through its own ring and a wake-up by an eventfd: several
//! times what a wait in this ring takes, and worth it only where nothing happens for a while.

use super::super::completion::Operation;
use super::SocketRing;
use super::entered::Entered;
use io_uring::opcode::PollAdd;
use io_uring::types::Fd;
use std::os::fd::RawFd;
use std::time::Duration;

impl SocketRing {
    /// Waits for a completion, or until the eventfd `bell` is rung, the same at each call: at most
    /// `time`. Says whether anything came.
    pub fn nap(&mut self, bell: RawFd, time: Duration) -> bool {
        if !self.bell_is_polled {
            let poll = PollAdd::new(Fd(bell), libc::POLLIN as u32).multi(true).build();
            self.push(poll, Operation::NapBell.alone());
            self.bell_is_polled = true;
        }
        // Without memory or room there is no nap, and the next turn sees to it.
        self.enter_for(1, time) == Entered::Short || self.any_came()
    }
}
