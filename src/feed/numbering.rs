//! Numbers: symbols, codes and sequence numbers are given here, once, for the whole server, or
//! taken over from a source that has numbers of its own.

mod holes;
mod interner;
mod scales;

use crate::limits::{
    CODES_MAX, CONDITION_LISTS_MAX, HELD_TICKS_MAX, SEQ_JUMP_MAX, SEQ_MAX, SYMBOLS_MAX,
};
use crate::market::{
    BarPrices, BarTotals, Channel, Feed, Head, Quote, Record, RecordBody, Symbol, SymbolId, Tick,
    TickBody, Trade,
};
use holes::{Holes, loss};
use interner::Interner;
use rustc_hash::FxHashMap;
use scales::CommonScales;

/// Why a record of correct form gets no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("symbol {0} would be one more than {SYMBOLS_MAX}, the most; send fewer symbols")]
    TooManySymbols(Symbol),
    #[error("symbol {symbol} belongs to feed {owner}; let one feed send it, or feeds of one line")]
    ForeignSymbol { symbol: Symbol, owner: String },
    #[error("prices or sizes of {0} have no common scale that fits 64 bits; send fewer digits")]
    Scales(Symbol),
    #[error("{0} has no member \"sq\", and this feed's numbers are its source's; send it")]
    NoNumber(Symbol),
    #[error(
        "number {1} of {0} is too high: {SEQ_MAX} is the highest, and {SEQ_JUMP_MAX} above the one \
         before; begin a new epoch"
    )]
    NumberTooHigh(Symbol, u64),
    #[error("this number of {0} has come before: it is dropped")]
    Duplicate(Symbol),
    #[error("{0} comes in an epoch that its line has left; let both lines begin anew")]
    OtherEpoch(Symbol),
    #[error("a bar or a gap of {0}: in this feed they are made here; send trades and quotes")]
    MadeHere(Symbol),
}

/// What became of a record whose number is its source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its ticks are there.
    Numbered,
    /// Its number had come before: dropped.
    Duplicate,
    /// A trade, and trades before it are missing: it comes after them.
    Held,
    /// It says nothing that is not told otherwise.
    Passed,
}

/// How a source with numbers is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hearing {
    /// What this source has lost is waited for, since the other line may have it.
    pub has_partner: bool,
    /// The connection to it was cut since its epoch began here: what came before a symbol's first
    /// number may have come while nobody listened. Otherwise it was never to come.
    pub was_cut: bool,
}

/// Makes ticks of records: definitions before their first use, and sequence numbers that count
/// from 1 for each symbol and channel.
///
/// Numbers of a source are taken over by [`Numbering::take_over`]. Of quotes and bars the newest
/// counts. Trades keep their order: one that comes too early is held until what is missing before
/// it has come, or is waited for no more and thereby lost.
#[derive(Debug, Default)]
pub struct Numbering {
    ids: FxHashMap<Symbol, SymbolId>,
    symbols: Vec<Counted>,
    /// Symbols that nobody has taken notice of yet.
    new_symbols: Vec<Symbol>,
    codes: Interner,
    condition_lists: Interner,
    /// By feed.
    holes: Vec<Holes>,
    /// By feed, where the feeds have names: what a refusal calls them.
    pub feed_names: Vec<String>,
}

