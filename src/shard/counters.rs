//! What a shard tells the others: plain atomics on cache lines of their own, written by it alone.

use super::gauges::OverloadGauges;
use super::step::Step;
use crate::hub::Hub;
use crate::session::CloseReason;
use crossbeam::utils::CachePadded;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Relaxed stores once a turn; whoever reads sees one moment or the next.
#[derive(Debug, Default)]
pub struct ShardCounters {
    line: CachePadded<Published>,
}

#[derive(Debug, Default)]
struct Published {
    sessions: AtomicU64,
    subscribed: AtomicU64,
    ticks_in: AtomicU64,
    items_out: AtomicU64,
    turns: AtomicU64,
    /// The shard's thread has ended, by a drain or by a panic.
    ended: AtomicBool,
    /// Its restarts are used up.
    exhausted: AtomicBool,
    /// Panics after which it began anew.
    restarts: AtomicU64,
    /// A [`Step`].
    step: AtomicU8,
    opened: AtomicU64,
    overload: OverloadGauges,
    closed: [AtomicU64; CloseReason::ALL.len()],
}

impl ShardCounters {
    pub(super) fn publish(&self, hub: &Hub) {
        let (line, counters) = (&self.line, hub.counters());
        let set = |to: &AtomicU64, value: u64| to.store(value, Ordering::Relaxed);
        set(&line.sessions, hub.sessions() as u64);
        set(&line.subscribed, hub.subscribed() as u64);
        set(&line.ticks_in, counters.ticks_in);
        set(&line.items_out, counters.items_out);
        set(&line.opened, counters.opened);
        line.overload.publish(hub);
        set(&line.turns, line.turns.load(Ordering::Relaxed) + 1);
        for (to, value) in line.closed.iter().zip(counters.closed) {
            set(to, value);
        }
    }

    /// What the shard does from now on.
    pub(super) fn enter(&self, step: Step) {
        self.line.step.store(step as u8, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub fn enter_for_test(&self, step: Step) {
        self.enter(step);
    }

    pub(super) fn count_restart(&self) {
        self.line.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn mark_exhausted(&self) {
        self.line.exhausted.store(true, Ordering::Release);
    }

    pub(super) fn mark_ended(&self) {
        // A thread that is gone does not turn, and is not stuck.
        self.enter(Step::Sleeping);
        self.line.ended.store(true, Ordering::Release);
    }

    pub fn has_ended(&self) -> bool {
        self.line.ended.load(Ordering::Acquire)
    }

    /// Memory and lag.
    pub fn overload(&self) -> &OverloadGauges {
        &self.line.overload
    }

    /// Its panics came too often; the process is to exit.
    pub fn is_exhausted(&self) -> bool {
        self.line.exhausted.load(Ordering::Acquire)
    }

    /// Panics after which the shard began anew.
    pub fn restarts(&self) -> u64 {
        self.line.restarts.load(Ordering::Relaxed)
    }

    /// Turns so far, and what the shard was doing last.
    pub fn progress(&self) -> (u64, Step) {
        let step = Step::from_number(self.line.step.load(Ordering::Relaxed));
        (self.line.turns.load(Ordering::Relaxed), step)
    }

    pub fn sessions(&self) -> u64 {
        self.line.sessions.load(Ordering::Relaxed)
    }

    /// Sessions that hold a subscription.
    pub fn subscribed(&self) -> u64 {
        self.line.subscribed.load(Ordering::Relaxed)
    }

    pub fn opened(&self) -> u64 {
        self.line.opened.load(Ordering::Relaxed)
    }

    /// Items put into frames for clients.
    pub fn items_out(&self) -> u64 {
        self.line.items_out.load(Ordering::Relaxed)
    }

    pub fn ticks_in(&self) -> u64 {
        self.line.ticks_in.load(Ordering::Relaxed)
    }

    /// Sessions that ended, with the reason's log word; reasons that did not occur are left out.
    pub fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = CloseReason::ALL.into_iter().zip(&self.line.closed);
        counts
            .map(|(reason, count)| (reason.word(), count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}
