//! Numbers: symbols, codes and sequence numbers are given here, once, for the whole server.

use crate::limits::{CODES_MAX, CONDITION_LISTS_MAX, NAME_BYTES_MAX, SYMBOLS_MAX};
use crate::market::{
    Decimal, Feed, Head, Name, Quote, Record, RecordBody, Symbol, SymbolId, Tick, TickBody, Trade,
};
use rustc_hash::FxHashMap;

/// Why a record of correct form gets no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("symbol {0} would be one more than {SYMBOLS_MAX}, the most; send fewer symbols")]
    TooManySymbols(Symbol),
    #[error("symbol {symbol} belongs to feed {}; let one feed alone send it", owner.0)]
    ForeignSymbol { symbol: Symbol, owner: Feed },
    #[error("bid and ask of {0} have no common scale that fits 64 bits; send fewer digits")]
    Scales(Symbol),
}

/// Makes ticks of records: definitions before their first use, and sequence numbers that count
/// from 1 for each symbol and channel (those of bars are given by [`Bars`](super::Bars)).
#[derive(Debug, Default)]
pub struct Numbering {
    ids: FxHashMap<Symbol, SymbolId>,
    symbols: Vec<Counted>,
    /// Symbols that nobody has taken notice of yet.
    new_symbols: Vec<Symbol>,
    codes: Interner,
    condition_lists: Interner,
}

/// What is counted for a symbol. It belongs to the first feed that sent it.
#[derive(Debug)]
struct Counted {
    owner: Feed,
    trades: u64,
    quotes: u64,
}

impl Numbering {
    /// Appends the record's tick to `out`, after the definitions that it is the first to need.
    /// A refused record appends nothing and uses no number.
    pub fn number(
        &mut self,
        feed: Feed,
        record: &Record<'_>,
        ingest_ns: i64,
        out: &mut Vec<Tick>,
    ) -> Result<SymbolId, Refusal> {
        // All that can be refused comes first: a number that is given must be used.
        let quoted = CommonScales::of(record)?;
        let symbol = self.symbol(feed, record.symbol, out)?;
        let head = Head {
            symbol,
            seq: 0,
            event_ns: record.event_ns,
            ingest_ns,
            price_scale: quoted.price_scale,
            size_scale: quoted.size_scale,
        };
        let body = match &record.body {
            RecordBody::Trade { id, price, size, exchange, tape, conditions } => {
                let trade = Trade {
                    id: *id,
                    price: price.units,
                    size: size.units,
                    exchange: self.code(exchange, out),
                    tape: self.code(tape, out),
                    conditions: self.condition_list(conditions, out),
                };
                let trades = &mut self.symbols[symbol.0 as usize].trades;
                *trades += 1;
                TickBody::Trade(Head { seq: *trades, ..head }, trade)
            }
            RecordBody::Quote { bid_exchange, ask_exchange, .. } => {
                let [bid_price, ask_price, bid_size, ask_size] = quoted.units;
                let bid_exchange = self.code(bid_exchange, out);
                let ask_exchange = self.code(ask_exchange, out);
                let quotes = &mut self.symbols[symbol.0 as usize].quotes;
                *quotes += 1;
                let quote =
                    Quote { bid_price, bid_size, ask_price, ask_size, bid_exchange, ask_exchange };
                TickBody::Quote(Head { seq: *quotes, ..head }, quote)
            }
        };
        out.push(Tick::new(body));
        Ok(symbol)
    }

    /// Everything that was ever defined, in the order of its numbers.
    pub fn definitions(&self) -> Vec<Tick> {
        let symbol = |(name, id): (&Symbol, &SymbolId)| TickBody::Symbol {
            id: *id,
            name: *name,
            feed: self.symbols[id.0 as usize].owner,
        };
        let code = |(code, name)| TickBody::Code { code: code as u8, name };
        let list = |(list, joined)| TickBody::Conditions { list, joined };
        let mut symbols: Vec<TickBody> = self.ids.iter().map(symbol).collect();
        symbols.sort_unstable_by_key(|body| match body {
            TickBody::Symbol { id, .. } => id.0,
            _ => unreachable!("all of them are symbols"),
        });
        let codes = self.codes.names().map(code).chain(self.condition_lists.names().map(list));
        symbols.into_iter().chain(codes).map(Tick::new).collect()
    }

    /// Codes and condition lists that were left out of a tick, because they were longer than a
    /// name may be or because the table was full.
    pub fn codes_dropped_count(&self) -> u64 {
        self.codes.dropped_count + self.condition_lists.dropped_count
    }

    /// Symbols that came since this was last asked.
    pub fn take_new_symbols(&mut self) -> impl Iterator<Item = Symbol> {
        self.new_symbols.drain(..)
    }

