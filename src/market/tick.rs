//! The record that crosses from the feed thread to the shards.
//!
//! A [`Tick`] is as large as a cache line and `Copy`: a queue of them has no pointers and no
//! reference counts, so nothing of one core's memory is kept alive by another. What does not fit
//! 64 bytes travels in several ticks (bars) or once, as a definition (names).

use super::body::{BarPrices, BarTotals, Feed, Head, Quote, SymbolId, TickBody, Trade};
use super::{Channel, FeedState, Name, Symbol};
use crate::limits::NAME_BYTES_MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Trade,
    /// A trade whose feed gives no id.
    TradeWithoutId,
    Quote,
    BarPrices,
    BarTotals,
    Lost,
    Begins,
    Symbol,
    Code,
    Conditions,
    FeedState,
    Epoch,
}

/// Made by [`Tick::new`] and read by [`Tick::body`]. Not aligned to a cache line: with a queue's
/// stamp or a tape's numbers beside it, it would take two.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Tick {
    kind: Kind,
    /// Price scale in the low four bits, size scale in the high four.
    scales: u8,
    code_a: u8,
    code_b: u8,
    symbol: u32,
    seq: u64,
    event_ns: i64,
    ingest_ns: i64,
    words: [i64; 4],
}

const _: () = assert!(size_of::<Tick>() == 64, "a tick is as large as a cache line");
const _: () = assert!(size_of::<[i64; 4]>() == NAME_BYTES_MAX, "a name fills a tick's payload");

impl Tick {
    pub fn new(body: TickBody) -> Tick {
        match body {
            TickBody::Trade(head, t) => {
                let kind = if t.id.is_some() { Kind::Trade } else { Kind::TradeWithoutId };
                let id = t.id.unwrap_or(0) as i64;
                Tick::event(kind, head, [t.price, t.size, id, i64::from(t.conditions)])
                    .codes(t.exchange, t.tape)
            }
            TickBody::Quote(head, q) => {
                let words = [q.bid_price, q.bid_size, q.ask_price, q.ask_size];
                Tick::event(Kind::Quote, head, words).codes(q.bid_exchange, q.ask_exchange)
            }
            TickBody::BarPrices(head, b) => {
                Tick::event(Kind::BarPrices, head, [b.open, b.high, b.low, b.close])
            }
            TickBody::BarTotals(head, b) => {
                Tick::event(Kind::BarTotals, head, [b.volume, b.trades as i64, b.vwap, 0])
            }
            TickBody::Lost { symbol, channel, from, to, ingest_ns } => Tick {
                symbol: symbol.0,
                seq: to,
                ingest_ns,
                words: [from as i64, 0, 0, 0],
                ..Tick::blank(Kind::Lost)
            }
            .codes(channel as u8, 0),
            TickBody::Begins { symbol, after } => {
                Tick { symbol: symbol.0, seq: after, ..Tick::blank(Kind::Begins) }
            }
            TickBody::Symbol { id, name, feed } => {
                let name = Name::new(name.as_str()).expect("a symbol and a name have one limit");
                Tick { symbol: id.0, ..Tick::named(Kind::Symbol, name) }.codes(feed.0, 0)
            }
            TickBody::Code { code, name } => Tick::named(Kind::Code, name).codes(code, 0),
            TickBody::Conditions { list, joined } => {
                Tick { symbol: u32::from(list), ..Tick::named(Kind::Conditions, joined) }
            }
            TickBody::Epoch { feed, epoch } => Tick::named(Kind::Epoch, epoch).codes(feed.0, 0),
            TickBody::FeedState { feed, state, last_ns } => {
                Tick { ingest_ns: last_ns, ..Tick::blank(Kind::FeedState) }
                    .codes(feed.0, state as u8)
            }
        }
    }

