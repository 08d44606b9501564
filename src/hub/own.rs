//! What one session gets for itself: its answers, then the next frame of its catch-up.

use super::batch::{BATCH_BYTES_MAX, Send, Source};
use super::catchup::{compose, look_again};
use super::cohort::Cohort;
use super::interest::Interest;
use super::joining::write_snapshot;
use super::{Effect, Hub};
use crate::market::Channel;
use crate::session::{CloseReason, Lag, Now, Phase, Place};
use bytes::Bytes;
use std::mem;

impl Hub {
    /// Composes for sessions in the queue, each once, up to the bounds of a batch.
    pub(super) fn next_own(&mut self, now: Now) -> bool {
        self.batch.source = Source::Own;
        self.batch.sends.clear();
        self.batch.own_bytes.clear();
        // Sessions with nothing to send come into step here and put nothing into the batch.
        let mut left = self.queue.len();
        while left > 0
            && self.batch.sends.len() < self.settings.batch_sends
            && self.batch.own_bytes.len() < BATCH_BYTES_MAX
            && let Some((slot, generation)) = self.queue.pop_front()
        {
            left -= 1;
            // One who has left may have stood in the queue, and its slot have a new session.
            if self.sessions.at(slot).is_some_and(|s| s.generation == generation) {
                self.compose_own(slot, now);
            }
        }
        !self.batch.sends.is_empty()
    }

    /// Whether sessions wait to be composed for.
    pub(super) fn has_own(&self) -> bool {
        !self.queue.is_empty()
    }

    fn compose_own(&mut self, slot: u32, now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        session.queued = false;
        let is_over = matches!(session.phase, Phase::Lingering(_) | Phase::Ended(_));
        if session.is_unfinished() || is_over {
            return;
        }
        if mem::take(&mut session.heartbeat_due) && session.is_streaming() {
            self.write_heartbeat(slot, now);
        }
        let session = self.sessions.at_mut(slot).expect("just seen");
        let out = &mut self.batch.own_bytes;
        let start = out.len();
        if let Some(mut outgoing) = session.outgoing.take() {
            out.extend_from_slice(outgoing.personal());
            self.welcomes.give_back(outgoing);
        }
        let streaming = session.is_streaming();
        // Who waits gets the rest at the flush that it waits for: at its rate, not with a pong.
        if let (true, Place::Behind(lag)) = (streaming, &mut session.place)
            && !lag.waiting
        {
            let cohort = self.cohorts.at(session.cohort).expect("who is behind has a cohort");
            let key = &cohort.key;
            let lines = &mut self.lines[key.format.index()];
            let (interest, encoding) = (&key.interest, key.format.encoding);
            let (mut items, mut made) = (0, None);
            if lag.owes_snapshot {
                (items, made) = write_snapshot(&self.book, lines, cohort, lag, out);
                self.counters.frames_out += u64::from(items > 0);
            }
            if self.settings.canary {
                self.counters.conflated += look_again(&self.book, interest, lag);
                forget_one(interest, lag);
            }
            // A snapshot of several frames goes on when its first is sent.
            if items == 0 || lag.pending.is_empty() {
                let taken = &mut Vec::new();
                let composed = compose(&self.book, lines, interest, encoding, lag, taken, out);
                items += composed.items;
                self.counters.conflated += composed.conflated;
                self.counters.gaps_out += composed.gaps;
                self.counters.frames_out += u64::from(composed.items + composed.gaps > 0);
            }
            session.items = session.items.wrapping_add(items);
            self.counters.items_out += items;
            if let Some(snapshot) = made {
                self.cohorts.keep_snapshot(session.cohort, snapshot);
            }
        }
        match out.len() {
            end if end > start => self.batch.sends.push(Send { slot, start, end }),
            _ => self.composed_all(slot),
        }
        self.account(slot);
    }

    pub(super) fn own_sent(&mut self, results: &[i32], now: Now) {
        for (index, result) in results.iter().enumerate() {
            let Send { slot, start, end } = self.batch.sends[index];
            match bytes_taken(*result) {
                None => self.end(slot, CloseReason::PeerLost, now),
                Some(taken) if taken == end - start => self.composed_all(slot),
                Some(taken) => {
                    let rest = Bytes::copy_from_slice(&self.batch.own_bytes[start + taken..end]);
                    self.hold_own(slot, rest, now);
                }
            }
        }
    }

