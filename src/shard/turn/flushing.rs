//! The step of a turn that sends, and what is measured of it.

use super::{Flight, Shard};
use crate::session::Now;
use crate::shard::{SendNow, clock};

/// Batches sent in a turn, of 256 sends each: some 5 ms, after which ticks are taken in that the
/// rest of the flush takes along.
const BATCHES_MAX: usize = 1;

impl Shard {
    /// Sends a bounded number of batches; says whether more completions wait.
    pub(super) fn flush(&mut self, now: Now) -> bool {
        let mut busy = false;
        for _ in 0..BATCHES_MAX {
            if !self.hub.next_batch(now) {
                self.flush_is_over();
                break;
            }
            if self.hub.is_flushing() {
                self.flush_began_ns.get_or_insert_with(clock::monotonic_ns);
            }
            self.send_batch(now);
            busy |= self.complete(now);
        }
        busy
    }

    /// A flush may have taken several turns.
    fn flush_is_over(&mut self) {
        if let Some(began_ns) = self.flush_began_ns.take() {
            let took_ns = clock::monotonic_ns() - began_ns;
            self.counters.flow().flush_us().record(took_ns / 1_000);
        }
    }

    /// Sends what the hub composed, and tells it what the sockets took.
    fn send_batch(&mut self, now: Now) {
        let batch = self.hub.batch();
        self.sends.clear();
        for send in batch.sends() {
            let fd = self.connections.raw_fd(send.slot);
            self.sends.push(SendNow { fd, start: send.start, end: send.end });
        }
        self.flight = Flight::Sending;
        self.ring.send_now(&self.sends, batch.bytes(), &mut self.results);
        self.flight = Flight::Sent;
        self.counters.flow().batch_sends().record(self.sends.len() as u64);
        self.tally.bytes_out +=
            self.results.iter().map(|taken| (*taken).max(0) as u64).sum::<u64>();
        self.hub.sent(&self.results, now);
        self.flight = Flight::None;
        self.take_effects();
    }
}
