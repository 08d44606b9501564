//! What a tick says, as values: the form in which everything but the queue handles it.

use super::{Channel, Decimal, FeedState, Name, Symbol};

/// Number of a symbol, given by the ingest thread in order of first appearance, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub u32);

/// Number of a feed, or of a line of several: in order of the server's `--feed` arguments, where
/// those of one line have the number of its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Feed(pub u8);

/// What every market event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub symbol: SymbolId,
    /// Sequence number within symbol and channel, from 1.
    pub seq: u64,
    /// When it happened, ns since the Unix epoch, as the feed says. Of a bar: the minute's start.
    pub event_ns: i64,
    /// When the ingest thread took it, ns since the Unix epoch.
    pub ingest_ns: i64,
    /// Digits after the point of all prices of the tick, and of all its sizes.
    pub price_scale: u8,
    pub size_scale: u8,
}

/// Prices and sizes are in units of the head's scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    pub id: Option<u64>,
    pub price: i64,
    pub size: i64,
    /// Interned codes; 0 is absent.
    pub exchange: u8,
    pub tape: u8,
    pub conditions: u16,
}

/// Prices and sizes are in units of the head's scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    pub bid_price: i64,
    pub bid_size: i64,
    pub ask_price: i64,
    pub ask_size: i64,
    /// Interned codes; 0 is absent.
    pub bid_exchange: u8,
    pub ask_exchange: u8,
}

/// First record of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarPrices {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
}

/// Second record of a bar; the bar counts when this has arrived with the first's `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarTotals {
    pub volume: i64,
    pub trades: u64,
    /// Volume-weighted average price, in units of the head's price scale.
    pub vwap: i64,
}

impl Head {
    pub fn price(&self, units: i64) -> Decimal {
        Decimal::new(units, self.price_scale)
    }

    pub fn size(&self, units: i64) -> Decimal {
        Decimal::new(units, self.size_scale)
    }
}

/// What a tick carries; see [`super::Tick`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TickBody {
    Trade(Head, Trade),
    Quote(Head, Quote),
    BarPrices(Head, BarPrices),
    BarTotals(Head, BarTotals),
    /// These sequence numbers of a lossless channel will not come (both ends included).
    Lost {
        symbol: SymbolId,
        channel: Channel,
        from: u64,
        to: u64,
        ingest_ns: i64,
    },
    /// A symbol's trades begin behind this number: those up to it were never to come here.
    Begins {
        symbol: SymbolId,
        after: u64,
    },
    /// A symbol appears for the first time, and belongs to `feed` from now on.
    Symbol {
        id: SymbolId,
        name: Symbol,
        feed: Feed,
    },
    /// Exchange or tape code number `code` (from 1) means this text.
    Code {
        code: u8,
        name: Name,
    },
    /// Condition list number `list` (from 1): its conditions, joined by commas.
    Conditions {
        list: u16,
        joined: Name,
    },
    /// Sequence numbers start again: those of this feed, and with them what clients count in.
    Epoch {
        feed: Feed,
        epoch: Name,
    },
    /// `last_ns` is the ingest time of the feed's newest tick, 0 before the first.
    FeedState {
        feed: Feed,
        state: FeedState,
        last_ns: i64,
    },
}
