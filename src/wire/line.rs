//! One market event as one element of a frame's array: which members, in which order.
//!
//! The order is that of the protocol's table, with `T` and `S` first. How a member looks is the
//! matter of `json` and `msgpack`; both get the same members from here.

use super::clockface::Clockface;
use super::json::JsonLine;
use super::msgpack::MessagePackLine;
use super::{Encoding, Format};
use crate::limits::LINE_BYTES_MAX;
use crate::market::{BarPrices, BarTotals, Channel, Decimal, Head, Quote, SymbolId, Trade};

/// What a client can be sent of the market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    Trade(Head, Trade),
    Quote(Head, Quote),
    /// Both records of a bar, with the same head.
    Bar(Head, BarPrices, BarTotals),
    /// These sequence numbers will not come; without `from`: all after the last that was sent.
    Gap {
        symbol: SymbolId,
        channel: Channel,
        from: Option<u64>,
        to: Option<u64>,
    },
}

/// The texts that ticks refer to by number. The hub has the tables.
pub trait Names {
    /// A symbol's rules ([`crate::market::Symbol`]) make it valid in JSON as it stands.
    fn symbol(&self, id: SymbolId) -> &str;
    /// Exchange or tape code, from 1.
    fn code(&self, code: u8) -> &str;
    /// Condition list, from 1: the conditions joined by commas.
    fn conditions(&self, list: u16) -> &str;
}

/// Encodes events in one format. Keeps what makes the next one cheaper, and nothing else: the
/// same event gives the same bytes at any time.
#[derive(Debug, Clone)]
pub struct LineEncoder {
    format: Format,
    clockface: Clockface,
}

impl LineEncoder {
    pub fn new(format: Format) -> LineEncoder {
        LineEncoder { format, clockface: Clockface::new() }
    }

    /// Appends `event` as one complete object of at most [`LINE_BYTES_MAX`] bytes, with `"sn":1`
    /// where it is part of a snapshot.
    pub fn encode<N: Names + ?Sized>(
        &mut self,
        event: &Event,
        snapshot: bool,
        names: &N,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let (times, clockface) = (self.format.times, &mut self.clockface);
        match self.format.encoding {
            Encoding::Json => {
                write(event, snapshot, names, &mut JsonLine::new(times, clockface, out));
            }
            Encoding::MessagePack => {
                write(event, snapshot, names, &mut MessagePackLine::new(times, out));
            }
        }
        debug_assert!(out.len() - start <= LINE_BYTES_MAX, "the line of {event:?} is too long");
    }
}

/// How an encoding writes the members of one object. Keys and `word`s need no escaping.
pub(super) trait Line {
    fn word(&mut self, key: &'static str, value: &str);
    fn text(&mut self, key: &'static str, value: &str);
    /// An array of the texts that `joined` has between its commas.
    fn texts(&mut self, key: &'static str, joined: &str);
    fn number(&mut self, key: &'static str, value: u64);
    fn price(&mut self, key: &'static str, value: Decimal);
    fn size(&mut self, key: &'static str, value: Decimal);
    fn time(&mut self, key: &'static str, ns: i64);
    /// Ends the object; no member may follow.
    fn end(&mut self);
}

fn write<N: Names + ?Sized>(event: &Event, snapshot: bool, names: &N, line: &mut impl Line) {
    match event {
        Event::Trade(head, trade) => write_trade(head, trade, names, line),
        Event::Quote(head, quote) => write_quote(head, quote, names, line),
        Event::Bar(head, prices, totals) => write_bar(head, prices, totals, names, line),
        Event::Gap { symbol, channel, from, to } => {
            line.word("T", "gap");
            line.word("S", names.symbol(*symbol));
            line.word("ch", channel.name());
            from.iter().for_each(|seq| line.number("from", *seq));
            to.iter().for_each(|seq| line.number("to", *seq));
        }
    }
    if snapshot {
        line.number("sn", 1);
    }
    line.end();
}

fn write_trade<N: Names + ?Sized>(head: &Head, trade: &Trade, names: &N, line: &mut impl Line) {
    line.word("T", "t");
    line.word("S", names.symbol(head.symbol));
    if let Some(id) = trade.id {
        line.number("i", id);
    }
    write_code("x", trade.exchange, names, line);
    line.price("p", head.price(trade.price));
    line.size("s", head.size(trade.size));
    line.time("t", head.event_ns);
    line.number("sq", head.seq);
    if trade.conditions != 0 {
        line.texts("c", names.conditions(trade.conditions));
    }
    write_code("z", trade.tape, names, line);
}

fn write_quote<N: Names + ?Sized>(head: &Head, quote: &Quote, names: &N, line: &mut impl Line) {
    line.word("T", "q");
    line.word("S", names.symbol(head.symbol));
    write_code("bx", quote.bid_exchange, names, line);
    line.price("bp", head.price(quote.bid_price));
    line.size("bs", head.size(quote.bid_size));
    write_code("ax", quote.ask_exchange, names, line);
    line.price("ap", head.price(quote.ask_price));
    line.size("as", head.size(quote.ask_size));
    line.time("t", head.event_ns);
    line.number("sq", head.seq);
}

fn write_bar<N: Names + ?Sized>(
    head: &Head,
    prices: &BarPrices,
    totals: &BarTotals,
    names: &N,
    line: &mut impl Line,
) {
    line.word("T", "b");
    line.word("S", names.symbol(head.symbol));
    line.price("o", head.price(prices.open));
    line.price("h", head.price(prices.high));
    line.price("l", head.price(prices.low));
    line.price("c", head.price(prices.close));
    line.size("v", head.size(totals.volume));
    line.number("n", totals.trades);
    line.price("vw", head.price(totals.vwap));
    line.time("t", head.event_ns);
    line.number("sq", head.seq);
}

fn write_code<N: Names + ?Sized>(key: &'static str, code: u8, names: &N, line: &mut impl Line) {
    if code != 0 {
        line.text(key, names.code(code));
    }
}

#[cfg(test)]
mod tests;