    /// The socket took a part: the session holds the rest, and cannot stay in step.
    fn hold_own(&mut self, slot: u32, rest: Bytes, now: Now) {
        if let Some(lag) = self.step_out(slot) {
            self.sessions.at_mut(slot).expect("just seen").place = Place::Behind(Box::new(lag));
        }
        let Some(session) = self.sessions.at_mut(slot) else { return };
        session.outgoing.get_or_insert_default().hold(rest, now.ms);
        self.effects.push(Effect::SendRest { slot });
        self.arm(slot, now);
        self.account(slot);
    }

    /// The unfinished frame of a session, which its socket shall take.
    pub fn rest(&self, slot: u32) -> Bytes {
        let outgoing = self.sessions.at(slot).and_then(|s| s.outgoing.as_ref());
        outgoing.map_or(Bytes::new(), |outgoing| outgoing.unfinished())
    }

    /// What became of a `SendRest`: bytes taken, or a negated errno.
    pub fn rest_sent(&mut self, slot: u32, result: i32, now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if matches!(session.phase, Phase::Ended(_)) {
            return;
        }
        let Some(taken) = bytes_taken(result) else {
            return self.end(slot, CloseReason::PeerLost, now);
        };
        let Some(outgoing) = &mut session.outgoing else { return };
        outgoing.progress(taken, now.ms);
        if outgoing.is_unfinished() {
            self.effects.push(Effect::SendRest { slot });
            return self.account(slot);
        }
        // An unanswered ping stood behind what is finished only now.
        let pinged_at_ms = &mut session.deadlines.pinged_at_ms;
        *pinged_at_ms = if *pinged_at_ms > 0 { now.ms } else { 0 };
        self.enqueue(slot);
        self.arm(slot, now);
    }

    /// Everything that was composed for the session is with the kernel.
    fn composed_all(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        match session.phase {
            Phase::Closing(reason) => {
                session.phase = Phase::Lingering(reason);
                match session.peer_ended {
                    true => self.let_go(slot, false),
                    false => self.effects.push(Effect::Shut { slot }),
                }
            }
            Phase::Streaming => self.come_into_step(slot),
            _ => {}
        }
    }

    /// Puts a session that is behind by nothing into step, or lets it wait for the flush, or
    /// composes on.
    fn come_into_step(&mut self, slot: u32) {
        let here = self.book.here();
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let Place::Behind(lag) = &mut session.place else { return };
        if lag.waiting {
            return;
        }
        if !lag.pending.is_empty() || (lag.mark, lag.cursor) != here {
            return self.enqueue(slot);
        }
        let cohort = self.cohorts.at_mut(session.cohort).expect("who is behind has a cohort");
        if is_settled(cohort, here) {
            session.items = session.items.wrapping_sub(cohort.items);
            session.place = Place::InStep(cohort.in_step.len() as u32);
            cohort.in_step.push(slot);
            self.account(slot); // its lag is gone
        } else {
            lag.waiting = true;
            cohort.waiting.push(slot);
        }
    }
}

/// What the canary does: one changed quote or bar of a session that is behind stays unmarked.
fn forget_one(interest: &Interest, lag: &mut Lag) {
    let update = |bit: &usize| interest.at(*bit).1 != Channel::Trades && !lag.fresh.has(*bit);
    let forgotten = lag.pending.iter().find(update);
    forgotten.into_iter().for_each(|bit| lag.pending.clear(bit));
}

/// Whether who has everything up to `here` has what the cohort's members in step have.
fn is_settled(cohort: &Cohort, here: (u64, u64)) -> bool {
    match &cohort.merged {
        None => cohort.window.is_empty(),
        Some(merged) => (merged.lag.mark, merged.lag.cursor) == here,
    }
}

/// Bytes that a send took; `None` where the connection is lost. A full socket took nothing.
pub(super) fn bytes_taken(result: i32) -> Option<usize> {
    /// Linux error numbers (errno(3)) that mean "not now": EINTR, EAGAIN, ENOMEM, ENOBUFS.
    const NOT_NOW: [i32; 4] = [4, 11, 12, 105];
    match usize::try_from(result) {
        Ok(taken) => Some(taken),
        Err(_) => NOT_NOW.contains(&-result).then_some(0),
    }
}
