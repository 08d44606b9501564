//! Deferred work: what the kernel has left for this thread to run, and how to know that none is
//! left.
//!
//! The ring's flag tells of it without a system call, but it can outlive its work: another CPU
//! links the work first and sets the flag then (`io_req_local_work_add` in the kernel's
//! io_uring.c). Where this thread runs the work in between, the flag stays set over nothing, and
//! no call clears it until the next work comes, which on a quiet shard may be never.

use super::SocketRing;
use io_uring::EnterFlags;
use std::time::Duration;

impl SocketRing {
    /// Whether entering might do anything.
    pub(super) fn kernel_waits(&mut self) -> bool {
        let submission = self.ring.submission();
        !submission.is_empty() || submission.taskrun() || submission.cq_overflow()
    }

    /// Enters the kernel where a first call has left the flag set; says whether anything came. If
    /// not, nothing is left but what [`SocketRing::is_short`] tells of.
    ///
    /// A call that asks for no completions runs some twenty pieces of work, and rings no bell for
    /// the rest. Where it brings nothing, only a call that asks for as many as there can be, and
    /// does not wait for them, tells a rest from a flag without work.
    pub(super) fn enter_again(&mut self) -> bool {
        if self.enter(EnterFlags::GETEVENTS) && !self.any_came() && self.kernel_waits() {
            let all = self.ring.params().cq_entries() as usize;
            self.enter_for(all, Duration::ZERO);
        }
        self.any_came()
    }

    /// Whether the kernel lacked memory or room for what it was given, and wants another call.
    pub(super) fn is_short(&mut self) -> bool {
        let submission = self.ring.submission();
        !submission.is_empty() || submission.cq_overflow()
    }

    /// Whether completions are at hand.
    pub(super) fn any_came(&mut self) -> bool {
        !self.kept.is_empty() || !self.ring.completion().is_empty()
    }
}
