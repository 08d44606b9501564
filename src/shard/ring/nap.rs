//! A short wait in the ring itself.
//!
//! To sleep in the executor takes a read through its own ring and a wake-up by an eventfd: several
//! times what a wait in this ring takes, and worth it only where nothing happens for a while.

use super::super::completion::Operation;
use super::SocketRing;
use io_uring::opcode::PollAdd;
use io_uring::types::{Fd, SubmitArgs, Timespec};
use std::io;
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
        let time = Timespec::from(time);
        let args = SubmitArgs::new().timespec(&time);
        let entered = self.ring.submitter().submit_with_args(1, &args);
        match entered.as_ref().map_err(io::Error::raw_os_error) {
            Ok(_) | Err(Some(libc::ETIME | libc::EINTR)) => {}
            // It lacks memory or room: no nap, and the next turn sees to it.
            Err(Some(libc::EAGAIN | libc::EBUSY | libc::ENOMEM)) => return true,
            Err(_) => panic!("the kernel refuses a ring of this thread: {entered:?}"),
        }
        self.any_came()
    }
}
