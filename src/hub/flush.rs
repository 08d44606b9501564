//! The flush: each cohort's window is encoded once and sent to all its members in step.
//!
//! A flush goes through the cohorts that had something when it began, in the order in which their
//! first update came. A batch holds the sends of as many small cohorts as fit, or a chunk of the
//! members of a large one. Ticks may come between two batches: what its cohort has not flushed yet
//! goes with this flush, the rest with the next, so that where a flush takes long, each client
//! still gets one once in that time, and none waits for all the others.
//!
//! Members may join, leave and end between two chunks: `Active::next` splits the member list into
//! those still to be served (before it) and those who were served or need nothing (from it on).

mod cut;
mod frames;
mod late;

use super::Hub;
use super::batch::{BATCH_BYTES_MAX, Send, Source};
use crate::session::{CloseReason, Lag, Now};
use bytes::Bytes;
use frames::{Frames, Part};
use std::collections::BinaryHeap;
use std::ops::Range;
use std::{cmp::Reverse, mem};

/// Cohorts that are read ahead at once: about as many reads as a core can have under way.
const TOUCHED_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Flush {
    /// Cohorts still to be flushed, the next one last; one may have ended since it was put here.
    pub(super) queue: Vec<u32>,
    /// So many of the next have been read ahead.
    touched: usize,
    /// The cohorts of the batch under way. A large one is alone, and stays until all its members
    /// are served.
    active: Vec<Active>,
    /// What the active ones have encoded.
    frames: Frames,
    /// Between the first cohort and the end.
    running: bool,
    /// The arrival number up to which the book settles at the end; none where only cohorts with a
    /// rate are flushed.
    settles: Option<u64>,
    flushed_at_ms: u64,
    /// Ingest time of the oldest tick that all members of a cohort were sent since somebody asked.
    sent_ns: Option<i64>,
    /// This flush has had such a cohort.
    is_timed: bool,
    /// The book's place when clocks were last armed: without a new tick there is nothing to arm.
    armed: (u64, u64),
    /// When each armed cohort with a rate is due.
    pub(super) clocks: BinaryHeap<Reverse<(u64, u32)>>,
}

/// A cohort that is being flushed.
#[derive(Debug, Default)]
struct Active {
    cohort: u32,
    /// Members `in_step[..next]` are still to be served.
    next: usize,
    /// Where its bytes begin in the batch.
    start: usize,
    /// Its sends in the batch.
    sends: Range<usize>,
    /// Its frames.
    part: Part,
    /// What its part took are bits of a cohort with a rate, not ticks.
    merged: bool,
    /// Ingest time of the first tick of its window.
    oldest_ns: Option<i64>,
    /// Arrival number and tape position that its members had before this flush, and have after it.
    before: (u64, u64),
    after: (u64, u64),
    /// Copies of cut frames, each made once and shared by all whose socket stopped in it.
    shared: Vec<Bytes>,
    /// So many sessions at the start of the cohort's list waited for this flush; they are served
    /// when all members are.
    late: usize,
}

impl Active {
    fn is_unfinished(&self) -> bool {
        self.next > 0 || self.late > 0
    }
}

impl Flush {
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// The large cohort of which some are served and some are not.
    fn unfinished(&self) -> Option<&Active> {
        self.active.first().filter(|active| active.is_unfinished())
    }

    /// Whether the member at `index` of a cohort waits for its part of the flush under way; gives
    /// what such a member has, and the items that it has not got.
    pub fn unserved(&self, cohort: u32, index: usize) -> Option<((u64, u64), u64)> {
        let active = self.active.first().filter(|a| a.cohort == cohort && index < a.next)?;
        Some((active.before, active.part.items))
    }

    /// Whether the flush under way serves those who wait in a cohort.
    pub fn serves_late(&self, cohort: u32) -> bool {
        self.unfinished().is_some_and(|active| active.cohort == cohort && active.late > 0)
    }

    /// Where a member of `cohort` may be taken out of the list so that the split stays true:
    /// the caller moves the member at the returned index into the hole first.
    pub fn shrink(&mut self, cohort: u32, index: usize) -> Option<usize> {
        let active = self.active.first_mut();
        let active = active.filter(|a| a.cohort == cohort && index < a.next)?;
        active.next -= 1;
        Some(active.next)
    }

    pub fn next_ms(&self) -> Option<u64> {
        self.clocks.peek().map(|Reverse((at_ms, _))| *at_ms)
    }
}

impl Hub {
    /// Ingest time, in ns since the Unix epoch, of the oldest tick that has gone out to all of a
    /// cohort since this was last asked.
    pub fn take_sent_ns(&mut self) -> Option<i64> {
        self.flush.sent_ns.take()
    }

    /// When the next flush is due, as far as is known now.
    pub(super) fn flush_at_ms(&self) -> Option<u64> {
        let window = self.cohorts.has_dirty().then(|| match self.is_full() {
            true => 0,
            false => self.flush.flushed_at_ms + self.pacing.window_ms(),
        });
        let epoch = self.next_epoch.map(|_| 0);
        epoch.into_iter().chain(window).chain(self.flush.next_ms()).min()
    }