    pub fn symbols_count(&self) -> usize {
        self.symbols.len()
    }

    fn symbol(
        &mut self,
        feed: Feed,
        name: Symbol,
        out: &mut Vec<Tick>,
    ) -> Result<SymbolId, Refusal> {
        if let Some(&id) = self.ids.get(&name) {
            let owner = self.symbols[id.0 as usize].owner;
            let own = owner == feed;
            return if own { Ok(id) } else { Err(Refusal::ForeignSymbol { symbol: name, owner }) };
        }
        if self.symbols.len() >= SYMBOLS_MAX {
            return Err(Refusal::TooManySymbols(name));
        }
        let id = SymbolId(self.symbols.len() as u32);
        self.symbols.push(Counted { owner: feed, trades: 0, quotes: 0 });
        self.ids.insert(name, id);
        self.new_symbols.push(name);
        out.push(Tick::new(TickBody::Symbol { id, name, feed }));
        Ok(id)
    }

    fn code(&mut self, text: &str, out: &mut Vec<Tick>) -> u8 {
        let (number, new) = self.codes.number(text, CODES_MAX);
        let code = u8::try_from(number).expect("CODES_MAX numbers fit one byte");
        if let Some(name) = new {
            out.push(Tick::new(TickBody::Code { code, name }));
        }
        code
    }

    fn condition_list(&mut self, joined: &str, out: &mut Vec<Tick>) -> u16 {
        let (list, new) = self.condition_lists.number(joined, CONDITION_LISTS_MAX);
        if let Some(joined) = new {
            out.push(Tick::new(TickBody::Conditions { list, joined }));
        }
        list
    }
}

/// A record's prices and sizes in units of one scale each.
struct CommonScales {
    price_scale: u8,
    size_scale: u8,
    /// Of a quote: bid price, ask price, bid size, ask size. Of a trade nothing.
    units: [i64; 4],
}

