//! What a shard measures of itself for the hub, and what it tells of the hub's reaction.

use super::clock;
use super::connections::Connections;
use super::socket;
use crate::feed::LogLimit;
use crate::hub::{Hub, Pressure, Turn};
use crate::session::Now;
use std::os::fd::AsFd;

/// How often sockets are looked at, in a shard that turns.
const SAMPLE_MS: u64 = 50;

/// Sockets looked at each time. A look is a getsockopt(2) of 0.2 us: 0.03 % of the time.
const SAMPLES: usize = 64;

/// Beside the turn: the measurements, and the logs.
#[derive(Debug)]
pub(super) struct Overload {
    /// Ticks that waited in a queue are late. Not so where every feed waits for the shards: there
    /// the queue is always full, and its length is the feed's patience.
    counts_ticks: bool,
    began: Now,
    began_ns: u64,
    /// How late this turn is.
    late_us: u64,
    rest: Rest,
    sample_at_ms: u64,
    /// The slot where the look at sockets goes on.
    cursor: u32,
    shed_logs: LogLimit,
}

/// What was measured of a turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turned {
    /// How long it took.
    pub busy_us: u64,
    /// The age of the oldest tick that it sent to all of a cohort.
    pub tick_age_us: Option<u64>,
}

/// What came before a turn.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// Another turn, which took so long: so long may have waited what is done now.
    None { busy_us: u64 },
    /// A sleep, which was to end at this time of the shard's clock, or with a ring of the bell.
    Until(Option<u64>),
}

impl Overload {
    pub fn new(counts_ticks: bool) -> Overload {
        Overload {
            counts_ticks,
            began: Now { ms: 0, unix_ns: 0 },
            began_ns: 0,
            late_us: 0,
            rest: Rest::Until(None),
            sample_at_ms: 0,
            cursor: 0,
            shed_logs: LogLimit::default(),
        }
    }

    /// The shard goes to sleep, at the latest until this time of its clock.
    pub fn sleeps(&mut self, until_ms: Option<u64>) {
        self.rest = Rest::Until(until_ms);
    }

    /// A turn begins.
    pub fn begin(&mut self, now: Now) {
        (self.began, self.began_ns) = (now, clock::monotonic_ns());
        self.late_us = match self.rest {
            Rest::None { busy_us } => busy_us,
            Rest::Until(until_ms) => {
                until_ms.map_or(0, |until_ms| now.ms.saturating_sub(until_ms) * 1_000)
            }
        };
    }

    /// A turn has ended: the hub is told what was measured, and the log what it did. Gives how long
    /// it took, in us.
    pub fn end(&mut self, hub: &mut Hub, connections: &Connections) -> Turned {
        let busy_ns = clock::monotonic_ns() - self.began_ns;
        let busy_us = busy_ns / 1_000;
        self.rest = Rest::None { busy_us };
        let sent_ns = hub.take_sent_ns();
        let ended_ns = self.began.unix_ns + busy_ns as i64;
        let tick_age_us = sent_ns.map(|sent_ns| (ended_ns - sent_ns).max(0) as u64 / 1_000);
        let now_ms = self.began.ms;
        let counted_us = tick_age_us.filter(|_| self.counts_ticks);
        let turn = Turn { late_us: self.late_us, busy_us, tick_age_us: counted_us };
        hub.pacing_mut().measured(turn, now_ms);
        // Who waits for the rest of a flush does not wait for this as well, unless it is endless.
        let wait_ms = if hub.is_flushing() { SAMPLE_MS } else { 0 };
        if now_ms >= self.sample_at_ms + wait_ms {
            self.sample_at_ms = now_ms + SAMPLE_MS;
            self.look_at_sockets(hub, connections);
        }
        self.tell(hub);
        Turned { busy_us, tick_age_us }
    }

    fn look_at_sockets(&mut self, hub: &mut Hub, connections: &Connections) {
        for _ in 0..SAMPLES.min(connections.slots_len() as usize) {
            self.cursor += 1;
            if self.cursor >= connections.slots_len() {
                self.cursor = 0;
            }
            let bytes = connections.at(self.cursor).and_then(|c| socket::held_bytes(c.fd.as_fd()));
            if let Some(bytes) = bytes {
                hub.sample_socket(self.cursor, bytes);
            }
        }
    }

    fn tell(&mut self, hub: &mut Hub) {
        let thread = std::thread::current();
        let shard = thread.name().unwrap_or_default();
        if let Some(change) = hub.take_pressure_change() {
            let (from, to) = (change.from.word(), change.to.word());
            let (used, of) = (change.used_bytes / 1024, change.budget_bytes / 1024);
            let (sessions, shed) = (hub.sessions(), hub.counters().shed);
            match change.to {
                Pressure::Normal => tracing::info!(
                    "{shard}: memory {from} -> {to}: {used} of {of} KiB for {sessions} sessions; \
                     {shed} shed so far"
                ),
                _ => tracing::warn!(
                    "{shard}: memory {from} -> {to}: {used} of {of} KiB for {sessions} sessions; \
                     {shed} shed so far"
                ),
            }
        }
        for id in hub.take_shed() {
            if let Some(left_out) = self.shed_logs.admit(self.began.unix_ns) {
                tracing::warn!(
                    session = format_args!("{id:016x}"),
                    "{shard}: closed for want of memory, being furthest behind; {left_out} more \
                     not logged"
                );
            }
        }
        if let Some(change) = hub.watch_lag(self.began) {
            let (reading, window_ms) = (change.reading, change.window_ms);
            let refuses = if change.refuses { "refuses" } else { "takes" };
            tracing::warn!(
                "{shard}: p99 of lag: turns {} ms, ticks {} ms; {} % busy; it {refuses} new \
                 connections and sends every {window_ms} ms",
                reading.turn_us / 1_000,
                reading.tick_us / 1_000,
                reading.busy_percent
            );
        }
    }
}
