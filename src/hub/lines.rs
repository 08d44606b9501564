//! Encoded event lines of one format, each made at most once.
//!
//! An arrival number names one tick for ever, so a line never gets stale: what was encoded for a
//! flush serves catch-ups and snapshots too, until the arena is full and everything is dropped.

use super::book::Book;
use super::symbols::Symbols;
use crate::market::{Channel, SymbolId, Tick, TickBody};
use crate::wire::{Event, Format, LineEncoder, Names};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// The arena keeps recent ticks' lines alone when it has grown beyond this many frames at the end
/// of a flush: 1 MiB or some 9,000 lines where frames are as large as they may be.
const ARENA_FRAMES_MAX: usize = 32;

/// A line's place in the arena; empty for "not encoded yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Debug)]
pub struct Lines {
    encoder: LineEncoder,
    /// Most bytes of the payload of a frame that these lines are put into.
    frame_bytes: usize,
    arena: Vec<u8>,
    /// By index of the book's recent ticks.
    recent: Vec<Span>,
    /// By arrival number and snapshot flag, for ticks that are not recent.
    older: FxHashMap<(u64, bool), Span>,
}

impl Lines {
    pub fn new(format: Format, frame_bytes: usize) -> Lines {
        let encoder = LineEncoder::new(format);
        let (arena, recent, older) = (Vec::new(), Vec::new(), FxHashMap::default());
        Lines { encoder, frame_bytes, arena, recent, older }
    }

    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    pub fn bytes(&self, span: Span) -> &[u8] {
        &self.arena[span.range()]
    }

    /// The line of `book.recent()[at]`.
    #[inline]
    pub fn recent(&mut self, book: &Book, at: usize) -> Span {
        if at >= self.recent.len() {
            self.recent.resize(book.recent().len(), Span::default());
        }
        if self.recent[at] == Span::default() {
            let recent = &book.recent()[at];
            // The two records of a bar lie side by side.
            let prices = at.checked_sub(1).map(|before| &book.recent()[before].tick);
            let event = event(&recent.tick, prices);
            self.recent[at] = self.encode(&event, false, &book.symbols);
        }
        self.recent[at]
    }

    /// The line of the newest quote or bar of a symbol; `None` where there is none.
    pub fn latest(
        &mut self,
        book: &Book,
        symbol: u32,
        channel: Channel,
        snapshot: bool,
    ) -> Option<Span> {
        let arrival = book.latest.arrival(symbol, channel);
        let event = match channel {
            Channel::Trades => return None,
            Channel::Quotes => event(book.latest.quote(symbol)?, None),
            Channel::Bars => {
                let bar = book.latest.bar(symbol)?;
                event(&bar.totals, Some(&bar.prices))
            }
        };
        Some(self.line(book, arrival, snapshot, event))
    }

    /// The line of the lossless tick at a retained tape position.
    pub fn tape(&mut self, book: &Book, position: u64) -> Span {
        let entry = book.tape.at(position);
        self.line(book, entry.arrival, false, event(&entry.tick, None))
    }

    /// An announcement that is one session's own; not kept.
    pub fn gap(&mut self, book: &Book, symbol: u32, from: Option<u64>, to: Option<u64>) -> Span {
        let channel = Channel::Trades;
        let event = Event::Gap { symbol: SymbolId(symbol), channel, from, to };
        self.encode(&event, false, &book.symbols)
    }

    /// After a flush: so many of the recent ticks are history.
    pub fn settle(&mut self, settled: usize) {
        self.recent.drain(..settled.min(self.recent.len()));
        if self.arena.len() > ARENA_FRAMES_MAX * self.frame_bytes {
            self.older.clear();
            let all = std::mem::take(&mut self.arena);
            for span in self.recent.iter_mut().filter(|span| **span != Span::default()) {
                let start = self.arena.len() as u32;
                self.arena.extend_from_slice(&all[span.range()]);
                *span = Span { start, end: self.arena.len() as u32 };
            }
        }
    }

    fn line(&mut self, book: &Book, arrival: u64, snapshot: bool, event: Event) -> Span {
        let flushed = book.flushed();
        if arrival > flushed && !snapshot {
            return self.recent(book, (arrival - flushed - 1) as usize);
        }
        if let Some(span) = self.older.get(&(arrival, snapshot)) {
            return *span;
        }
        let span = self.encode(&event, snapshot, &book.symbols);
        self.older.insert((arrival, snapshot), span);
        span
    }

    fn encode(&mut self, event: &Event, snapshot: bool, symbols: &Symbols) -> Span {
        let start = self.arena.len() as u32;
        self.encoder.encode(event, snapshot, symbols, &mut self.arena);
        Span { start, end: self.arena.len() as u32 }
    }
}

/// The event of a tick; of a bar `prices` is its first record.
fn event(tick: &Tick, prices: Option<&Tick>) -> Event {
    match (tick.body(), prices.map(Tick::body)) {
        (TickBody::Trade(head, trade), _) => Event::Trade(head, trade),
        (TickBody::Quote(head, quote), _) => Event::Quote(head, quote),
        (TickBody::BarTotals(head, totals), Some(TickBody::BarPrices(_, prices))) => {
            Event::Bar(head, prices, totals)
        }
        (TickBody::Lost { symbol, channel, from, to, .. }, _) => {
            Event::Gap { symbol, channel, from: Some(from), to: Some(to) }
        }
        (other, _) => unreachable!("the book keeps market events only, not {other:?}"),
    }
}

impl Names for Symbols {
    fn symbol(&self, id: SymbolId) -> &str {
        self.name(id.0)
    }

    fn code(&self, code: u8) -> &str {
        Symbols::code(self, code)
    }

    fn conditions(&self, list: u16) -> &str {
        Symbols::conditions(self, list)
    }
}