/// What is counted for a symbol. It belongs to the first feed that sent it.
#[derive(Debug)]
struct Counted {
    owner: Feed,
    /// The last numbers, by channel.
    seqs: [u64; 3],
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
        if matches!(record.body, RecordBody::Bar { .. } | RecordBody::Lost { .. }) {
            return Err(Refusal::MadeHere(record.symbol));
        }
        // All that can be refused comes first: a number that is given must be used.
        let scales = CommonScales::of(record)?;
        let symbol = self.symbol(feed, record.symbol, out)?;
        let seq = self.next(symbol, record.body.channel());
        self.tick(symbol, seq, record, scales, ingest_ns, out);
        Ok(symbol)
    }

    /// As [`Numbering::number`], with the number that the record has. A trade behind a hole is held
    /// until `due_ns`; call [`Numbering::expire`] then.
    pub fn take_over(
        &mut self,
        feed: Feed,
        record: &Record<'_>,
        (ingest_ns, due_ns): (i64, i64),
        Hearing { has_partner, was_cut }: Hearing,
        out: &mut Vec<Tick>,
    ) -> Result<Outcome, Refusal> {
        let channel = record.body.channel();
        let (from, seq) = match record.body {
            RecordBody::Lost { from, to, .. } => (from, to),
            _ => record.seq.map(|seq| (seq, seq)).ok_or(Refusal::NoNumber(record.symbol))?,
        };
        let scales = CommonScales::of(record)?;
        let known = self.ids.get(&record.symbol).map(|id| &self.symbols[id.0 as usize]);
        let last = known.map_or(0, |counted| counted.seqs[channel as usize]);
        if seq > SEQ_MAX || (last > 0 && seq > last + SEQ_JUMP_MAX) {
            return Err(Refusal::NumberTooHigh(record.symbol, seq));
        }
        let symbol = self.symbol(feed, record.symbol, out)?;
        if seq <= last || (channel == Channel::Trades && self.holes_of(feed).has(symbol, seq)) {
            return Ok(Outcome::Duplicate);
        }
        let is_next = channel != Channel::Trades || from <= last + 1 || last == 0;
        if let RecordBody::Lost { .. } = record.body {
            let lost = loss(symbol, from.max(last + 1), seq, ingest_ns);
            match (channel, has_partner && last > 0) {
                (Channel::Trades, true) => self.hold(feed, from.max(last + 1), lost, due_ns, out),
                (Channel::Trades, false) if is_next => {
                    out.push(match last == 0 && !was_cut {
                        true => Tick::new(TickBody::Begins { symbol, after: seq }),
                        false => loss(symbol, last + 1, seq, ingest_ns),
                    });
                    self.reached(symbol, channel, seq, ingest_ns, out);
                    return Ok(Outcome::Numbered);
                }
                // What stands before it is not known to be lost: the next trade tells.
                _ => {}
            }
            return Ok(Outcome::Passed);
        }
        if is_next && channel == Channel::Trades && from > last + 1 {
            out.push(match was_cut {
                false => Tick::new(TickBody::Begins { symbol, after: seq - 1 }),
                true => loss(symbol, 1, seq - 1, ingest_ns),
            });
        }
        self.tick(symbol, seq, record, scales, ingest_ns, out);
        if is_next {
            self.reached(symbol, channel, seq, ingest_ns, out);
            return Ok(Outcome::Numbered);
        }
        let tick = out.pop().expect("a trade is one tick, and the last");
        self.hold(feed, seq, tick, due_ns, out);
        Ok(Outcome::Held)
    }

    /// What stands behind holes that are due goes out, with the losses before it.
    pub fn expire(&mut self, feed: Feed, now_ns: i64, out: &mut Vec<Tick>) {
        if self.next_due_ns(feed).is_some_and(|due_ns| due_ns <= now_ns) {
            self.drain_all(feed, now_ns, now_ns, out);
        }
    }

    /// As [`Numbering::expire`], for all holes: nobody waits for what is missing.
    pub fn give_up(&mut self, feed: Feed, now_ns: i64, out: &mut Vec<Tick>) {
        self.drain_all(feed, i64::MAX, now_ns, out);
    }

    /// Whether there are holes that nobody has been asked to fill.
    pub fn has_new_holes(&mut self, feed: Feed) -> bool {
        self.holes_of(feed).is_any_new()
    }

    /// Somebody's history was asked for these: they are waited for at least until `due_ns`.
    pub fn wait_for_new_holes(&mut self, feed: Feed, due_ns: i64) {
        self.holes_of(feed).asked(due_ns);
    }

    /// Nobody has what is missing in these.
    pub fn give_up_new_holes(&mut self, feed: Feed, now_ns: i64, out: &mut Vec<Tick>) {
        self.holes_of(feed).give_up_new();
        self.expire(feed, now_ns, out);
    }

    /// A clock that was set back does not keep a hole open.
    pub fn wait_at_most_until(&mut self, feed: Feed, due_ns: i64) {
        self.holes_of(feed).wait_at_most_until(due_ns);
    }

    /// When the next hole of a feed is due.
    pub fn next_due_ns(&mut self, feed: Feed) -> Option<i64> {
        let holes = self.holes_of(feed);
        if holes.is_empty() { None } else { holes.next_due_ns() }
    }

    /// The numbers of a feed's symbols start again. What is held goes out before.
    pub fn begin_epoch(&mut self, feed: Feed, now_ns: i64, out: &mut Vec<Tick>) {
        self.give_up(feed, now_ns, out);
        let own = self.symbols.iter_mut().filter(|counted| counted.owner == feed);
        own.for_each(|counted| counted.seqs = [0; 3]);
    }

    /// The next number of a channel.
    fn next(&mut self, symbol: SymbolId, channel: Channel) -> u64 {
        let seq = &mut self.symbols[symbol.0 as usize].seqs[channel as usize];
        *seq += 1;
        *seq
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

    /// The channel's last number is this; what was held behind it follows.
    fn reached(
        &mut self,
        symbol: SymbolId,
        channel: Channel,
        seq: u64,
        now_ns: i64,
        out: &mut Vec<Tick>,
    ) {
        self.symbols[symbol.0 as usize].seqs[channel as usize] = seq;
        if channel == Channel::Trades {
            self.drain(symbol, i64::MIN, now_ns, out);
        }
    }

    /// Bounded: with `HELD_TICKS_MAX` ticks held, nothing is waited for any more in this feed.
    fn hold(&mut self, feed: Feed, first: u64, tick: Tick, due_ns: i64, out: &mut Vec<Tick>) {
        self.holes_of(feed).hold(first, tick, due_ns);
        if self.holes.iter().map(Holes::len).sum::<usize>() > HELD_TICKS_MAX {
            self.give_up(feed, tick.ingest_ns(), out);
        }
    }

    fn drain_all(&mut self, feed: Feed, due_ns: i64, now_ns: i64, out: &mut Vec<Tick>) {
        for symbol in self.holes_of(feed).symbols() {
            self.drain(symbol, due_ns, now_ns, out);
        }
    }

    /// What is held of a symbol and follows without a hole, or behind one that is due by `due_ns`.
    fn drain(&mut self, symbol: SymbolId, due_ns: i64, now_ns: i64, out: &mut Vec<Tick>) {
        let counted = &mut self.symbols[symbol.0 as usize];
        let Some(holes) = self.holes.get_mut(usize::from(counted.owner.0)) else { return };
        let last = &mut counted.seqs[Channel::Trades as usize];
        *last = holes.drain(symbol, *last, due_ns, now_ns, out);
    }

    fn holes_of(&mut self, feed: Feed) -> &mut Holes {
        let at = usize::from(feed.0);
        if at >= self.holes.len() {
            self.holes.resize_with(at + 1, Holes::default);
        }
        &mut self.holes[at]
    }

    /// Appends the ticks of a record: one, or two of a bar; before them the codes that are new.
    fn tick(
        &mut self,
        symbol: SymbolId,
        seq: u64,
        record: &Record<'_>,
        scales: CommonScales,
        ingest_ns: i64,
        out: &mut Vec<Tick>,
    ) {
        let CommonScales { price_scale, size_scale, prices, sizes } = scales;
        let event_ns = record.event_ns;
        let head = Head { symbol, seq, event_ns, ingest_ns, price_scale, size_scale };
        let body = match &record.body {
            RecordBody::Trade { id, exchange, tape, conditions, .. } => {
                let trade = Trade {
                    id: *id,
                    price: prices[0],
                    size: sizes[0],
                    exchange: self.code(exchange, out),
                    tape: self.code(tape, out),
                    conditions: self.condition_list(conditions, out),
                };
                TickBody::Trade(head, trade)
            }
            RecordBody::Quote { bid_exchange, ask_exchange, .. } => {
                let ([bid_price, ask_price, ..], [bid_size, ask_size]) = (prices, sizes);
                let bid_exchange = self.code(bid_exchange, out);
                let ask_exchange = self.code(ask_exchange, out);
                let quote =
                    Quote { bid_price, bid_size, ask_price, ask_size, bid_exchange, ask_exchange };
                TickBody::Quote(head, quote)
            }
            RecordBody::Bar { trades, .. } => {
                let [open, high, low, close, vwap] = prices;
                let bar = BarPrices { open, high, low, close };
                out.push(Tick::new(TickBody::BarPrices(head, bar)));
                let totals = BarTotals { volume: sizes[0], trades: *trades, vwap };
                TickBody::BarTotals(head, totals)
            }
            RecordBody::Lost { .. } => unreachable!("a loss is no event, and its callers know"),
        };
        out.push(Tick::new(body));
    }

    fn symbol(
        &mut self,
        feed: Feed,
        name: Symbol,
        out: &mut Vec<Tick>,
    ) -> Result<SymbolId, Refusal> {
        if let Some(&id) = self.ids.get(&name) {
            let owner = self.symbols[id.0 as usize].owner;
            if owner == feed {
                return Ok(id);
            }
            let named = self.feed_names.get(usize::from(owner.0)).cloned();
            let owner = named.unwrap_or_else(|| owner.0.to_string());
            return Err(Refusal::ForeignSymbol { symbol: name, owner });
        }
        if self.symbols.len() >= SYMBOLS_MAX {
            return Err(Refusal::TooManySymbols(name));
        }
        let id = SymbolId(self.symbols.len() as u32);
        self.symbols.push(Counted { owner: feed, seqs: [0; 3] });
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

const _: () = assert!(SYMBOLS_MAX <= u32::MAX as usize, "a symbol id is four bytes in a tick");

#[cfg(test)]
mod tests;
