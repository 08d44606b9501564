//! What a shard tells the others: plain atomics on cache lines of their own, written by it alone.

use super::flow::FlowCounters;
use super::gauges::OverloadGauges;
use super::histogram::Histogram;
use super::step::Step;
use super::tally::Tally;
use crate::hub::{Alerts, Hub, Limited, Refused, Told};
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
    intake_pauses: AtomicU64,
    opened: AtomicU64,
    overload: OverloadGauges,
    flow: FlowCounters,
    /// In us.
    turn_times: Histogram,
    closed: [AtomicU64; CloseReason::ALL.len()],
    half_open: AtomicU64,
    /// Sessions that could begin, as far as the shard's own limits go.
    room: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
    told: [AtomicU64; Told::ALL.len()],
    handed_on: AtomicU64,
    handed_in: AtomicU64,
    accepts_failed: AtomicU64,
    alerts: [AtomicU64; Limited::ALL.len()],
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
        set(&line.intake_pauses, counters.intake_pauses);
        set(&line.turns, line.turns.load(Ordering::Relaxed) + 1);
        for (to, value) in line.closed.iter().zip(counters.closed) {
            set(to, value);
        }
    }

    pub(super) fn publish_admission(&self, hub: &Hub, tally: &Tally, alerts: &Alerts) {
        let (line, counters, admission) = (&self.line, hub.counters(), hub.admission());
        let set = |to: &AtomicU64, value: u64| to.store(value, Ordering::Relaxed);
        set(&line.half_open, admission.half_open() as u64);
        self.set_room(hub.room() as u64);
        for (to, value) in line.refused.iter().zip(counters.refused) {
            set(to, value);
        }
        for (to, value) in line.told.iter().zip(counters.told) {
            set(to, value);
        }
        set(&line.handed_on, tally.handed_on);
        set(&line.handed_in, tally.handed_in);
        set(&line.accepts_failed, tally.accepts_failed);
        for limited in Limited::ALL {
            set(&line.alerts[limited as usize], u64::from(alerts.level(limited)));
        }
    }

    pub(super) fn set_room(&self, sessions: u64) {
        self.line.room.store(sessions, Ordering::Relaxed);
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

    /// What it sends, and its limits.
    pub fn flow(&self) -> &FlowCounters {
        &self.line.flow
    }

    /// How long each turn took, in us.
    pub fn turn_times(&self) -> &Histogram {
        &self.line.turn_times
    }

    pub fn sessions(&self) -> u64 {
        self.line.sessions.load(Ordering::Relaxed)
    }

    /// Sessions that hold a subscription.
    pub fn subscribed(&self) -> u64 {
        self.line.subscribed.load(Ordering::Relaxed)
    }

    /// Times that a client was not read from for a while, because it sent too fast.
    pub fn intake_pauses(&self) -> u64 {
        self.line.intake_pauses.load(Ordering::Relaxed)
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

    /// Sessions that the shard could take, whatever the rate.
    pub fn room(&self) -> u64 {
        self.line.room.load(Ordering::Relaxed)
    }

    /// Sessions whose upgrade has not come yet.
    pub fn half_open(&self) -> u64 {
        self.line.half_open.load(Ordering::Relaxed)
    }

    /// Connections refused, with the reason's log word.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counted(Refused::ALL.map(Refused::word), &self.line.refused)
    }

    /// How refused clients were told.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counted(Told::ALL.map(Told::word), &self.line.told)
    }

    /// Sockets passed on to a less loaded shard, and taken from a full one.
    pub fn handed(&self) -> (u64, u64) {
        let line = &self.line;
        (line.handed_on.load(Ordering::Relaxed), line.handed_in.load(Ordering::Relaxed))
    }

    /// Accepts that failed for want of descriptors or memory.
    pub fn accepts_failed(&self) -> u64 {
        self.line.accepts_failed.load(Ordering::Relaxed)
    }

    /// The alert level of each limit in percent: 0, 70, 85 or 95.
    pub fn alerts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let levels = self.line.alerts.iter().map(|level| level.load(Ordering::Relaxed));
        Limited::ALL.map(Limited::word).into_iter().zip(levels)
    }

    /// Sessions that ended, with the reason's log word.
    pub fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        counted(CloseReason::ALL.map(CloseReason::word), &self.line.closed)
    }
}

fn counted<const N: usize>(
    words: [&'static str; N],
    counts: &[AtomicU64; N],
) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
    words.into_iter().zip(counts)
}
