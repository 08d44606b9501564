//! How a shard rests: a nap in its ring first, then a sleep in the executor.

use super::Shard;
use std::time::Duration;

/// All that wakes a sleeping shard wakes one that naps, without the calls of the executor's sleep.
/// So it is longer than the gaps between clients that come and go, and between the bursts of a
/// busy feed; a shard that naps in vain, twenty times a second at most, loses some microseconds.
const NAP: Duration = Duration::from_millis(50);

impl Shard {
    /// Arms the ring for the next deadline and its bell, and submits; says whether completions
    /// wait already.
    pub fn prepare_sleep(&mut self) -> bool {
        let next = self.arm_deadline();
        self.ring.arm_bell();
        let ready = self.ring.collect(0, &mut self.completions);
        if !ready && !self.has_mail() {
            self.overload.sleeps(next);
        }
        ready
    }

    /// A short sleep, for a shard whose next completion is mostly near; says whether anything
    /// came. The caller has looked for mail.
    pub fn nap(&mut self) -> bool {
        let next = self.arm_deadline();
        self.overload.sleeps(next);
        self.ring.nap(self.inlet.bell().nap_fd(), NAP)
    }

    /// Gives the deadline, in ms of the shard's clock.
    fn arm_deadline(&mut self) -> Option<u64> {
        let admission = [self.acceptor.next_ms(), self.lane.next_ms()];
        let others = [self.drained_at_ms, self.parting.until_ms, self.holding_until_ms];
        let others = others.into_iter().chain(admission).flatten();
        let next = self.hub.next_ms().into_iter().chain(others).min();
        if let Some(at_ms) = next {
            self.ring.timeout_at(at_ms * 1_000_000);
        }
        next
    }
}
