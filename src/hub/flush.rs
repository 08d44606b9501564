//! The flush: each cohort's window is encoded once and sent to all its members in step.
//!
//! A flush goes through the cohorts one by one and through a cohort's members in chunks; no tick
//! is taken in before its end, so it sends one moment's state. Members may join, leave and end
//! between two chunks: `Active::next` splits the member list into those still to be served (before
//! it) and those who were served or need nothing (from it on).

use super::batch::{Send, Source};
use super::catchup::compose;
use super::cohort::Cohort;
use super::{Effect, Hub};
use crate::market::Channel;
use crate::session::{CloseReason, Lag, Now, Place};
use crate::wire::{Format, frame};
use bytes::Bytes;
use std::collections::BinaryHeap;
use std::{cmp::Reverse, mem};

#[derive(Debug, Default)]
pub(super) struct Flush {
    /// Cohorts still to be flushed; one may have ended since it was put here.
    pub(super) queue: Vec<u32>,
    active: Option<Active>,
    /// Between the first cohort and the end.
    running: bool,
    /// Windows are being flushed, not only cohorts with a rate: the book settles at the end.
    settles: bool,
    flushed_at_ms: u64,
    /// Ingest time of the oldest tick that was flushed since somebody asked.
    sent_ns: Option<i64>,
    /// The book's place when clocks were last armed: without a new tick there is nothing to arm.
    armed: (u64, u64),
    /// When each armed cohort with a rate is due.
    pub(super) clocks: BinaryHeap<Reverse<(u64, u32)>>,
}

/// The cohort that is being flushed.
#[derive(Debug)]
struct Active {
    cohort: u32,
    /// Members `in_step[..next]` are still to be served.
    next: usize,
    frames: Vec<FrameEnd>,
    taken: Taken,
    /// Arrival number and tape position that its members had before this flush.
    before: (u64, u64),
    /// Copies of cut frames, each made once and shared by all whose socket stopped in it.
    shared: Vec<Bytes>,
}

/// What the frames carry, in order: what a member that misses some of them is owed.
#[derive(Debug)]
enum Taken {
    /// Indices of recent ticks.
    Window(Vec<u32>),
    /// Bits of the cohort's interest.
    Merged(Vec<u32>),
}

/// Where a frame ends.
#[derive(Debug, Clone, Copy)]
struct FrameEnd {
    bytes: usize,
    /// In `Taken`.
    taken: usize,
    /// The tape position where what follows this frame begins.
    position: u64,
    items: u64,
}

impl Flush {
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the flush under way is at this cohort.
    pub fn is_at(&self, cohort: u32) -> bool {
        self.active.as_ref().is_some_and(|active| active.cohort == cohort)
    }

    /// Whether the member at `index` of a cohort waits for its part of the flush under way; gives
    /// what such a member has, and the items that it has not got.
    pub fn unserved(&self, cohort: u32, index: usize) -> Option<((u64, u64), u64)> {
        let active = self.active.as_ref().filter(|a| a.cohort == cohort && index < a.next)?;
        Some((active.before, active.frames.last().map_or(0, |f| f.items)))
    }

    /// Where a member of `cohort` may be taken out of the list so that the split stays true:
    /// the caller moves the member at the returned index into the hole first.
    pub fn shrink(&mut self, cohort: u32, index: usize) -> Option<usize> {
        let active = self.active.as_mut().filter(|a| a.cohort == cohort && index < a.next)?;
        active.next -= 1;
        Some(active.next)
    }

    pub fn next_ms(&self) -> Option<u64> {
        self.clocks.peek().map(|Reverse((at_ms, _))| *at_ms)
    }
}

impl Hub {
    /// Ingest time, in ns since the Unix epoch, of the oldest tick of the flushes that ended since
    /// this was last asked.
    pub fn take_sent_ns(&mut self) -> Option<i64> {
        self.flush.sent_ns.take()
    }

    /// When the next flush is due, as far as is known now.
    pub(super) fn flush_at_ms(&self) -> Option<u64> {
        let window = self.cohorts.has_dirty().then(|| match self.book.is_full() {
            true => 0,
            false => self.flush.flushed_at_ms + self.pacing.window_ms(),
        });
        window.into_iter().chain(self.flush.next_ms()).min()
    }

