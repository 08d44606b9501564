//! An operator's question about sessions, answered within the turns of a shard.
//!
//! A turn looks at a bounded number of slots, so that a question about very many sessions delays
//! no client; the answer has a bounded length.

use super::socket;
use super::turn::Shard;
use crate::hub::SessionView;
use crate::session::Now;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::os::fd::AsFd;

/// Slots looked at in a turn: some 100 us.
const SLOTS_MAX: u32 = 4_096;

/// What is asked, and where the answer goes.
pub struct Inquiry {
    /// Only sessions whose socket takes nothing.
    pub lagging_only: bool,
    /// Sessions in the answer, those furthest behind.
    pub limit: usize,
    /// Called once, by the shard; it must not wait.
    pub reply: Box<dyn FnOnce(Inspected) + Send>,
}

/// The answer of one shard.
#[derive(Debug, Default)]
pub struct Inspected {
    /// The one furthest behind first.
    pub sessions: Vec<SessionView>,
    /// How many there are, in the answer or not.
    pub total: u64,
}

/// A question under way.
#[derive(Debug)]
pub(super) struct Inspection {
    inquiry: Inquiry,
    cursor: u32,
    /// Ticks behind, and the slot; the one least behind on top.
    found: BinaryHeap<Reverse<(u64, u32)>>,
    total: u64,
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inquiry { lagging_only, limit, .. } = self;
        write!(f, "Inquiry {{ lagging_only: {lagging_only}, limit: {limit} }}")
    }
}

impl Inspection {
    fn new(inquiry: Inquiry) -> Inspection {
        Inspection { inquiry, cursor: 0, found: BinaryHeap::new(), total: 0 }
    }

    fn note(&mut self, slot: u32, behind_ticks: u64) {
        self.total += 1;
        self.found.push(Reverse((behind_ticks, slot)));
        if self.found.len() > self.inquiry.limit {
            self.found.pop();
        }
    }
}

impl Shard {
    /// One step of the oldest question.
    pub(super) fn inspect(&mut self, now: Now) {
        let begun = self.inspection.take();
        let next = || self.mailbox.take_inquiry().map(Inspection::new);
        let Some(mut inspection) = begun.or_else(next) else { return };
        let from = inspection.cursor;
        let end = self.hub.slots_len();
        let to = end.min(from.saturating_add(SLOTS_MAX));
        for slot in from..to {
            let Some((behind_ticks, lagging)) = self.hub.standing(slot) else { continue };
            if lagging || !inspection.inquiry.lagging_only {
                inspection.note(slot, behind_ticks);
            }
        }
        inspection.cursor = to;
        match to < end {
            true => self.inspection = Some(inspection),
            false => self.reply(inspection, now),
        }
    }

    fn reply(&self, inspection: Inspection, now: Now) {
        let Inspection { inquiry, found, total, .. } = inspection;
        // Sorted by what is reversed: the one furthest behind comes first.
        let slots = found.into_sorted_vec().into_iter().map(|Reverse((_, slot))| slot);
        let sessions = slots.filter_map(|slot| {
            let mut view = self.hub.view(slot, now)?;
            let connection = self.connections.at(slot);
            let queued = connection.and_then(|c| socket::unsent_bytes(c.fd.as_fd()));
            view.unsent_bytes += queued.unwrap_or(0);
            Some(view)
        });
        (inquiry.reply)(Inspected { sessions: sessions.collect(), total });
    }
}
