//! Lines of a feed out of ticks: the way back, for what passes a feed on or keeps it.

use crate::market::{
    BarPrices, Channel, Head, Name, Record, RecordBody, Symbol, SymbolId, Tick, TickBody,
};
use std::borrow::Cow;

/// What names stand for, as the definitions among the ticks say. It must see every tick of a queue,
/// in order.
#[derive(Debug, Default)]
pub struct TickLines {
    symbols: Vec<Option<Symbol>>,
    codes: Vec<Option<Name>>,
    condition_lists: Vec<Option<Name>>,
    /// First halves of bars.
    halves: Vec<Option<(Head, BarPrices)>>,
}

/// What a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineOf {
    pub symbol: Symbol,
    pub channel: Channel,
    /// Its sequence number twice; of a loss both ends.
    pub from: u64,
    pub to: u64,
}

impl TickLines {
    /// Takes a tick in; appends the line of a market event with its newline. `None`: it is none, or
    /// the first half of a bar.
    pub fn take(&mut self, tick: &Tick, out: &mut Vec<u8>) -> Option<LineOf> {
        let record = match tick.body() {
            TickBody::Symbol { id, name, .. } => {
                put(&mut self.symbols, id.0 as usize, name);
                return None;
            }
            TickBody::Code { code, name } => {
                put(&mut self.codes, usize::from(code), name);
                return None;
            }
            TickBody::Conditions { list, joined } => {
                put(&mut self.condition_lists, usize::from(list), joined);
                return None;
            }
            TickBody::BarPrices(head, prices) => {
                put(&mut self.halves, head.symbol.0 as usize, (head, prices));
                return None;
            }
            _ => self.record(tick)?,
        };
        record.write(out);
        let (from, to) = match record.body {
            RecordBody::Lost { from, to, .. } => (from, to),
            _ => (tick.seq(), tick.seq()),
        };
        Some(LineOf { symbol: record.symbol, channel: record.body.channel(), from, to })
    }

    /// The name of a symbol that was defined.
    pub fn symbol(&self, id: SymbolId) -> Option<Symbol> {
        self.symbols.get(id.0 as usize).copied().flatten()
    }

    fn record(&self, tick: &Tick) -> Option<Record<'_>> {
        let symbol = self.symbol(tick.symbol())?;
        let (event_ns, body) = match tick.body() {
            TickBody::Trade(head, trade) => {
                let body = RecordBody::Trade {
                    id: trade.id,
                    price: head.price(trade.price),
                    size: head.size(trade.size),
                    exchange: self.code(trade.exchange),
                    tape: self.code(trade.tape),
                    conditions: text(&self.condition_lists, usize::from(trade.conditions)),
                };
                (head.event_ns, body)
            }
            TickBody::Quote(head, quote) => {
                let body = RecordBody::Quote {
                    bid: (head.price(quote.bid_price), head.size(quote.bid_size)),
                    bid_exchange: self.code(quote.bid_exchange),
                    ask: (head.price(quote.ask_price), head.size(quote.ask_size)),
                    ask_exchange: self.code(quote.ask_exchange),
                };
                (head.event_ns, body)
            }
            TickBody::BarTotals(head, totals) => {
                // Halves of different bars can meet where the ingest had to merge: no bar.
                let half = self.halves.get(head.symbol.0 as usize).copied().flatten();
                let (_, prices) = half.filter(|(first, _)| first.seq == head.seq)?;
                let body = RecordBody::Bar {
                    open: head.price(prices.open),
                    high: head.price(prices.high),
                    low: head.price(prices.low),
                    close: head.price(prices.close),
                    volume: head.size(totals.volume),
                    trades: totals.trades,
                    vwap: head.price(totals.vwap),
                };
                (head.event_ns, body)
            }
            TickBody::Lost { channel, from, to, .. } => {
                let body = RecordBody::Lost { channel, from, to };
                return Some(Record { symbol, event_ns: 0, seq: None, body });
            }
            _ => return None,
        };
        Some(Record { symbol, event_ns, seq: Some(tick.seq()), body })
    }

    fn code(&self, code: u8) -> Cow<'_, str> {
        text(&self.codes, usize::from(code))
    }
}

/// Empty for what is absent, which has the number 0.
fn text(names: &[Option<Name>], number: usize) -> Cow<'_, str> {
    Cow::Borrowed(names.get(number).and_then(Option::as_ref).map_or("", Name::as_str))
}

fn put<T: Copy>(table: &mut Vec<Option<T>>, at: usize, value: T) {
    if at >= table.len() {
        table.resize(at + 1, None);
    }
    table[at] = Some(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Numbering;
    use crate::feed::numbering::Hearing;
    use crate::market::Feed;

    const LINES: [&str; 4] = [
        concat!(
            r#"{"T":"t","S":"SPY","i":7,"x":"P","p":167.5,"s":360,"c":["@","I"],"z":"B","#,
            r#""sq":4,"t":"2013-10-08T13:46:21.414Z"}"#
        ),
        concat!(
            r#"{"T":"q","S":"SPY","bx":"Q","bp":13.81,"bs":24200,"ax":"Z","ap":13.82,"#,
            r#""as":32700,"sq":9,"t":"2013-10-08T13:46:21.5Z"}"#
        ),
        concat!(
            r#"{"T":"b","S":"SPY","o":1.525,"h":2.125,"l":1.25,"c":1.75,"v":300,"n":3,"#,
            r#""vw":1.625,"sq":2,"t":"2013-10-08T13:46:00Z"}"#
        ),
        r#"{"T":"gap","S":"SPY","ch":"trades","from":5,"to":9}"#,
    ];

    /// Method: lines become ticks under the numbers that they have, and lines again.
    #[test]
    fn ticks_become_the_lines_that_they_were() {
        let (mut numbering, mut ticks) = (Numbering::default(), Vec::new());
        for line in LINES {
            let record = Record::parse(line.as_bytes()).expect("a line");
            numbering
                .take_over(Feed(0), &record, (0, 0), Hearing::default(), &mut ticks)
                .expect("taken");
        }
        let (mut lines, mut out, mut told) = (TickLines::default(), Vec::new(), Vec::new());
        for tick in &ticks {
            told.extend(lines.take(tick, &mut out).map(|of| (of.channel, of.from, of.to)));
        }
        let text = String::from_utf8(out).expect("JSON");
        assert_eq!(text.lines().collect::<Vec<_>>(), LINES);
        let (trades, quotes, bars) = (Channel::Trades, Channel::Quotes, Channel::Bars);
        let expected = [(trades, 4, 4), (quotes, 9, 9), (bars, 2, 2), (trades, 5, 9)];
        assert_eq!(told, expected);
    }
}
