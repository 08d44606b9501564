//! One event as a feed says it: names as text, nothing numbered yet; and its text line.

mod line;
mod write;

use super::decimal::DecimalError;
use super::{Channel, Decimal, Symbol, SymbolError};
use std::borrow::Cow;

/// A market event of a feed, before the ingest thread numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    pub symbol: Symbol,
    /// ns since the Unix epoch. Of a bar: the minute's start. Of a loss: 0.
    pub event_ns: i64,
    /// The source's own number within symbol and channel, from 1. It counts only in a feed whose
    /// numbers are taken over; a loss has it in its body.
    pub seq: Option<u64>,
    pub body: RecordBody<'a>,
}

/// Codes are empty where the feed has none. Sizes are not negative.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordBody<'a> {
    Trade {
        id: Option<u64>,
        price: Decimal,
        size: Decimal,
        exchange: Cow<'a, str>,
        tape: Cow<'a, str>,
        /// Conditions joined by commas.
        conditions: Cow<'a, str>,
    },
    Quote {
        /// Price and size.
        bid: (Decimal, Decimal),
        bid_exchange: Cow<'a, str>,
        ask: (Decimal, Decimal),
        ask_exchange: Cow<'a, str>,
    },
    /// A one-minute bar that another server has made.
    Bar {
        open: Decimal,
        high: Decimal,
        low: Decimal,
        close: Decimal,
        volume: Decimal,
        trades: u64,
        vwap: Decimal,
    },
    /// These numbers of a channel will not come (both ends included).
    Lost { channel: Channel, from: u64, to: u64 },
}

impl RecordBody<'_> {
    pub fn channel(&self) -> Channel {
        match self {
            RecordBody::Trade { .. } => Channel::Trades,
            RecordBody::Quote { .. } => Channel::Quotes,
            RecordBody::Bar { .. } => Channel::Bars,
            RecordBody::Lost { channel, .. } => *channel,
        }
    }
}

/// Why a line is not a record. `value` is what the member held, shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("it is not UTF-8 text; write it as UTF-8")]
    NotUtf8,
    #[error("it is not a JSON object ({0}); write one object a line")]
    Syntax(String),
    #[error("member {member:?} is missing; give {cure}")]
    Missing { member: &'static str, cure: &'static str },
    #[error(
        "member \"T\" is {value}; \"t\" (a trade), \"q\" (a quote), \"b\" and \"gap\" are known"
    )]
    Kind { value: String },
    #[error("member \"S\" is {value}: {why}")]
    Symbol { value: String, why: SymbolError },
    #[error("member {member:?} is {value}, not a string; put it in quotes or leave it out")]
    Text { member: &'static str, value: String },
    #[error("member {member:?} is {value}, which {why}; give a plain JSON number")]
    Number { member: &'static str, value: String, why: DecimalError },
    #[error("member {member:?} is {value}; a size is 0 or more")]
    Negative { member: &'static str, value: String },
    #[error("member {member:?} is {value}; it is an integer from {least} to 2^64-1")]
    Whole { member: &'static str, value: String, least: u64 },
    #[error("member \"ch\" is {value}; \"trades\", \"quotes\" and \"bars\" are channels")]
    Channel { value: String },
    #[error("members \"from\" and \"to\" are {from} and {to}; a gap ends where it begins or later")]
    Range { from: u64, to: u64 },
    #[error("member \"c\" is {value}; give an array of strings without commas, or leave it out")]
    Conditions { value: String },
    #[error(
        "member \"t\" is {value}; give a time as \"2013-10-08T13:46:21.414Z\", or as integer \
         nanoseconds since 1970, in the years 1678 to 2261"
    )]
    Time { value: String },
}

#[cfg(test)]
mod tests;
