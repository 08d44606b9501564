//! Everything that happens because time passes.

use super::Hub;
use crate::session::{CloseReason, Now, Phase, Session};
use crate::wire::{event, frame};

/// Pings are due on whole seconds of the shard's clock, so that those of many idle clients share
/// one wake-up of the shard.
const PING_STEP_MS: u64 = 1_000;

/// Deadlines of handshakes likewise: each client's first timer is this one, mostly long after its
/// upgrade has come, and those of many who connect at once would else wake the shard every ms.
const HANDSHAKE_STEP_MS: u64 = 250;

/// Longest that a drained session's Close waits for a flush.
const DRAIN_WAIT_MS: u64 = 100;

impl Hub {
    /// Does what is due. The shard calls it once a turn.
    pub fn timers(&mut self, now: Now) {
        let mut due = Vec::new();
        self.wheel.advance(now.ms, &mut due);
        for (slot, generation) in due {
            let session = self.sessions.at_mut(slot).filter(|s| s.generation == generation);
            // An entry that an earlier one superseded must arm nothing, or entries would only grow.
            if let Some(session) = session.filter(|s| s.deadlines.armed_at_ms <= now.ms) {
                session.deadlines.armed_at_ms = u64::MAX;
                self.look_at(slot, now);
                self.arm(slot, now);
            }
        }
        self.watch_memory(now);
    }

    /// When the hub wants its next turn, if nothing else happens.
    pub fn next_ms(&self) -> Option<u64> {
        let flush = self.wheel.next_ms().into_iter().chain(self.flush_at_ms());
        flush.chain(self.memory_at_ms()).chain(self.pacing.next_ms()).min()
    }

    /// Whether a turn now would find work.
    pub fn has_work(&self, now: Now) -> bool {
        self.flush.is_running()
            || self.has_own()
            || self.flush_at_ms().is_some_and(|at_ms| at_ms <= now.ms)
    }

    /// Sees to it that the wheel wakes the session at its next deadline.
    pub(super) fn arm(&mut self, slot: u32, now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let at_ms = next_deadline(session, slot, &self.settings);
        if at_ms < session.deadlines.armed_at_ms {
            session.deadlines.armed_at_ms = at_ms;
            let timer = (slot, session.generation);
            self.changing(|hub| hub.wheel.arm(at_ms.max(now.ms), timer));
        }
    }

    fn look_at(&mut self, slot: u32, now: Now) {
        let Some(session) = self.sessions.at(slot) else { return };
        if session.deadlines.resume_at_ms <= now.ms {
            self.receive_again(slot);
        }
        let Some(session) = self.sessions.at(slot) else { return };
        let (settings, deadlines) = (&self.settings, session.deadlines);
        match session.phase {
            Phase::Upgrading(_) if deadlines.opened_at_ms + settings.handshake_ms <= now.ms => {
                self.end(slot, CloseReason::UpgradeTimeout, now);
            }
            Phase::Closing(_) | Phase::Lingering(_) if deadlines.close_at_ms <= now.ms => {
                self.let_go(slot, true);
            }
            Phase::Streaming | Phase::Echoing => {
                if session.draining && deadlines.close_at_ms <= now.ms {
                    if !self.waits_for_flush(slot, now) {
                        self.end(slot, CloseReason::Restart, now);
                    }
                } else if stalls_at_ms(session, settings).is_some_and(|at| at <= now.ms) {
                    self.end(slot, CloseReason::WriteStall, now);
                } else if deadlines.pinged_at_ms > 0
                    && !session.is_unfinished()
                    && deadlines.pinged_at_ms + settings.pong_ms <= now.ms
                {
                    self.end(slot, CloseReason::PongTimeout, now);
                } else {
                    self.say_something(slot, now);
                }
            }
            _ => {}
        }
    }