    /// The next chunk of the flush; begins one where it is due.
    pub(super) fn next_flush(&mut self, now: Now) -> bool {
        if !self.flush.running && !self.begin_flush(now) {
            return false;
        }
        loop {
            if let Some(active) = &mut self.flush.active {
                let cohort = self.cohorts.at(active.cohort);
                let members = cohort.map_or(&[][..], |c| &c.in_step[..active.next]);
                let end = active.frames.last().map_or(0, |f| f.bytes);
                if !members.is_empty() && end > 0 {
                    let from = members.len().saturating_sub(self.settings.batch_sends);
                    let sends = members[from..].iter();
                    self.batch.sends.clear();
                    self.batch.sends.extend(sends.map(|slot| Send { slot: *slot, start: 0, end }));
                    self.batch.source = Source::Flush;
                    active.next = from;
                    return true;
                }
                let cohort = active.cohort;
                self.flush.active = None;
                self.wake_waiting(cohort);
            }
            let Some(cohort) = self.flush.queue.pop() else {
                self.end_flush();
                return false;
            };
            self.begin_cohort(cohort, now);
        }
    }

    fn begin_flush(&mut self, now: Now) -> bool {
        self.arm_clocks(now);
        let window_at = self.flush.flushed_at_ms + self.pacing.window_ms();
        let windows_due = self.book.is_full() || window_at <= now.ms;
        if windows_due && !self.book.recent().is_empty() {
            (self.flush.settles, self.flush.running) = (true, true);
            self.flush.flushed_at_ms = now.ms;
            // An id may have ended and be that of a cohort with a rate now: its clock calls it.
            let mut dirty = self.cohorts.take_dirty();
            dirty.retain(|id| self.cohorts.at(*id).is_some_and(|c| c.merged.is_none()));
            self.flush.queue = dirty;
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
            let interval_ms = rate.interval_ns().unwrap_or(0) / 1_000_000;
            let at_ms = (merged.flushed_at_ms + interval_ms).max(now.ms);
            merged.due_at_ms = Some(at_ms);
            self.flush.clocks.push(Reverse((at_ms, id)));
        }
    }

    fn begin_cohort(&mut self, id: u32, now: Now) {
        let Some(cohort) = self.cohorts.at_mut(id) else { return };
        self.batch.flush_bytes.clear();
        let lines = &mut self.lines[cohort.key.format.index()];
        let before = cohort.has(&self.book);
        let (frames, taken) = match cohort.merged.take() {
            None => {
                let window = self.cohorts.take_window(id);
                let cohort = self.cohorts.at(id).expect("just seen");
                let frames = encode_window(&self.book, lines, cohort, &window, &mut self.batch);
                (frames, Taken::Window(window))
            }
            Some(merged) if merged.due_at_ms.is_none() => {
                // The id was queued for a cohort that has ended since: this one is not due.
                cohort.merged = Some(merged);
                return;
            }
            Some(mut merged) => {
                let mut taken = Vec::new();
                let out = &mut self.batch.flush_bytes;
                let frames = match cohort.in_step.is_empty() {
                    true => {
                        merged.lag = Lag::at(self.book.here().0, self.book.here().1);
                        Vec::new()
                    }
                    false => {
                        encode_merged(&self.book, lines, cohort, &mut merged.lag, &mut taken, out)
                    }
                };
                (merged.flushed_at_ms, merged.due_at_ms) = (now.ms, None);
                cohort.merged = Some(merged);
                self.cohorts.rest(id);
                (frames, Taken::Merged(taken))
            }
        };
        let cohort = self.cohorts.at_mut(id).expect("just seen");
        cohort.items += frames.last().map_or(0, |f| f.items);
        let shared = vec![Bytes::new(); frames.len()];
        let next = cohort.in_step.len();
        self.counters.items_out += frames.last().map_or(0, |f| f.items) * next as u64;
        self.flush.active = Some(Active { cohort: id, next, frames, taken, before, shared });
    }

