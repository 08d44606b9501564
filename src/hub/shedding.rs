//! Who is closed when memory is out: those furthest behind, in small steps.
//!
//! A round looks over the sessions, a bounded number a turn, and keeps those that are furthest
//! behind of all; then they are closed, a few a turn, until enough is freed. Who is in step is
//! never closed: it holds nothing that closing it would free but its socket.

use super::Hub;
use super::breaker::{Pressure, PressureChange};
use crate::session::{CloseReason, Now, Phase, Session};
use std::collections::BinaryHeap;

/// Slots looked at in a turn: some 100 us.
const SCAN_SLOTS_MAX: u32 = 4_096;

/// Sessions that a round keeps.
const CANDIDATES_MAX: usize = 256;

/// Sessions closed in a turn. With turns of a few ms it is some thousand a second, and none of
/// them delays a tick by more than 0.1 ms.
const SHED_MAX: usize = 16;

/// How soon the next turn comes while there is somebody to be closed, if nothing else calls it.
const STEP_MS: u64 = 2;

/// How often a hub looks that is not at rest, if nothing else calls it.
const LOOK_MS: u64 = 100;

/// One who may be closed. Greater is less urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Has only an unfinished request or command, and is not behind.
    speaks: bool,
    /// Its last progress.
    since_ms: u64,
    slot: u32,
    generation: u32,
}

/// The state of a round.
#[derive(Debug, Default)]
pub(super) struct Shedding {
    /// The slot where the look goes on; `None` between two rounds.
    cursor: Option<u32>,
    /// While it is looked; the least urgent on top.
    found: BinaryHeap<Candidate>,
    /// After that; the most urgent last.
    queue: Vec<Candidate>,
    /// When memory was looked at last, where the breaker is not at rest.
    looked_at_ms: u64,
    /// A round that found nobody is followed by another only then.
    rests_until_ms: u64,
    change: Option<PressureChange>,
    /// Correlation ids of those who were closed.
    shed: Vec<u64>,
}

impl Shedding {
    fn end_round(&mut self) {
        self.cursor = None;
        self.found.clear();
        self.queue.clear();
    }
}

impl Hub {
    /// The breaker's change of state since this was last asked.
    pub fn take_pressure_change(&mut self) -> Option<PressureChange> {
        self.shedding.change.take()
    }

    /// Correlation ids of those who were closed for want of memory since this was last asked.
    pub fn take_shed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.shedding.shed)
    }

    /// Compares use and budget, once a turn, and does what the breaker says.
    pub(super) fn watch_memory(&mut self, now: Now) {
        let used = self.used();
        if let Some(change) = self.breaker.look(used.total()) {
            let from = self.shedding.change.map_or(change.from, |earlier| earlier.from);
            self.shedding.change = Some(PressureChange { from, ..change });
        }
        self.set_memory_pressure(self.breaker.pressure() >= Pressure::Refuse);
        self.shedding.looked_at_ms = now.ms;
        if self.breaker.excess_bytes(used.staying()) == 0 {
            self.shedding.end_round();
        } else if self.shedding.rests_until_ms <= now.ms {
            self.shed_some(now);
        }
    }

    /// When the breaker wants to look again, if nothing else calls a turn.
    pub(super) fn memory_at_ms(&self) -> Option<u64> {
        let shedding = &self.shedding;
        let waits = shedding.cursor.is_some() || !shedding.queue.is_empty();
        let tight = self.breaker.pressure() != Pressure::Normal;
        match (waits, tight) {
            (true, _) => Some(shedding.looked_at_ms + STEP_MS),
            (false, true) => Some(shedding.looked_at_ms + LOOK_MS),
            (false, false) => None,
        }
    }

    fn shed_some(&mut self, now: Now) {
        if self.shedding.queue.is_empty() {
            self.look_for_candidates();
        }
        if self.shedding.queue.is_empty() && self.shedding.cursor.is_none() {
            // Everybody is in step: looking on at once would find nobody either.
            self.shedding.rests_until_ms = now.ms + LOOK_MS;
        }
        for _ in 0..SHED_MAX {
            if self.breaker.excess_bytes(self.used().staying()) == 0 {
                return;
            }
            let Some(candidate) = self.shedding.queue.pop() else { return };
            let session = self.sessions.at(candidate.slot);
            // Who has moved on since the look is left alone.
            if session.and_then(|s| as_candidate(candidate.slot, s)) == Some(candidate) {
                self.shed(candidate.slot, now);
            }
        }
    }

    /// One step of a round's look; at its end the queue is filled.
    fn look_for_candidates(&mut self) {
        let from = self.shedding.cursor.unwrap_or(0);
        let end = self.sessions.slots_len();
        let to = end.min(from.saturating_add(SCAN_SLOTS_MAX));
        for slot in from..to {
            let Some(session) = self.sessions.at(slot) else { continue };
            if self.holds_more(slot)
                && let Some(candidate) = as_candidate(slot, session)
            {
                self.shedding.found.push(candidate);
                if self.shedding.found.len() > CANDIDATES_MAX {
                    self.shedding.found.pop();
                }
            }
        }
        self.shedding.cursor = (to < end).then_some(to);
        if to == end {
            let mut queue = std::mem::take(&mut self.shedding.found).into_sorted_vec();
            queue.reverse();
            self.shedding.queue = queue;
        }
    }

    /// Closes one. What it still holds it may hold for the grace only, and not at all where the
    /// budget is used up: then only a reset frees it at once.
    fn shed(&mut self, slot: u32, now: Now) {
        let Some(session) = self.sessions.at(slot) else { return };
        self.shedding.shed.push(session.id);
        self.counters.shed += 1;
        let over = self.used().total() >= self.breaker.budget_bytes();
        self.end(slot, CloseReason::Overload, now);
        let grace_at_ms = now.ms + self.settings.memory.shed_grace_ms;
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if over && session.is_unfinished() {
            return self.let_go(slot, true);
        }
        session.deadlines.close_at_ms = session.deadlines.close_at_ms.min(grace_at_ms);
        self.arm(slot, now);
    }
}

/// A session as one who may be closed; `None` where it must not be or is on its way.
fn as_candidate(slot: u32, session: &Session) -> Option<Candidate> {
    if !session.is_listening() {
        return None;
    }
    let progress = session.outgoing.as_ref().map(|outgoing| outgoing.progress_at_ms);
    let (speaks, since_ms) = match progress.filter(|_| session.is_unfinished()) {
        Some(progress_at_ms) => (false, progress_at_ms),
        None if matches!(session.phase, Phase::Upgrading(_)) => {
            (true, session.deadlines.opened_at_ms)
        }
        None if !session.decoder.is_at_rest() => (true, session.deadlines.received_at_ms),
        None => return None,
    };
    Some(Candidate { speaks, since_ms, slot, generation: session.generation })
}

#[cfg(test)]
mod tests;