impl CommonScales {
    fn of(record: &Record<'_>) -> Result<CommonScales, Refusal> {
        match &record.body {
            RecordBody::Trade { price, size, .. } => {
                let (price_scale, size_scale) = (price.scale, size.scale);
                Ok(CommonScales { price_scale, size_scale, units: [0; 4] })
            }
            RecordBody::Quote { bid, ask, .. } => {
                let refusal = || Refusal::Scales(record.symbol);
                let (bp, ap, price_scale) = join(bid.0, ask.0).ok_or_else(refusal)?;
                let (bs, r#as, size_scale) = join(bid.1, ask.1).ok_or_else(refusal)?;
                Ok(CommonScales { price_scale, size_scale, units: [bp, ap, bs, r#as] })
            }
        }
    }
}

/// Both in units of the finer scale; `None` where one does not fit.
fn join(a: Decimal, b: Decimal) -> Option<(i64, i64, u8)> {
    let scale = a.scale.max(b.scale);
    Some((a.rescale(scale)?.units, b.rescale(scale)?.units, scale))
}

/// Numbers for texts, from 1; 0 is "absent". Bounded: past the limit a text is absent, counted.
#[derive(Debug, Default)]
struct Interner {
    numbers: FxHashMap<Box<str>, u16>,
    dropped_count: u64,
}

impl Interner {
    fn names(&self) -> impl Iterator<Item = (u16, Name)> {
        self.numbers.iter().filter_map(|(text, number)| Some((*number, Name::new(text)?)))
    }

    /// The text's number, and its name where the number is new. `count_max` is at most `u16::MAX`.
    fn number(&mut self, text: &str, count_max: usize) -> (u16, Option<Name>) {
        if text.is_empty() {
            return (0, None);
        }
        // Nothing longer than a name is in the table: no hash of a long text is worth its time.
        if text.len() <= NAME_BYTES_MAX
            && let Some(&number) = self.numbers.get(text)
        {
            return (number, None);
        }
        let fits = self.numbers.len() < count_max;
        let Some(name) = Name::new(text).filter(|_| fits) else {
            self.dropped_count += 1;
            return (0, None);
        };
        let number = self.numbers.len() as u16 + 1;
        self.numbers.insert(text.into(), number);
        (number, Some(name))
    }
}

const _: () = assert!(CODES_MAX <= u8::MAX as usize, "a code is one byte in a tick");
const _: () = assert!(CONDITION_LISTS_MAX <= u16::MAX as usize, "a list is two bytes in a tick");
const _: () = assert!(SYMBOLS_MAX <= u32::MAX as usize, "a symbol id is four bytes in a tick");

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn trade<'a>(symbol: &str, exchange: &'a str, conditions: &'a str) -> Record<'a> {
        let (price, size) = (Decimal::new(1675, 1), Decimal::new(100, 0));
        let body = RecordBody::Trade {
            id: None,
            price,
            size,
            exchange: Cow::Borrowed(exchange),
            tape: Cow::Borrowed(""),
            conditions: Cow::Borrowed(conditions),
        };
        Record { symbol: Symbol::parse(symbol).expect("a symbol"), event_ns: 5, body }
    }

    fn quote(symbol: &str, bid: Decimal, ask: Decimal) -> Record<'static> {
        let (bid, ask) = ((bid, Decimal::new(1, 0)), (ask, Decimal::new(25, 1)));
        let none = Cow::Borrowed("");
        let body = RecordBody::Quote { bid, bid_exchange: none.clone(), ask, ask_exchange: none };
        Record { symbol: Symbol::parse(symbol).expect("a symbol"), event_ns: 5, body }
    }

    #[test]
    fn definitions_come_before_first_use_and_once() {
        let (mut numbering, mut out) = (Numbering::default(), Vec::new());
        for _ in 0..2 {
            let record = trade("SPY", "P", "@,I");
            assert_eq!(numbering.number(Feed(0), &record, 9, &mut out), Ok(SymbolId(0)));
        }
        let bodies: Vec<TickBody> = out.iter().map(Tick::body).collect();
        assert!(matches!(bodies[0], TickBody::Symbol { id: SymbolId(0), feed: Feed(0), .. }));
        assert!(matches!(bodies[1], TickBody::Code { code: 1, .. }));
        assert!(matches!(bodies[2], TickBody::Conditions { list: 1, .. }));
        let [TickBody::Trade(first, t), TickBody::Trade(second, _)] = bodies[3..] else {
            panic!("{bodies:?}")
        };
        assert_eq!((first.seq, second.seq, t.exchange, t.conditions), (1, 2, 1, 1));
        assert_eq!((t.tape, first.price(t.price)), (0, Decimal::new(1675, 1)));
    }

    #[test]
    fn quotes_get_common_scales_and_their_own_numbers() {
        let (mut numbering, mut out) = (Numbering::default(), Vec::new());
        numbering.number(Feed(0), &trade("A", "", ""), 9, &mut out).expect("taken");
        let record = quote("A", Decimal::new(1675, 1), Decimal::new(16_752, 2));
        numbering.number(Feed(0), &record, 9, &mut out).expect("taken");
        let TickBody::Quote(head, q) = out[2].body() else { panic!("{out:?}") };
        assert_eq!((head.seq, head.price_scale, head.size_scale), (1, 2, 1));
        assert_eq!((q.bid_price, q.ask_price, q.bid_size, q.ask_size), (16_750, 16_752, 10, 25));
        let wide = quote("A", Decimal::new(i64::MAX, 0), Decimal::new(1, 2));
        let before = out.len();
        let refused = numbering.number(Feed(0), &wide, 9, &mut out);
        assert!(matches!(refused, Err(Refusal::Scales(_))) && out.len() == before);
    }

    #[test]
    fn a_symbol_belongs_to_its_first_feed() {
        let (mut numbering, mut out) = (Numbering::default(), Vec::new());
        numbering.number(Feed(1), &trade("A", "", ""), 9, &mut out).expect("taken");
        let refused = numbering.number(Feed(0), &trade("A", "", ""), 9, &mut out);
        let refusal = refused.expect_err("it belongs to feed 1");
        assert!(refusal.to_string().contains("belongs to feed 1"), "{refusal}");
        assert_eq!(out.len(), 2);
    }

    /// Method: tables are filled to their limits and beyond.
    #[test]
    fn tables_are_bounded() {
        let (mut numbering, mut out) = (Numbering::default(), Vec::new());
        for n in 0..=CODES_MAX {
            let exchange = format!("X{n}");
            numbering.number(Feed(0), &trade("A", &exchange, ""), 9, &mut out).expect("taken");
        }
        let TickBody::Trade(_, last) = out[out.len() - 1].body() else { panic!("a trade") };
        assert_eq!((last.exchange, numbering.codes_dropped_count()), (0, 1));
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        numbering.number(Feed(0), &trade("A", "", &long), 9, &mut out).expect("taken");
        assert_eq!(numbering.codes_dropped_count(), 2);
        for n in 1..SYMBOLS_MAX {
            out.clear();
            let record = trade(&format!("S{n}"), "", "");
            assert_eq!(numbering.number(Feed(0), &record, 9, &mut out), Ok(SymbolId(n as u32)));
        }
        let refused = numbering.number(Feed(0), &trade("ONEMORE", "", ""), 9, &mut out);
        assert!(matches!(refused, Err(Refusal::TooManySymbols(_))));
    }
}
