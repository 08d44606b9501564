//! One event as a feed says it: names as text, nothing numbered yet.

use super::{Decimal, Symbol};

/// A trade or a quote of a feed, before the ingest thread numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    pub symbol: Symbol,
    /// ns since the Unix epoch.
    pub event_ns: i64,
    pub body: RecordBody<'a>,
}

/// Codes are empty where the feed has none.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordBody<'a> {
    Trade {
        id: Option<u64>,
        price: Decimal,
        size: Decimal,
        exchange: &'a str,
        tape: &'a str,
        /// Conditions joined by commas.
        conditions: &'a str,
    },
    Quote {
        bid: (Decimal, Decimal),
        bid_exchange: &'a str,
        ask: (Decimal, Decimal),
        ask_exchange: &'a str,
    },
}

/// Why a line is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("is not a JSON object of a trade or a quote: {0}")]
    Syntax(String),
}