    /// The next batch of the flush; begins one where it is due.
    pub(super) fn next_flush(&mut self, now: Now) -> bool {
        if !self.flush.running && !self.begin_flush(now) {
            return false;
        }
        self.batch.source = Source::Flush;
        self.batch.sends.clear();
        if self.flush.unfinished().is_some() {
            self.retire(1);
            self.list_members();
        } else {
            self.retire(0);
        }
        while self.flush.unfinished().is_none()
            && self.batch.sends.len() < self.settings.batch_sends
            && self.batch.flush_bytes.len() < BATCH_BYTES_MAX
            && let Some(cohort) = self.next_cohort()
        {
            let members = self.cohorts.at(cohort).map_or(0, |c| c.in_step.len() + c.waiting.len());
            let listed = self.batch.sends.len();
            if listed > 0 && listed + members > self.settings.batch_sends {
                self.flush.queue.push(cohort); // with the next batch, whole
                break;
            }
            self.begin_cohort(cohort, now);
        }
        if self.batch.sends.is_empty() {
            self.end_flush();
            return false;
        }
        true
    }

    /// The next cohort of the queue; those behind it are read ahead, some at a time.
    fn next_cohort(&mut self) -> Option<u32> {
        let queue = &mut self.flush.queue;
        if self.flush.touched == 0 {
            self.flush.touched = queue.len().min(TOUCHED_MAX);
            self.cohorts.touch(&queue[queue.len() - self.flush.touched..]);
        }
        self.flush.touched = self.flush.touched.saturating_sub(1);
        queue.pop()
    }

    fn begin_flush(&mut self, now: Now) -> bool {
        self.arm_clocks(now);
        let window_at = self.flush.flushed_at_ms + self.pacing.window_ms();
        let windows_due = self.is_full() || window_at <= now.ms;
        if windows_due && !self.book.recent().is_empty() {
            (self.flush.settles, self.flush.running) = (Some(self.book.arrivals()), true);
            self.flush.flushed_at_ms = now.ms;
            self.cohorts.take_dirty(&mut self.flush.queue);
            self.counters.flushes += 1;
        }
        while let Some(Reverse((at_ms, cohort))) = self.flush.clocks.peek().copied()
            && at_ms <= now.ms
        {
            self.flush.clocks.pop();
            // Clocks are not stopped when their cohort ends: one may be that of an earlier use.
            let merged = self.cohorts.at(cohort).and_then(|c| c.merged.as_ref());
            if merged.is_some_and(|merged| merged.due_at_ms == Some(at_ms)) {
                self.flush.queue.push(cohort);
                self.flush.running = true;
            }
        }
        self.flush.running
    }

    /// Cohorts with a rate have a clock that runs only while something has come for them.
    fn arm_clocks(&mut self, now: Now) {
        if mem::replace(&mut self.flush.armed, self.book.here()) == self.book.here() {
            return;
        }
        for id in self.cohorts.take_resting() {
            let Some(cohort) = self.cohorts.at_mut(id) else { continue };
            let rate = cohort.key.rate;
            let Some(merged) = &mut cohort.merged else { continue };
            if (merged.lag.mark, merged.lag.cursor) == self.book.here() {
                self.cohorts.rest(id);
                continue;
            }
            // Rounded up: at most so many flushes a second.
            let interval_ms = rate.interval_ns().unwrap_or(0).div_ceil(1_000_000);
            let at_ms = (merged.flushed_at_ms + interval_ms).max(now.ms);
            merged.due_at_ms = Some(at_ms);
            self.flush.clocks.push(Reverse((at_ms, id)));
        }
    }

    /// Encodes what has come for a cohort, and lists its members, or the first of them.
    fn begin_cohort(&mut self, id: u32, now: Now) {
        if self.batch.sends.is_empty() {
            self.retire(0); // so that a large one is the first
        }
        let Some(cohort) = self.cohorts.at(id) else { return };
        let (before, after) = (cohort.has(&self.book), self.book.here());
        let (start, merged) = (self.batch.flush_bytes.len(), cohort.merged.is_some());
        let mut own = Active { cohort: id, start, merged, before, after, ..Active::default() };
        match merged {
            true => own.part = self.encode_merged(id, now),
            false => self.encode_window(&mut own),
        }
        let cohort = self.cohorts.at_mut(id).expect("just seen");
        cohort.items += own.part.items;
        let (frames, members) = (own.part.ends.len() as u64, cohort.in_step.len() as u64);
        self.counters.items_out += own.part.items * members;
        self.counters.frames_out += frames * members;
        self.counters.gaps_out += own.part.gaps * members;
        own.next = if frames == 0 { 0 } else { cohort.in_step.len() };
        match merged {
            true => self.wake_waiting(id),
            false => own.late = cohort.waiting.len(),
        }
        self.flush.active.push(own);
        self.list_members();
    }

