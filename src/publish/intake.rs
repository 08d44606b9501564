//! Ticks in: from the inlet to lines in batches, or to what a standby holds.

use super::numbers::Numbering;
use super::publisher::Publisher;
use super::takeover::take_over;
use crate::market::{Tick, TickBody};
use std::sync::Arc;
use std::time::Instant;

/// Ticks of one turn: some milliseconds of lines, after which acks and lease are looked at.
pub const TICKS_MAX: usize = 4_096;

/// Lines, and bytes, at which a batch goes out before its time.
const BATCH_LINES_MAX: usize = 4_096;
const BATCH_BYTES_MAX: usize = 1 << 20;

impl Publisher {
    /// Takes what the feeds gave, as the leader.
    pub(super) fn take_ticks(&mut self) {
        for _ in 0..TICKS_MAX {
            if self.batch_is_full() {
                return;
            }
            let Some(tick) = self.inlet.pop() else { return };
            if !self.note(&tick) {
                self.number_and_add(tick);
            }
        }
    }

    /// Takes what the feeds gave, as a standby.
    pub(super) fn hold_ticks(&mut self) {
        for _ in 0..TICKS_MAX {
            let Some(tick) = self.inlet.pop() else { return };
            if !self.note(&tick) {
                self.held.hold(tick);
            }
        }
    }

    /// Publishes what was held, as far as nobody else did. `since_ns`: see [`take_over`].
    pub(super) fn take_held(&mut self, since_ns: Option<i64>) {
        let held = self.held.take();
        if held.iter().any(|tick| self.may_have_number(tick)) {
            self.end_epoch();
        }
        for tick in take_over(held, since_ns, &mut self.numbers, &self.positions) {
            self.add(&tick);
        }
    }

    /// Takes a definition, a state or an epoch. False: it is a market tick.
    fn note(&mut self, tick: &Tick) -> bool {
        match tick.body() {
            TickBody::Symbol { id, name, feed } => self.numbers.define(id, name, feed),
            TickBody::FeedState { feed, state, .. } => {
                self.meta_is_due |= self.states.note(feed, state);
            }
            TickBody::Epoch { epoch, .. } => self.change_epoch(&Arc::from(epoch.as_str())),
            TickBody::Code { .. } | TickBody::Conditions { .. } => {}
            _ => return false,
        }
        self.lines.take(tick, &mut self.scratch);
        self.scratch.clear();
        true
    }

    /// The feed that brings the numbers begins a new epoch: what was before it goes out in the old
    /// one.
    fn change_epoch(&mut self, epoch: &Arc<str>) {
        if self.feed_epoch.as_ref() == Some(epoch) {
            return;
        }
        self.close_batches();
        tracing::info!("the feed begins epoch {epoch}");
        self.held.take();
        self.positions.clear();
        self.numbers.keep_all();
        self.numbers.begin_term();
        self.unstored.begin();
        self.feed_epoch = Some(Arc::clone(epoch));
        self.epoch = Some(Arc::clone(epoch));
        self.meta_is_due = true;
    }

    /// It would begin with 1 in an epoch in which its symbol may have gone further, since the
    /// stream keeps no message of it any more.
    fn may_have_number(&self, tick: &Tick) -> bool {
        self.may_lack_positions && self.numbers.begins(tick, &self.positions)
    }

    fn number_and_add(&mut self, tick: Tick) {
        if self.may_have_number(&tick) {
            self.end_epoch();
        }
        match self.numbers.number(tick, &self.positions) {
            Some(Numbering::Next { loss, tick }) => {
                if let Some(loss) = loss {
                    self.add(&loss);
                }
                self.add(&tick);
            }
            Some(Numbering::Known) => super::counters::add(&self.counters.known, 1),
            None => {}
        }
    }

    fn add(&mut self, tick: &Tick) {
        self.scratch.clear();
        if let Some(of) = self.lines.take(tick, &mut self.scratch) {
            self.batch_began.get_or_insert_with(Instant::now);
            self.batches.add(of, &self.scratch);
        }
    }

    fn batch_is_full(&self) -> bool {
        self.batches.lines() >= BATCH_LINES_MAX || self.batches.bytes() >= BATCH_BYTES_MAX
    }

    pub(super) fn batch_is_due(&self, now: Instant) -> bool {
        let is_late = |began: Instant| now.duration_since(began) >= self.options.batch;
        self.batch_is_full() || self.batch_began.is_some_and(is_late)
    }
}
