//! The shard's tables of the market, and the ticks that came since the last flush.

use super::latest::{Bar, Latest};
use super::symbols::Symbols;
use super::tape::Tape;
use crate::market::{Channel, Feed, FeedState, SymbolId, Tick, TickBody};

/// Ticks that not everyone in step has; with so many, a flush is due at once, and until it is over
/// none is taken in. 16,384 of 72 bytes are 1.2 MB, and no turn takes in more than a fraction.
pub const RECENT_TICKS_MAX: usize = 16_384;

/// A tick that has come since the last flush, or while that was under way.
#[derive(Debug, Clone, Copy)]
pub struct Recent {
    pub tick: Tick,
    /// The tape's head before this tick.
    pub position: u64,
}

/// What the hub knows of one feed.
#[derive(Debug, Clone, Copy)]
pub struct FeedView {
    pub state: FeedState,
    /// Ingest time of its newest tick, ns since the Unix epoch; 0 before the first.
    pub last_ns: i64,
}

/// Where a market event went; what cohorts note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    pub symbol: u32,
    pub channel: Channel,
    /// Its stamp: see [`Book::recent_at`].
    pub stamp: u32,
}

#[derive(Debug)]
pub struct Book {
    pub symbols: Symbols,
    pub latest: Latest,
    pub tape: Tape,
    recent: Vec<Recent>,
    /// How many of those are losses.
    recent_losses: usize,
    /// Arrival number of the last tick before `recent[0]`.
    flushed: u64,
    /// First records of bars whose second has not come.
    halves: Vec<Option<Tick>>,
    feeds: Vec<FeedView>,
}

impl Book {
    pub fn new(tape_ticks: usize) -> Book {
        Book {
            symbols: Symbols::default(),
            latest: Latest::default(),
            tape: Tape::new(tape_ticks),
            recent: Vec::new(),
            recent_losses: 0,
            flushed: 0,
            halves: Vec::new(),
            feeds: Vec::new(),
        }
    }

    /// Takes a market event in; `None` where there is nothing to deliver (yet).
    pub fn enter(&mut self, tick: &Tick) -> Option<Entered> {
        let symbol = self.symbols.by_id(tick.symbol())?;
        let tick = tick.with_symbol(SymbolId(symbol));
        if let Some(feed) = self.symbols.feed(symbol) {
            self.feed_mut(feed).last_ns = tick.ingest_ns();
        }
        let arrival = self.arrivals() + 1;
        let (position, channel) = (self.tape.head(), tick.channel()?);
        match tick.body() {
            TickBody::Quote(..) => self.latest.set_quote(symbol, tick, arrival),
            TickBody::Trade(..) | TickBody::Lost { .. } => self.tape.push(symbol, tick, arrival),
            TickBody::BarPrices(..) => {
                let at = symbol as usize;
                if at >= self.halves.len() {
                    self.halves.resize(at + 1, None);
                }
                self.halves[at] = Some(tick);
                return None;
            }
            TickBody::BarTotals(..) => {
                // Halves of different bars can meet where the ingest had to merge: no bar.
                let half = self.halves.get_mut(symbol as usize)?.take();
                let prices = half.filter(|half| half.seq() == tick.seq())?;
                self.recent.push(Recent { tick: prices, position });
                self.latest.set_bar(symbol, Bar { prices, totals: tick }, arrival + 1);
            }
            _ => return None,
        }
        self.recent_losses += usize::from(tick.is_loss());
        self.recent.push(Recent { tick, position });
        Some(Entered { symbol, channel, stamp: self.arrivals() as u32 })
    }

    /// A feed's numbers start again: its quotes and bars are forgotten, and the tape of all, since
    /// positions of the epoch that ends count no more. Nothing may be recent.
    pub fn begin_anew(&mut self, feed: Feed) {
        debug_assert!(self.recent.is_empty(), "what has come goes out in the epoch it came in");
        let count = self.symbols.len() as u32;
        let is_own = |symbol: u32| symbol < count && self.symbols.feed(symbol) == Some(feed);
        (0..count).filter(|symbol| is_own(*symbol)).for_each(|symbol| self.latest.forget(symbol));
        self.tape.clear(is_own);
        self.halves.clear();
    }

