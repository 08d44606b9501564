//! What clients are told of the state of feeds.

use super::Hub;
use super::cohort::APART;
use crate::limits::PERSONAL_BYTES_MAX;
use crate::market::{Feed, FeedState};
use crate::wire::event;
use rustc_hash::FxHashMap;

impl Hub {
    /// Tells the sessions concerned that a feed changed its state. What is said to one cohort is
    /// encoded once.
    pub(super) fn announce_feed(&mut self, feed: Feed) {
        let begun = self.book.feeds().get(usize::from(feed.0)).is_some_and(|f| f.last_ns > 0);
        if !begun {
            return; // there is nothing yet that could have become stale
        }
        let mut frames: FxHashMap<u32, Vec<u8>> = FxHashMap::default();
        for slot in self.sessions.slots() {
            let Some(session) = self.sessions.at(slot).filter(|s| s.cohort != APART) else {
                continue;
            };
            let cohort = session.cohort;
            let frame = frames.entry(cohort).or_insert_with(|| self.feed_frame(cohort, feed));
            self.say(slot, frame);
        }
    }

    /// A new subscriber learns at once that a feed is not what it should be.
    pub(super) fn write_feeds_not_ok(&mut self, slot: u32) {
        let Some(cohort) = self.sessions.at(slot).map(|s| s.cohort) else { return };
        for index in 0..self.book.feeds().len() {
            let view = self.book.feeds()[index];
            if view.state != FeedState::Ok && view.last_ns > 0 {
                let frame = self.feed_frame(cohort, Feed(index as u8));
                self.say(slot, &frame);
            }
        }
    }

    /// The `feed` event for a cohort; empty where the feed sends nothing that it asked for.
    fn feed_frame(&self, cohort: u32, feed: Feed) -> Vec<u8> {
        let mut frame = Vec::new();
        let Some(cohort) = self.cohorts.at(cohort) else { return frame };
        let symbols = &self.book.symbols;
        let names: Vec<&str> = if self.book.feeds().len() == 1 {
            vec!["*"]
        } else {
            let entries = cohort.key.interest.entries(symbols.len());
            let owned = entries.filter(|(symbol, _)| symbols.feed(*symbol) == Some(feed));
            owned.map(|(symbol, _)| symbols.name(symbol)).collect()
        };
        if !names.is_empty() {
            let state = self.book.feeds()[usize::from(feed.0)].state;
            event::feed(cohort.key.format, state, &names, &mut frame);
        }
        frame
    }

    /// Appends a frame, unless the client reads nothing: then its heartbeats will say it, or its
    /// write deadline ends it.
    fn say(&mut self, slot: u32, frame: &[u8]) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let unread = session.outgoing.as_ref().map_or(0, |o| o.personal_bytes());
        if !frame.is_empty() && unread <= PERSONAL_BYTES_MAX {
            session.personal().extend_from_slice(frame);
            self.enqueue(slot);
        }
    }
}
