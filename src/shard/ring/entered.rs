//! What became of a call that enters the kernel.

use super::SocketRing;
use io_uring::types::{SubmitArgs, Timespec};
use std::io;
use std::time::Duration;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    Done,
    /// By a signal, or because its time was over.
    Interrupted,
    /// The kernel lacks memory or room: what it did not take stays queued.
    Short,
}

impl Entered {
    /// Anything else is an error of ours, such as a ring that is entered by another thread.
    pub(super) fn of(result: io::Result<usize>) -> Entered {
        match result.as_ref().map_err(io::Error::raw_os_error) {
            Ok(_) => Entered::Done,
            Err(Some(libc::EINTR | libc::ETIME)) => Entered::Interrupted,
            Err(Some(libc::EAGAIN | libc::EBUSY | libc::ENOMEM)) => Entered::Short,
            Err(_) => panic!("the kernel refuses a ring of this thread: {result:?}"),
        }
    }
}

impl SocketRing {
    /// Submits what is queued and waits for so many completions, at most `time`.
    pub(super) fn enter_for(&mut self, completions: usize, time: Duration) -> Entered {
        let time = Timespec::from(time);
        let args = SubmitArgs::new().timespec(&time);
        Entered::of(self.ring.submitter().submit_with_args(completions, &args))
    }
}
