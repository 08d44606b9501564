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
use crate::session::{Lag, Now, Place};
use crate::wire::{Format, UrlOptions};
use std::ops::Range;
use std::rc::Rc;

/// How many ways to join are kept: as many as queries are.
const JOINS_KEPT_MAX: usize = 16;

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
    /// Nothing has come since this arrival number; looked at anew at each use.
    mark: u64,
    items: u64,
    pub(super) frame: Vec<u8>,
}

impl Snapshot {
    fn is_current(&self, book: &Book, interest: &Interest) -> bool {
        let unchanged = |(symbol, channels): (u32, crate::market::ChannelSet)| {
            channels.iter().all(|channel| book.latest.arrival(symbol, channel) <= self.mark)
        };
        self.mark == book.arrivals() || interest.entries(book.symbols.len()).all(unchanged)
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
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let (format, id) = (session.format, session.cohort);
        let answer = session.personal()[answer].into();
        let Some(cohort) = self.cohorts.at(id) else { return };
        let (options, key) = (options.clone(), cohort.key.clone());
        self.joins.0.retain(|join| !Rc::ptr_eq(&join.options, &options) || join.format != format);
        self.joins.0.truncate(JOINS_KEPT_MAX - 1);
        self.joins.0.insert(0, Join { options, format, cohort: id, key, answer });
    }

    /// The first subscription of a session, where another's was the same. False: nothing is done.
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
        self.arm(slot, now);
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

/// Appends the snapshot that a new session is owed, where that is one frame; else marks what it
/// is owed. Gives its items, and the snapshot where it was made.
pub(super) fn write_snapshot(
    book: &Book,
    lines: &mut Lines,
    cohort: &Cohort,
    lag: &mut Lag,
    out: &mut Vec<u8>,
) -> (u64, Option<Snapshot>) {
    let (interest, encoding) = (&cohort.key.interest, cohort.key.format.encoding);
    if let Some(snapshot) = cohort.snapshot.as_ref().filter(|s| s.is_current(book, interest)) {
        out.extend_from_slice(&snapshot.frame);
        lag.mark = book.arrivals();
        return (snapshot.items, None);
    }
    let mut owed = Lag::at(book.arrivals(), book.tape.head());
    owe_all(book, interest, &mut owed);
    let mut frame = Vec::new();
    let composed = compose(book, lines, interest, encoding, &mut owed, &mut Vec::new(), &mut frame);
    if !composed.done {
        owe_all(book, interest, lag);
        return (0, None);
    }
    out.extend_from_slice(&frame);
    lag.mark = book.arrivals();
    (composed.items, Some(Snapshot { mark: lag.mark, items: composed.items, frame }))
}

/// Marks every quote and bar that there is, as never had.
pub(super) fn owe_all(book: &Book, interest: &Interest, lag: &mut Lag) {
    lag.mark = book.arrivals();
    lag.owes_snapshot = false;
    for (symbol, channels) in interest.entries(book.symbols.len()) {
        for channel in channels.iter().filter(|c| book.latest.seq(symbol, *c) > 0) {
            let bit = interest.bit(symbol, channel).expect("it is an entry");
            lag.pending.set(bit);
            lag.fresh.set(bit);
        }
    }
}
