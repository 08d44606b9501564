//! A member whose socket took only a part of its flush.

use super::super::{Effect, Hub};
use super::frames::FrameEnd;
use crate::market::Channel;
use crate::session::{Lag, Now, Place};
use bytes::Bytes;

impl Hub {
    /// The socket of a member took only `sent` bytes of the flush: it holds the rest of the frame
    /// that was cut, and is behind from the next one on.
    pub(super) fn cut(&mut self, index: usize, sent: usize, now: Now) {
        let slot = self.batch.sends[index].slot;
        let of = self.flush.active.partition_point(|active| active.sends.end <= index);
        let active = &mut self.flush.active[of];
        let sent = active.start + sent;
        let ends = &self.flush.frames.ends[active.part.ends.clone()];
        let last = ends.last().expect("a flush without frames sends nothing");
        let (unsent, gaps) = (last.items, last.gaps);
        let at = ends.partition_point(|frame| frame.bytes <= sent);
        let frame = ends[at];
        let start = at.checked_sub(1).map_or(active.start, |before| ends[before].bytes);
        active.shared.resize(ends.len(), Bytes::new());
        let shared = &mut active.shared[at];
        if shared.is_empty() {
            *shared = Bytes::copy_from_slice(&self.batch.flush_bytes[start..frame.bytes]);
        }
        let rest = shared.slice(sent - start..);
        let uncut = (ends.len() - 1 - at) as u64;
        let lag = self.owed_after(of, frame);
        self.counters.frames_cut += 1;
        self.counters.items_out -= unsent - frame.items;
        self.counters.gaps_out -= gaps - frame.gaps;
        self.counters.frames_out -= uncut;
        self.step_out(slot);
        let session = self.sessions.at_mut(slot).expect("a member is a session");
        session.items = session.items.wrapping_sub(unsent - frame.items);
        session.place = Place::Behind(Box::new(lag));
        session.outgoing.get_or_insert_default().hold(rest, now.ms);
        self.effects.push(Effect::SendRest { slot });
        self.arm(slot, now);
        self.account(slot);
    }

    /// What a member of an active cohort is owed that gets nothing of its flush behind `frame`.
    fn owed_after(&self, of: usize, frame: FrameEnd) -> Lag {
        let active = &self.flush.active[of];
        let cohort = self.cohorts.at(active.cohort).expect("its member is here");
        let interest = &cohort.key.interest;
        let mut lag = Lag::at(active.after.0, frame.position);
        for taken in &self.flush.frames.taken[frame.taken..active.part.taken.end] {
            if active.merged {
                lag.pending.set(*taken as usize);
                lag.gaps += u32::from(interest.at(*taken as usize).1 == Channel::Trades);
                continue;
            }
            let tick = &self.book.recent_at(*taken).tick;
            let channel = tick.channel().expect("windows hold market events");
            if channel != Channel::Trades
                && let Some(bit) = interest.bit(tick.symbol().0, channel)
            {
                lag.pending.set(bit);
            }
        }
        lag
    }
}
