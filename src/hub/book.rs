//! The shard's tables of the market, and the ticks that came since the last flush.

use super::latest::{Bar, Latest};
use super::symbols::Symbols;
use super::tape::Tape;
use crate::market::{Channel, Feed, FeedState, SymbolId, Tick, TickBody};

/// Ticks between two flushes; a flush is due at once when so many have come. 16,384 of 72 bytes
/// are 1.2 MB, and no turn takes in more than a fraction of it.
pub const RECENT_TICKS_MAX: usize = 16_384;

/// A tick that has come since the last flush.
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
    /// Index in [`Book::recent`].
    pub recent: u32,
}

#[derive(Debug)]
pub struct Book {
    pub symbols: Symbols,
    pub latest: Latest,
    pub tape: Tape,
    recent: Vec<Recent>,
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
        self.recent.push(Recent { tick, position });
        Some(Entered { symbol, channel, recent: self.recent.len() as u32 - 1 })
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

    /// The arrival number of `recent()[index]`.
    #[inline]
    pub fn arrival_of(&self, index: u32) -> u64 {
        self.flushed + u64::from(index) + 1
    }

    /// The arrival number of the newest tick of the last flush.
    pub fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Arrival number and tape position of the moment before `recent()[index]` came.
    pub fn before(&self, index: u32) -> (u64, u64) {
        (self.arrival_of(index) - 1, self.recent[index as usize].position)
    }

    /// Arrival number and tape position of now.
    pub fn here(&self) -> (u64, u64) {
        (self.arrivals(), self.tape.head())
    }

    /// The flush is over: everyone in step has what had come.
    pub fn settle(&mut self) {
        self.flushed = self.arrivals();
        self.recent.clear();
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
