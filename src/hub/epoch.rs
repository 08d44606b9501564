//! A new epoch: sequence numbers start again, and with them the market's tables.
//!
//! A session that has subscribed is told so, and is then as one that subscribes to the same anew:
//! behind, with a snapshot of what there is. What it was owed of the old epoch is owed no more, but
//! what has come before the new epoch goes out first to all who keep up.

use super::Hub;
use super::book::Book;
use super::cohort::APART;
use super::interest::Interest;
use super::joining::Joins;
use crate::market::Name;
use crate::wire::event;

impl Hub {
    /// The feeds' numbers count in `epoch` from the next tick on, which must wait until
    /// [`Hub::is_full`] says no.
    pub(super) fn end_epoch(&mut self, epoch: Name) {
        // A shard that lost its tables has an epoch of its own within the feeds'.
        let within = self.epoch.strip_prefix(epoch.as_str());
        if !within.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            self.next_epoch = Some(epoch);
        }
    }

    /// Begins the epoch that is due, once all that came before it has been flushed; says whether.
    pub(super) fn begin_epoch(&mut self) -> bool {
        if self.flush.is_running() || !self.book.recent().is_empty() {
            return false;
        }
        let Some(epoch) = self.next_epoch else { return false };
        self.changing(|hub| hub.enter_epoch(epoch));
        // The last step: a hub that takes this one's place, should it panic, does all of it again.
        (self.epoch, self.next_epoch) = (epoch.as_str().to_string(), None);
        true
    }

    /// In one go, since tables and sessions must fit each other: some microseconds a session, once
    /// in the life of a publisher.
    fn enter_epoch(&mut self, epoch: Name) {
        let mut interests: Vec<(u32, Interest)> = Vec::new();
        for slot in self.sessions.slots() {
            let Some(session) = self.sessions.at_mut(slot).filter(|s| s.is_streaming()) else {
                continue;
            };
            event::epoch(session.format, epoch.as_str(), session.personal());
            let cohort = session.cohort;
            self.enqueue(slot);
            if cohort == APART {
                continue;
            }
            // Held, since the names that only clients have given go with their last cohort.
            let cohort = self.cohorts.at(cohort).expect("a member's cohort lives");
            let interest = cohort.key.interest.clone();
            hold(&mut self.book, &interest);
            self.leave(slot);
            interests.push((slot, interest));
        }
        self.joins = Joins::default();
        self.book.begin_anew();
        for (slot, interest) in interests {
            self.change(slot, interest.clone(), &[]);
            interest.named().iter().for_each(|(symbol, _)| self.book.symbols.release(*symbol));
        }
    }
}

fn hold(book: &mut Book, interest: &Interest) {
    interest.named().iter().for_each(|(symbol, _)| book.symbols.acquire(*symbol));
}

#[cfg(test)]
mod tests;