    /// A symbol's trades up to this number were never to come.
    pub fn begin_after(&mut self, id: SymbolId, seq: u64) {
        if let Some(symbol) = self.symbols.by_id(id) {
            self.tape.begin_after(symbol, seq);
        }
    }

    pub fn recent(&self) -> &[Recent] {
        &self.recent
    }

    pub fn is_full(&self) -> bool {
        self.recent.len() + 1 >= RECENT_TICKS_MAX
    }

    /// The arrival number of the newest tick.
    #[inline]
    pub fn arrivals(&self) -> u64 {
        self.flushed + self.recent.len() as u64
    }

    /// The recent tick with a stamp: the low half of its arrival number, which names it among so
    /// few.
    #[inline]
    pub fn recent_at(&self, stamp: u32) -> &Recent {
        &self.recent[self.index_of(stamp)]
    }

    /// Where in [`Book::recent`] it stands.
    #[inline]
    pub fn index_of(&self, stamp: u32) -> usize {
        stamp.wrapping_sub(self.flushed as u32) as usize - 1
    }

    /// How many of the recent ticks with these stamps are losses; mostly none is, and then none is
    /// looked at.
    pub fn losses(&self, stamps: &[u32]) -> u64 {
        if self.recent_losses == 0 {
            return 0;
        }
        stamps.iter().filter(|stamp| self.recent_at(**stamp).tick.is_loss()).count() as u64
    }

    /// The arrival number of the newest tick that everyone in step has.
    pub fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Arrival number and tape position of the moment before a recent tick came.
    pub fn before(&self, stamp: u32) -> (u64, u64) {
        let index = self.index_of(stamp);
        (self.flushed + index as u64, self.recent[index].position)
    }

    /// Where in ascending `stamps` those begin that came after the arrival number `mark`.
    pub fn newer_than(&self, stamps: &[u32], mark: u64) -> usize {
        stamps.partition_point(|stamp| self.before(*stamp).0 < mark)
    }

    /// Arrival number and tape position of now.
    pub fn here(&self) -> (u64, u64) {
        (self.arrivals(), self.tape.head())
    }

    /// Everyone in step has what had come up to an arrival number. Says how many ticks are recent
    /// no more.
    pub fn settle(&mut self, arrivals: u64) -> usize {
        let settled = (arrivals - self.flushed) as usize;
        let losses = self.recent.drain(..settled).filter(|recent| recent.tick.is_loss()).count();
        self.recent_losses -= losses;
        self.flushed = arrivals;
        settled
    }

    /// A feed's new state; `false` where it is the old one.
    pub fn set_feed_state(&mut self, feed: Feed, state: FeedState) -> bool {
        let known = usize::from(feed.0) < self.feeds.len();
        let view = self.feed_mut(feed);
        let changed = !known || view.state != state;
        view.state = state;
        changed
    }

    pub fn feeds(&self) -> &[FeedView] {
        &self.feeds
    }

    /// The worst state of all feeds, and the ingest time of the newest tick of any.
    pub fn feed_summary(&self) -> FeedView {
        FeedView {
            state: self.feeds.iter().map(|f| f.state).max().unwrap_or(FeedState::Stale),
            last_ns: self.feeds.iter().map(|f| f.last_ns).max().unwrap_or(0),
        }
    }

    /// First records of bars whose second has not come.
    pub fn halves(&self) -> impl Iterator<Item = &Tick> {
        self.halves.iter().flatten()
    }

    /// What an earlier book knew of a feed.
    pub fn restore_feed(&mut self, index: usize, view: FeedView) {
        *self.feed_mut(Feed(index as u8)) = view;
    }

    fn feed_mut(&mut self, feed: Feed) -> &mut FeedView {
        let at = usize::from(feed.0);
        if at >= self.feeds.len() {
            self.feeds.resize(at + 1, FeedView { state: FeedState::Stale, last_ns: 0 });
        }
        &mut self.feeds[at]
    }
}
