//! Joining as others did: who asks by URL for what others asked for is put where they are.
//!
//! After an outage thousands of clients of one page come back at once. To read what each asks
//! for, to find its symbols and to encode its answer and its snapshot costs ten times as much as
//! to find out that all of it has just been done for somebody else.

use super::Hub;
use super::book::Book;
use super::catchup::compose;
use super::cohort::{APART, Cohort, CohortKey};
use super::commands::set_options;
use super::interest::Interest;
use super::lines::Lines;
use crate::limits::QUERIES_KEPT_MAX;
use crate::market::ChannelSet;
use crate::session::{Lag, Now, Place};
use crate::wire::{Format, UrlOptions};
use std::ops::Range;
use std::rc::Rc;

/// What an URL led to.
#[derive(Debug)]
struct Join {
    options: Rc<UrlOptions>,
    format: Format,
    cohort: u32,
    /// Held, so that the cohort of this number is the same if its key has the same address.
    key: Rc<CohortKey>,
    /// The frame that answers it.
    answer: Box<[u8]>,
}

/// The newest first.
#[derive(Debug, Default)]
pub(super) struct Joins(Vec<Join>);

/// The newest quotes and bars of a cohort's interest, as one frame.
#[derive(Debug)]
pub struct Snapshot {
    /// The arrival number of its moment.
    mark: u64,
    items: u64,
    pub(super) frame: Vec<u8>,
}

impl Snapshot {
    /// Whether it is what a session is owed that joined at this arrival number.
    fn serves(&self, book: &Book, interest: &Interest, joined: u64) -> bool {
        let unchanged = |(symbol, channels): (u32, ChannelSet)| {
            channels.iter().all(|channel| book.latest.arrival(symbol, channel) <= self.mark)
        };
        let mut entries = interest.entries(book.symbols.len());
        (self.mark == book.arrivals() || entries.all(unchanged))
            && !has_firsts(book, interest, joined)
    }
}

impl Joins {
    fn find(&mut self, options: &Rc<UrlOptions>, format: Format) -> Option<&Join> {
        let same = |join: &Join| Rc::ptr_eq(&join.options, options) && join.format == format;
        let at = self.0.iter().position(same)?;
        self.0[..=at].rotate_right(1);
        self.0.first()
    }
}

impl Hub {
    /// Notes what the first subscription of a session came to.
    pub(super) fn note_join(&mut self, slot: u32, options: &Rc<UrlOptions>, answer: Range<usize>) {
        // Options that are not kept come by this address only once.
        if Rc::strong_count(options) == 1 {
            return;
        }
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let (format, id) = (session.format, session.cohort);
        let answer = session.personal()[answer].into();
        let Some(cohort) = self.cohorts.at(id) else { return };
        let (options, key) = (options.clone(), cohort.key.clone());
        self.joins.0.retain(|join| !Rc::ptr_eq(&join.options, &options) || join.format != format);
        self.joins.0.truncate(QUERIES_KEPT_MAX - 1);
        self.joins.0.insert(0, Join { options, format, cohort: id, key, answer });
    }

    /// The first subscription of a session, where another's was the same. False: nothing is done.
    /// The caller arms its timers.
    pub(super) fn join_as_before(&mut self, slot: u32, options: &Rc<UrlOptions>, now: Now) -> bool {
        let Some(session) = self.sessions.at_mut(slot).filter(|s| s.cohort == APART) else {
            return false;
        };
        let Some(join) = self.joins.find(options, session.format) else { return false };
        let lives = self.cohorts.at(join.cohort).is_some_and(|c| Rc::ptr_eq(&c.key, &join.key));
        if !lives {
            return false;
        }
        let id = join.cohort;
        set_options(session, options.max_hz, None, options.heartbeat_ms, now);
        session.personal().extend_from_slice(&join.answer);
        self.changing(|hub| hub.join(slot, id));
        self.write_feeds_not_ok(slot);
        true
    }

    fn join(&mut self, slot: u32, id: u32) {
        let here = self.book.here();
        self.cohorts.join(id);
        self.subscribed += 1;
        let session = self.sessions.at_mut(slot).expect("its caller has just seen it");
        session.cohort = id;
        let lag = Lag { owes_snapshot: true, ..Lag::at(here.0, here.1) };
        session.place = Place::Behind(Box::new(lag));
    }
}

/// Appends the snapshot that a new session is owed, or its first frame, and marks the rest. Gives
/// its items, and the snapshot where it was made and others may have it.
pub(super) fn write_snapshot(
    book: &Book,
    lines: &mut Lines,
    cohort: &Cohort,
    lag: &mut Lag,
    out: &mut Vec<u8>,
) -> (u64, Option<Snapshot>) {
    let (interest, encoding) = (&cohort.key.interest, cohort.key.format.encoding);
    let cursor = lag.cursor;
    if let Some(snapshot) = cohort.snapshot.as_ref().filter(|s| s.serves(book, interest, lag.mark))
    {
        out.extend_from_slice(&snapshot.frame);
        *lag = Lag::at(book.arrivals(), cursor);
        return (snapshot.items, None);
    }
    let is_whole = !has_firsts(book, interest, lag.mark);
    // Its trades begin where it joined; here they would be in the way.
    lag.cursor = book.tape.head();
    owe_all(book, interest, lag);
    let start = out.len();
    let composed = compose(book, lines, interest, encoding, lag, &mut Vec::new(), out);
    lag.cursor = cursor;
    let made = (composed.done && is_whole).then(|| Snapshot {
        mark: lag.mark,
        items: composed.items,
        frame: out[start..].to_vec(),
    });
    (composed.items, made)
}

/// Marks every quote and bar that there is; what was there when the session joined, as a snapshot.
pub(super) fn owe_all(book: &Book, interest: &Interest, lag: &mut Lag) {
    let joined = std::mem::replace(&mut lag.mark, book.arrivals());
    lag.owes_snapshot = false;
    for (symbol, channels) in interest.entries(book.symbols.len()) {
        for channel in channels.iter().filter(|c| book.latest.seq(symbol, *c) > 0) {
            let bit = interest.bit(symbol, channel).expect("it is an entry");
            lag.pending.set(bit);
            if book.latest.first_arrival(symbol, channel) <= joined {
                lag.fresh.set(bit);
            }
        }
    }
}

/// Whether there is something whose first quote or bar came after a session had joined: for that
/// session it is an update, not a part of the snapshot.
fn has_firsts(book: &Book, interest: &Interest, joined: u64) -> bool {
    joined < book.arrivals()
        && interest.entries(book.symbols.len()).any(|(symbol, channels)| {
            channels.iter().any(|channel| book.latest.first_arrival(symbol, channel) > joined)
        })
}

#[cfg(test)]
mod tests;
