//! The step of a turn that sends, and what is measured of it.

use super::{Flight, Shard};
use crate::session::Now;
use crate::shard::{SendNow, clock};

impl Shard {
    /// Sends one batch, of 256 sends at most. So ticks that come while a flush goes on are taken in
    /// after each, and what is still to be sent takes them along.
    pub(super) fn flush(&mut self, now: Now) {
        if !self.hub.next_batch(now) {
            return self.flush_is_over();
        }
        if self.hub.is_flushing() {
            self.flush_began_ns.get_or_insert_with(clock::monotonic_ns);
        }
        self.send_batch(now);
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
