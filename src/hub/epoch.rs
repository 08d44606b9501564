//! A new epoch: sequence numbers of a feed start again, and with them what clients count in.
//!
//! A session that has subscribed is told so, and is then as one that has just joined its cohort:
//! behind, with a snapshot of what there is. What it was owed of the old epoch is owed no more; but
//! what came before the new epoch goes out first to all who keep up.

use super::Hub;
use super::cohort::APART;
use crate::market::{Feed, Name};
use crate::session::{Lag, Place};
use crate::wire::{Format, event};
use std::mem;

impl Hub {
    /// Numbers count in `epoch` from the next tick on, which must wait until [`Hub::is_full`] says
    /// no; those of `feed` start again.
    pub(super) fn end_epoch(&mut self, feed: Feed, epoch: Name) {
        if self.feeds_epoch != epoch.as_str() {
            self.next_epoch = Some((feed, epoch));
            self.begin_epoch();
        }
    }

    /// Begins the epoch that is due, once all that came before it has been flushed; says whether.
    pub(super) fn begin_epoch(&mut self) -> bool {
        self.next_epoch.is_some_and(|(feed, epoch)| self.enter_epoch(feed, epoch))
    }

    fn enter_epoch(&mut self, feed: Feed, epoch: Name) -> bool {
        if self.flush.is_running() || !self.book.recent().is_empty() {
            return false;
        }
        self.changing(|hub| {
            hub.book.begin_anew(feed);
            let here = hub.book.here();
            hub.cohorts.begin_anew(here);
            hub.tell_epoch(epoch, here);
        });
        // The last step: a hub that takes this one's place, should it panic, does all of it again.
        self.feeds_epoch = epoch.as_str().to_string();
        (self.epoch, self.next_epoch) = (self.feeds_epoch.clone(), None);
        true
    }

    /// In one go, since sessions and cohorts must fit each other; it takes what a flush to so many
    /// takes, without the sends.
    fn tell_epoch(&mut self, epoch: Name, here: (u64, u64)) {
        let mut frames: [Vec<u8>; Format::COUNT] = Default::default();
        for slot in self.sessions.slots() {
            let Some(session) = self.sessions.at_mut(slot) else { continue };
            if session.cohort != APART {
                let lag = Lag { owes_snapshot: true, ..Lag::at(here.0, here.1) };
                let was = mem::replace(&mut session.place, Place::Behind(Box::new(lag)));
                if matches!(was, Place::InStep(_)) {
                    let cohort = self.cohorts.at(session.cohort).expect("a member's cohort lives");
                    session.items = session.items.wrapping_add(cohort.items);
                }
            }
            if !session.is_streaming() {
                continue;
            }
            let frame = &mut frames[session.format.index()];
            if frame.is_empty() {
                event::epoch(session.format, epoch.as_str(), frame);
            }
            // Also for who reads nothing: without it, what follows would mean something else. Its
            // write deadline comes before many epochs do.
            session.personal().extend_from_slice(frame);
            self.enqueue(slot);
        }
    }
}

#[cfg(test)]
mod tests;