    #[inline]
    pub fn body(&self) -> TickBody {
        let [a, b, c, d] = self.words;
        match self.kind {
            Kind::Trade | Kind::TradeWithoutId => {
                let id = (self.kind == Kind::Trade).then_some(c as u64);
                let (exchange, tape) = (self.code_a, self.code_b);
                let trade = Trade { id, price: a, size: b, exchange, tape, conditions: d as u16 };
                TickBody::Trade(self.head(), trade)
            }
            Kind::Quote => TickBody::Quote(
                self.head(),
                Quote {
                    bid_price: a,
                    bid_size: b,
                    ask_price: c,
                    ask_size: d,
                    bid_exchange: self.code_a,
                    ask_exchange: self.code_b,
                },
            ),
            Kind::BarPrices => {
                TickBody::BarPrices(self.head(), BarPrices { open: a, high: b, low: c, close: d })
            }
            Kind::BarTotals => {
                TickBody::BarTotals(self.head(), BarTotals { volume: a, trades: b as u64, vwap: c })
            }
            Kind::Lost => TickBody::Lost {
                symbol: SymbolId(self.symbol),
                channel: Channel::ALL[usize::from(self.code_a)],
                from: a as u64,
                to: self.seq,
                ingest_ns: self.ingest_ns,
            },
            Kind::Begins => TickBody::Begins { symbol: SymbolId(self.symbol), after: self.seq },
            Kind::Symbol => TickBody::Symbol {
                id: SymbolId(self.symbol),
                name: Symbol::parse(self.name().as_str()).expect("it was a symbol when stored"),
                feed: Feed(self.code_a),
            },
            Kind::Code => TickBody::Code { code: self.code_a, name: self.name() },
            Kind::Conditions => {
                TickBody::Conditions { list: self.symbol as u16, joined: self.name() }
            }
            Kind::Epoch => TickBody::Epoch { feed: Feed(self.code_a), epoch: self.name() },
            Kind::FeedState => TickBody::FeedState {
                feed: Feed(self.code_a),
                state: [FeedState::Ok, FeedState::Stale, FeedState::Down][usize::from(self.code_b)],
                last_ns: self.ingest_ns,
            },
        }
    }

    /// Whether it gives a symbol, code or condition list its meaning: what must come before use.
    #[inline]
    pub fn is_definition(&self) -> bool {
        matches!(self.kind, Kind::Symbol | Kind::Code | Kind::Conditions)
    }

    /// The symbol of a market event or a loss; meaningless for the other kinds.
    #[inline]
    pub fn symbol(&self) -> SymbolId {
        SymbolId(self.symbol)
    }

    /// The sequence number of a market event, or the last one of a loss.
    #[inline]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The channel of a market event or a loss; of a bar, both records have it.
    #[inline]
    pub fn channel(&self) -> Option<Channel> {
        match self.kind {
            Kind::Trade | Kind::TradeWithoutId => Some(Channel::Trades),
            Kind::Quote => Some(Channel::Quotes),
            Kind::BarPrices | Kind::BarTotals => Some(Channel::Bars),
            Kind::Lost => Some(Channel::ALL[usize::from(self.code_a)]),
            Kind::Begins | Kind::FeedState | Kind::Epoch => None,
            Kind::Symbol | Kind::Code | Kind::Conditions => None,
        }
    }

    /// Announces lost sequence numbers instead of an event.
    #[inline]
    pub fn is_loss(&self) -> bool {
        self.kind == Kind::Lost
    }

    /// The same event under another number of its symbol.
    #[must_use]
    pub fn with_symbol(self, symbol: SymbolId) -> Tick {
        Tick { symbol: symbol.0, ..self }
    }

    /// The same event, or loss, with its numbers moved by `offset`, wrapping: for who continues the
    /// numbers of another process. Only market events and losses have numbers.
    #[must_use]
    pub fn renumbered(self, offset: u64) -> Tick {
        if self.channel().is_none() {
            return self;
        }
        let mut tick = Tick { seq: self.seq.wrapping_add(offset), ..self };
        if self.kind == Kind::Lost {
            tick.words[0] = self.words[0].wrapping_add(offset as i64);
        }
        tick
    }