    /// A session that is drained gets what had come for it before its Close: where it is in step
    /// and a flush is owed to it, the next look is a millisecond later. Bounded, since a flush
    /// with a rate may be a while off.
    fn waits_for_flush(&self, slot: u32, now: Now) -> bool {
        let Some(session) = self.sessions.at(slot) else { return false };
        let crate::session::Place::InStep(index) = session.place else { return false };
        let unserved = self.flush.unserved(session.cohort, index as usize).is_some();
        let noted = self.cohorts.at(session.cohort).is_some_and(|c| !c.window.is_empty());
        (unserved || noted) && now.ms < session.deadlines.close_at_ms + DRAIN_WAIT_MS
    }

    /// Pings and heartbeats. Neither is queued behind what is not being read.
    fn say_something(&mut self, slot: u32, now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let blocked = session.is_unfinished();
        if session.deadlines.heartbeat_at_ms <= now.ms {
            session.deadlines.heartbeat_at_ms = now.ms + u64::from(session.heartbeat_ms);
            session.heartbeat_due = !blocked;
        }
        let due = ping_at_ms(session, slot, &self.settings) <= now.ms;
        if due && !blocked && session.deadlines.pinged_at_ms == 0 {
            session.deadlines.pinged_at_ms = now.ms;
            frame::write_ping(b"", session.personal());
        }
        self.enqueue(slot);
    }

    /// Written when it is composed and not when it fell due: a flush in between would belie its
    /// count.
    pub(super) fn write_heartbeat(&mut self, slot: u32, now: Now) {
        let (items, feed) = (self.items(slot), self.book.feed_summary());
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let age_ns = now.unix_ns.saturating_sub(feed.last_ns);
        let age_ms = (feed.last_ns > 0).then(|| (age_ns / 1_000_000).max(0) as u64);
        let (format, personal) = (session.format, session.personal());
        event::heartbeat(format, now.unix_ns, feed.state, age_ms, items, personal);
    }

    /// Items put into frames for a session so far.
    pub(super) fn items(&self, slot: u32) -> u64 {
        let Some(session) = self.sessions.at(slot) else { return 0 };
        let crate::session::Place::InStep(index) = session.place else { return session.items };
        let missed = self.flush.unserved(session.cohort, index as usize).map_or(0, |(_, m)| m);
        let cohort = self.cohorts.at(session.cohort).expect("a member's cohort lives");
        session.items.wrapping_add(cohort.items).wrapping_sub(missed)
    }
}

/// The earliest time at which something of the session can be due.
pub(super) fn next_deadline(session: &Session, slot: u32, settings: &super::HubSettings) -> u64 {
    let deadlines = &session.deadlines;
    match session.phase {
        Phase::Upgrading(_) => {
            let at_ms = deadlines.opened_at_ms + settings.handshake_ms;
            at_ms.next_multiple_of(HANDSHAKE_STEP_MS)
        }
        Phase::Closing(_) | Phase::Lingering(_) => deadlines.close_at_ms,
        Phase::Ended(_) => u64::MAX,
        Phase::Streaming | Phase::Echoing => {
            let life = match deadlines.pinged_at_ms {
                // Taking bytes is life enough, and a ping would wait behind them.
                _ if session.is_unfinished() => u64::MAX,
                0 => ping_at_ms(session, slot, settings),
                pinged => pinged + settings.pong_ms,
            };
            let stall = stalls_at_ms(session, settings).unwrap_or(u64::MAX);
            let drain = if session.draining { deadlines.close_at_ms } else { u64::MAX };
            let others = drain.min(deadlines.heartbeat_at_ms).min(deadlines.resume_at_ms);
            life.min(stall).min(others)
        }
    }
}

/// A quarter of the interval is spread over the slots: clients that came together are not pinged
/// together.
fn ping_at_ms(session: &Session, slot: u32, settings: &super::HubSettings) -> u64 {
    let spread = u64::from(slot).wrapping_mul(7_919) % (settings.ping_ms / 4).max(1);
    let at_ms = session.deadlines.received_at_ms + settings.ping_ms - spread;
    at_ms.next_multiple_of(PING_STEP_MS.min(settings.ping_ms.max(1)))
}

fn stalls_at_ms(session: &Session, settings: &super::HubSettings) -> Option<u64> {
    let outgoing = session.outgoing.as_ref().filter(|o| o.is_unfinished())?;
    Some(outgoing.progress_at_ms + settings.write_stall_ms)
}