    /// Takes the window of a cohort. Where only some wait who have a part of it, each of them gets
    /// the rest, and the whole is not encoded.
    fn encode_window(&mut self, own: &mut Active) {
        let frames = &mut self.flush.frames;
        let from = frames.taken.len();
        self.cohorts.take_window(own.cohort, &mut frames.taken);
        own.part.taken = from..frames.taken.len();
        let cohort = self.cohorts.at(own.cohort).expect("its caller has just seen it");
        if let (Some(first), false) = (frames.taken.get(from), cohort.in_step.is_empty()) {
            own.oldest_ns = Some(self.book.recent_at(*first).tick.ingest_ns());
            let (encoding, out) = (cohort.format.encoding, &mut self.batch.flush_bytes);
            let lines = &mut self.lines[cohort.format.index()];
            own.part = frames.encode_window(from, &self.book, lines, encoding, own.after.1, out);
        }
    }

    /// What a cohort with a rate is owed, where its beat is due. Else the id was queued for another
    /// cohort, which has ended since.
    fn encode_merged(&mut self, id: u32, now: Now) -> Part {
        let cohort = self.cohorts.at_mut(id).expect("its caller has just seen it");
        let merged =
            cohort.merged.as_mut().filter(|m| m.due_at_ms.is_some_and(|at_ms| at_ms <= now.ms));
        let Some(merged) = merged else { return Part::default() };
        (merged.flushed_at_ms, merged.due_at_ms) = (now.ms, None);
        let members = cohort.in_step.len() as u64;
        let (mut part, here) = (Part::default(), self.book.here());
        if members == 0 {
            merged.lag = Lag::at(here.0, here.1);
        } else {
            let lines = &mut self.lines[cohort.format.index()];
            let (frames, out) = (&mut self.flush.frames, &mut self.batch.flush_bytes);
            let (key, lag) = (&cohort.key, &mut merged.lag);
            let encoded = frames.encode_merged(&self.book, lines, key, lag, out);
            self.counters.conflated += encoded.1 * members;
            part = encoded.0;
        }
        self.cohorts.rest(id);
        part
    }

    /// Puts those of the last active cohort who are still to be served into the batch, as many as
    /// have room.
    fn list_members(&mut self) {
        let at = self.flush.active.len() - 1;
        let active = &mut self.flush.active[at];
        let listed = self.batch.sends.len();
        if let Some(end) = self.flush.frames.end(&active.part)
            && let Some(cohort) = self.cohorts.at(active.cohort)
        {
            let room = self.settings.batch_sends - listed;
            let from = active.next.saturating_sub(room);
            let members = &cohort.in_step[from..active.next];
            let sends = members.iter().map(|slot| Send { slot: *slot, start: active.start, end });
            self.batch.sends.extend(sends);
            active.next = from;
        }
        active.sends = listed..self.batch.sends.len();
        while self.flush.active[at].next == 0
            && self.flush.active[at].late > 0
            && self.batch.sends.len() < self.settings.batch_sends
        {
            self.flush.active[at].late -= 1;
            self.serve_late(at);
        }
    }

    /// The cohorts of the last batch are served, but for the first `unfinished`.
    fn retire(&mut self, unfinished: usize) {
        for active in self.flush.active.drain(unfinished..) {
            if let Some(oldest_ns) = active.oldest_ns {
                self.flush.sent_ns =
                    self.flush.sent_ns.map(|ns| ns.min(oldest_ns)).or(Some(oldest_ns));
                self.flush.is_timed = true;
            }
        }
        let none = Part::default();
        let kept = self.flush.active.last().map_or(&none, |active| &active.part);
        let end = self.flush.frames.end(kept);
        self.flush.frames.keep(kept);
        self.batch.flush_bytes.truncate(end.unwrap_or(0));
    }

    /// Those who were behind a cohort with a rate by nothing look again, now that it has flushed.
    fn wake_waiting(&mut self, cohort: u32) {
        let waiting = self.cohorts.at_mut(cohort).map(|c| mem::take(&mut c.waiting));
        for slot in waiting.into_iter().flatten() {
            let session = self.sessions.at_mut(slot).filter(|s| s.cohort == cohort);
            if let Some(lag) = session.and_then(|s| s.lag()).filter(|lag| lag.waiting) {
                lag.waiting = false;
                self.enqueue(slot);
            }
        }
    }

    fn end_flush(&mut self) {
        self.flush.running = false;
        if let Some(arrivals) = self.flush.settles.take() {
            // Where nobody keeps up, ticks are late all the same.
            if !mem::take(&mut self.flush.is_timed) {
                let oldest = self.book.recent().first().map(|recent| recent.tick.ingest_ns());
                self.flush.sent_ns = self.flush.sent_ns.or(oldest);
            }
            let settled = self.book.settle(arrivals);
            self.lines.iter_mut().for_each(|lines| lines.settle(settled));
        }
    }

    pub(super) fn flush_sent(&mut self, results: &[i32], now: Now) {
        for (index, result) in results.iter().enumerate() {
            let Send { slot, start, end } = self.batch.sends[index];
            if usize::try_from(*result) == Ok(end - start) {
                continue;
            }
            match super::own::bytes_taken(*result) {
                Some(taken) => self.cut(index, taken, now),
                None => self.end(slot, CloseReason::PeerLost, now),
            }
        }
    }
}