    /// The same event under another sequence number.
    #[must_use]
    pub fn with_seq(self, seq: u64) -> Tick {
        Tick { seq, ..self }
    }

    pub fn ingest_ns(&self) -> i64 {
        self.ingest_ns
    }

    fn head(&self) -> Head {
        Head {
            symbol: SymbolId(self.symbol),
            seq: self.seq,
            event_ns: self.event_ns,
            ingest_ns: self.ingest_ns,
            price_scale: self.scales & 0x0f,
            size_scale: self.scales >> 4,
        }
    }

    fn blank(kind: Kind) -> Tick {
        let words = [0; 4];
        Tick {
            kind,
            scales: 0,
            code_a: 0,
            code_b: 0,
            symbol: 0,
            seq: 0,
            event_ns: 0,
            ingest_ns: 0,
            words,
        }
    }

    fn event(kind: Kind, head: Head, words: [i64; 4]) -> Tick {
        Tick {
            scales: head.price_scale | head.size_scale << 4,
            symbol: head.symbol.0,
            seq: head.seq,
            event_ns: head.event_ns,
            ingest_ns: head.ingest_ns,
            words,
            ..Tick::blank(kind)
        }
    }

    fn codes(self, code_a: u8, code_b: u8) -> Tick {
        Tick { code_a, code_b, ..self }
    }

    fn named(kind: Kind, name: Name) -> Tick {
        let (bytes, length) = name.into_parts();
        let mut tick = Tick { seq: u64::from(length), ..Tick::blank(kind) };
        for (word, bytes) in tick.words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = i64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
        }
        tick
    }

    fn name(&self) -> Name {
        let mut bytes = [0; NAME_BYTES_MAX];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Name::from_parts(bytes, self.seq as u8)
    }
}

impl std::fmt::Debug for Tick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.body().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method: every kind of body goes in and comes out equal, with extreme values.
    #[test]
    fn every_body_survives_the_record() {
        let head = Head {
            symbol: SymbolId(u32::MAX),
            seq: u64::MAX,
            event_ns: i64::MIN,
            ingest_ns: i64::MAX,
            price_scale: 15,
            size_scale: 9,
        };
        let quote = Quote {
            bid_price: i64::MIN,
            bid_size: 1,
            ask_price: i64::MAX,
            ask_size: -1,
            bid_exchange: 255,
            ask_exchange: 1,
        };
        let trade = Trade {
            id: Some(u64::MAX),
            price: -1,
            size: 7,
            exchange: 9,
            tape: 8,
            conditions: u16::MAX,
        };
        let bodies = [
            TickBody::Trade(head, trade),
            TickBody::Trade(head, Trade { id: None, ..trade }),
            TickBody::Quote(head, quote),
            TickBody::BarPrices(head, BarPrices { open: 1, high: 2, low: 3, close: 4 }),
            TickBody::BarTotals(head, BarTotals { volume: 1, trades: u64::MAX, vwap: 3 }),
            TickBody::Lost {
                symbol: SymbolId(3),
                channel: Channel::Trades,
                from: 5,
                to: 9,
                ingest_ns: 1,
            },
            TickBody::Begins { symbol: SymbolId(3), after: u64::MAX },
            TickBody::Symbol {
                id: SymbolId(4),
                name: Symbol::parse(&"X".repeat(NAME_BYTES_MAX)).expect("32 bytes fit"),
                feed: Feed(2),
            },
            TickBody::Code { code: 1, name: Name::new("é").expect("short") },
            TickBody::Conditions { list: 700, joined: Name::new("@,F,T").expect("short") },
            TickBody::FeedState { feed: Feed(1), state: FeedState::Down, last_ns: 12 },
            TickBody::Epoch { feed: Feed(3), epoch: Name::new("6439f-2a.1").expect("short") },
        ];
        for body in bodies {
            assert_eq!(Tick::new(body).body(), body);
        }
    }
}