    /// Those who were behind by nothing look again, now that the window is empty.
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
        if mem::take(&mut self.flush.settles) {
            let oldest = self.book.recent().first().map(|recent| recent.tick.ingest_ns());
            self.flush.sent_ns = self.flush.sent_ns.or(oldest);
            self.book.settle();
            self.lines.iter_mut().for_each(|lines| lines.settle());
        }
    }

    pub(super) fn flush_sent(&mut self, results: &[i32], now: Now) {
        let full = self.batch.sends.first().map_or(0, |send| send.end);
        for (index, result) in results.iter().enumerate() {
            if usize::try_from(*result) == Ok(full) {
                continue;
            }
            let slot = self.batch.sends[index].slot;
            match super::own::bytes_taken(*result) {
                Some(taken) => self.cut(slot, taken, now),
                None => self.end(slot, CloseReason::PeerLost, now),
            }
        }
    }

    /// The socket of a member took only `sent` bytes of the flush: it holds the rest of the frame
    /// that was cut, and is behind from the next one on.
    fn cut(&mut self, slot: u32, sent: usize, now: Now) {
        let active = self.flush.active.as_mut().expect("results come before the next chunk");
        let last = active.frames.last().expect("a flush without frames sends nothing").items;
        let at = active.frames.partition_point(|frame| frame.bytes <= sent);
        let frame = active.frames[at];
        let start = at.checked_sub(1).map_or(0, |before| active.frames[before].bytes);
        let shared = &mut active.shared[at];
        if shared.is_empty() {
            *shared = Bytes::copy_from_slice(&self.batch.flush_bytes[start..frame.bytes]);
        }
        let rest = shared.slice(sent - start..);
        let mut lag = Lag::at(self.book.arrivals(), frame.position);
        let cohort = self.cohorts.at(active.cohort).expect("its member is here");
        let interest = &cohort.key.interest;
        match &active.taken {
            Taken::Merged(bits) => {
                for bit in &bits[frame.taken..] {
                    lag.pending.set(*bit as usize);
                    lag.gaps += u32::from(interest.at(*bit as usize).1 == Channel::Trades);
                }
            }
            Taken::Window(window) => {
                for recent in &window[frame.taken..] {
                    let tick = &self.book.recent()[*recent as usize].tick;
                    let channel = tick.channel().expect("windows hold market events");
                    if channel != Channel::Trades
                        && let Some(bit) = interest.bit(tick.symbol().0, channel)
                    {
                        lag.pending.set(bit);
                    }
                }
            }
        }
        self.counters.frames_cut += 1;
        self.counters.items_out -= last - frame.items;
        self.step_out(slot);
        let session = self.sessions.at_mut(slot).expect("a member is a session");
        session.items = session.items.wrapping_sub(last - frame.items);
        session.place = Place::Behind(Box::new(lag));
        session.outgoing.get_or_insert_default().hold(rest, now.ms);
        self.effects.push(Effect::SendRest { slot });
        self.arm(slot, now);
        self.account(slot);
    }
}

/// Encodes a window as frames, every update of it.
fn encode_window(
    book: &super::Book,
    lines: &mut super::Lines,
    cohort: &Cohort,
    window: &[u32],
    batch: &mut super::Batch,
) -> Vec<FrameEnd> {
    let (mut frames, mut first, mut bytes) = (Vec::new(), 0, 0);
    if cohort.in_step.is_empty() {
        return frames;
    }
    let Format { encoding, .. } = cohort.key.format;
    let spans: Vec<_> = window.iter().map(|recent| lines.recent(book, *recent)).collect();
    let mut items = 0;
    for end in 1..=spans.len() {
        let tick = &book.recent()[window[end - 1] as usize].tick;
        items += u64::from(!tick.is_loss());
        bytes += spans[end - 1].len();
        let next = spans.get(end).map(|next| bytes + next.len());
        let count = end - first;
        let fits = |bytes| frame::array_payload_len(encoding, count + 1, bytes);
        if next.is_some_and(|bytes| fits(bytes) <= lines.frame_bytes()) {
            continue;
        }
        let elements = spans[first..end].iter().map(|span| lines.bytes(*span));
        frame::write_array(encoding, count, bytes, elements, &mut batch.flush_bytes);
        let following = window.get(end).map(|recent| book.recent()[*recent as usize].position);
        frames.push(FrameEnd {
            bytes: batch.flush_bytes.len(),
            taken: end,
            position: following.unwrap_or(book.tape.head()),
            items,
        });
        (first, bytes) = (end, 0);
    }
    frames
}

/// Encodes what has changed since a cohort's last beat: the latest of each symbol, all trades.
fn encode_merged(
    book: &super::Book,
    lines: &mut super::Lines,
    cohort: &Cohort,
    lag: &mut Lag,
    taken: &mut Vec<u32>,
    out: &mut Vec<u8>,
) -> Vec<FrameEnd> {
    let (mut frames, mut items) = (Vec::new(), 0);
    let key = &cohort.key;
    loop {
        let before = out.len();
        let composed = compose(book, lines, &key.interest, key.format.encoding, lag, taken, out);
        items += composed.items;
        if out.len() > before {
            let (bytes, taken, position) = (out.len(), taken.len(), lag.cursor);
            frames.push(FrameEnd { bytes, taken, position, items });
        }
        if composed.done {
            return frames;
        }
    }
}
