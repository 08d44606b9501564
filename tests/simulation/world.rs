//! The feed's side: makes ticks, numbers them as the ingest thread does, and remembers all of it.

use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tapecast::market::{
    BarPrices, BarTotals, Channel, Decimal, Feed, FeedState, Head, Name, Quote, Symbol, SymbolId,
    Tick, TickBody, Trade,
};

/// Symbols that may appear; a run begins with none of them defined.
pub const NAMES: [&str; 9] = ["A", "BRK.B", "C", "BTC/USD", "EE", "F", "TEST.Z", "H", "LAST"];

const CODES: [&str; 3] = ["V", "Q", "a\"\\é"];
const CONDITIONS: [&str; 3] = ["@", "@,F,T", " ,I"];

pub const TRADES: usize = Channel::Trades as usize;
pub const QUOTES: usize = Channel::Quotes as usize;
pub const BARS: usize = Channel::Bars as usize;

/// What an item of a client must say.
#[derive(Debug, Default, Clone)]
pub struct Content {
    pub t: i64,
    pub numbers: Vec<(&'static str, f64)>,
    pub texts: Vec<(&'static str, &'static str)>,
}

/// One symbol's history.
#[derive(Debug, Default, Clone)]
pub struct History {
    pub id: Option<SymbolId>,
    /// Newest sequence number by channel.
    pub seqs: [u64; 3],
    /// Sequence number of the last trade that has left the tape.
    pub evicted: u64,
    pub events: [BTreeMap<u64, Content>; 3],
    pub losses: BTreeSet<(u64, u64)>,
}

/// Where every symbol stood at a moment.
#[derive(Debug, Clone)]
pub struct Marks {
    pub seqs: Vec<[u64; 3]>,
    pub evicted: Vec<u64>,
}

pub struct World {
    pub epoch: String,
    pub symbols: Vec<History>,
    /// What was, by epoch: clients may still be reading it.
    past: Vec<Vec<History>>,
    /// Where all stood when each epoch began.
    begun: Vec<Marks>,
    /// The feed whose numbers start again next.
    next_feed: u8,
    tape: VecDeque<(usize, u64)>,
    tape_ticks: usize,
    feeds: u8,
    defined: u32,
    codes: BTreeSet<usize>,
    lists: BTreeSet<usize>,
}

impl History {
    /// The sequence number that follows `seq` on a channel.
    pub fn following(&self, channel: usize, seq: u64) -> Option<u64> {
        self.events[channel].range(seq + 1..).next().map(|(seq, _)| *seq)
    }
}

impl World {
    pub fn new(tape_ticks: usize, feeds: u8) -> World {
        World {
            epoch: epoch_name(0),
            past: Vec::new(),
            begun: Vec::new(),
            next_feed: 0,
            symbols: NAMES.iter().map(|_| History::default()).collect(),
            tape: VecDeque::new(),
            tape_ticks,
            feeds,
            defined: 0,
            codes: BTreeSet::new(),
            lists: BTreeSet::new(),
        }
    }

    pub fn marks(&self) -> Marks {
        Marks {
            seqs: self.symbols.iter().map(|s| s.seqs).collect(),
            evicted: self.symbols.iter().map(|s| s.evicted).collect(),
        }
    }

    /// One symbol's history in an epoch, which is named by its number.
    pub fn history(&self, era: usize, symbol: usize) -> &History {
        match self.past.get(era) {
            Some(symbols) => &symbols[symbol],
            None => &self.symbols[symbol],
        }
    }

    /// The number of an epoch that has begun.
    pub fn era(&self, epoch: &str) -> usize {
        let eras = 0..=self.past.len();
        eras.into_iter().find(|era| epoch_name(*era) == epoch).expect("an epoch that has begun")
    }

    /// What ends this epoch: the numbers of one feed start again.
    pub fn next_epoch(&mut self, rng: &mut Rng) -> Tick {
        self.next_feed = rng.u8(..self.feeds);
        let epoch = epoch_name(self.past.len() + 1);
        let (feed, epoch) = (Feed(self.next_feed), Name::new(&epoch).expect("short"));
        Tick::new(TickBody::Epoch { feed, epoch })
    }

    /// Where all stood when an epoch began.
    pub fn begun(&self, era: usize) -> &Marks {
        &self.begun[era - 1]
    }

    /// The hub is in this epoch: numbers start again where it is a new one.
    pub fn enter(&mut self, epoch: &str) {
        if epoch == self.epoch {
            return;
        }
        let anew = |(symbol, old): (usize, &History)| match symbol as u8 % self.feeds {
            feed if feed == self.next_feed => History { id: old.id, ..History::default() },
            _ => History { evicted: old.seqs[TRADES], ..old.clone() },
        };
        let symbols = self.symbols.iter().enumerate().map(anew).collect();
        self.past.push(std::mem::replace(&mut self.symbols, symbols));
        self.tape.clear();
        self.begun.push(self.marks());
        self.epoch = epoch.to_string();
        assert_eq!(self.era(epoch), self.past.len());
    }

    /// One event of the feed, with the definitions that it needs before it.
    pub fn ticks(&mut self, rng: &mut Rng, now_ns: i64) -> Vec<Tick> {
        let mut ticks = Vec::new();
        if rng.u8(..60) == 0 {
            let feed = Feed(rng.u8(..self.feeds));
            let states = [FeedState::Ok, FeedState::Stale, FeedState::Down];
            let state = states[rng.usize(..3)];
            ticks.push(Tick::new(TickBody::FeedState { feed, state, last_ns: now_ns }));
        }
        // The first symbols are busy, the last ones come late and seldom.
        let symbol = rng.usize(..NAMES.len()).min(rng.usize(..NAMES.len()));
        self.define(symbol, &mut ticks);
        match rng.u8(..100) {
            0..50 => self.quote(symbol, rng, now_ns, &mut ticks),
            50..86 => self.trade(symbol, rng, now_ns, &mut ticks),
            86..96 => self.bar(symbol, rng, now_ns, &mut ticks),
            _ => self.lost(symbol, rng, now_ns, &mut ticks),
        }
        ticks
    }

    fn define(&mut self, symbol: usize, ticks: &mut Vec<Tick>) {
        if self.symbols[symbol].id.is_none() {
            let id = SymbolId(self.defined);
            self.defined += 1;
            self.symbols[symbol].id = Some(id);
            let name = Symbol::parse(NAMES[symbol]).expect("valid");
            let feed = Feed(symbol as u8 % self.feeds);
            ticks.push(Tick::new(TickBody::Symbol { id, name, feed }));
        }
    }

    /// A code from 1, defined on first use; 0 is absent.
    fn code(&mut self, rng: &mut Rng, ticks: &mut Vec<Tick>) -> usize {
        let code = rng.usize(..=CODES.len());
        if code > 0 && self.codes.insert(code) {
            let name = Name::new(CODES[code - 1]).expect("short");
            ticks.push(Tick::new(TickBody::Code { code: code as u8, name }));
        }
        code
    }

    fn conditions(&mut self, rng: &mut Rng, ticks: &mut Vec<Tick>) -> usize {
        let list = rng.usize(..=CONDITIONS.len());
        if list > 0 && self.lists.insert(list) {
            let joined = Name::new(CONDITIONS[list - 1]).expect("short");
            ticks.push(Tick::new(TickBody::Conditions { list: list as u16, joined }));
        }
        list
    }

    fn head(&mut self, symbol: usize, channel: usize, rng: &mut Rng, now_ns: i64) -> Head {
        let history = &mut self.symbols[symbol];
        // Where the ingest had to merge quotes, their numbers jump.
        let step = if channel != TRADES && rng.u8(..20) == 0 { rng.u64(2..5) } else { 1 };
        history.seqs[channel] += step;
        Head {
            symbol: history.id.expect("defined before use"),
            seq: history.seqs[channel],
            event_ns: now_ns - rng.i64(0..5_000_000_000),
            ingest_ns: now_ns,
            price_scale: rng.u8(..5),
            size_scale: [0, 0, 0, 2][rng.usize(..4)],
        }
    }

    fn remember(&mut self, symbol: usize, channel: usize, seq: u64, content: Content) {
        self.symbols[symbol].events[channel].insert(seq, content);
    }

    fn quote(&mut self, symbol: usize, rng: &mut Rng, now_ns: i64, ticks: &mut Vec<Tick>) {
        let (bid, ask) = (self.code(rng, ticks), self.code(rng, ticks));
        let head = self.head(symbol, QUOTES, rng, now_ns);
        let mut value = || rng.i64(0..1_000_000);
        let [bid_price, bid_size, ask_price, ask_size] = [(); 4].map(|()| value());
        let (bid_exchange, ask_exchange) = (bid as u8, ask as u8);
        let quote = Quote { bid_price, bid_size, ask_price, ask_size, bid_exchange, ask_exchange };
        let content = Content {
            t: head.event_ns,
            numbers: vec![
                ("bp", float(bid_price, head.price_scale)),
                ("bs", float(bid_size, head.size_scale)),
                ("ap", float(ask_price, head.price_scale)),
                ("as", float(ask_size, head.size_scale)),
            ],
            texts: vec![("bx", text(&CODES, bid)), ("ax", text(&CODES, ask))],
        };
        self.remember(symbol, QUOTES, head.seq, content);
        ticks.push(Tick::new(TickBody::Quote(head, quote)));
    }

    fn trade(&mut self, symbol: usize, rng: &mut Rng, now_ns: i64, ticks: &mut Vec<Tick>) {
        let (exchange, tape) = (self.code(rng, ticks), self.code(rng, ticks));
        let list = self.conditions(rng, ticks);
        let head = self.head(symbol, TRADES, rng, now_ns);
        let id = rng.bool().then(|| rng.u64(..1 << 50));
        let (price, size) = (rng.i64(0..1_000_000), rng.i64(0..1_000));
        let (conditions, codes) = (list as u16, (exchange as u8, tape as u8));
        let trade = Trade { id, price, size, exchange: codes.0, tape: codes.1, conditions };
        let mut numbers =
            vec![("p", float(price, head.price_scale)), ("s", float(size, head.size_scale))];
        numbers.extend(id.map(|id| ("i", id as f64)));
        let content = Content {
            t: head.event_ns,
            numbers,
            texts: vec![
                ("x", text(&CODES, exchange)),
                ("z", text(&CODES, tape)),
                ("c", text(&CONDITIONS, list)),
            ],
        };
        self.remember(symbol, TRADES, head.seq, content);
        self.onto_tape(symbol, head.seq);
        ticks.push(Tick::new(TickBody::Trade(head, trade)));
    }

    fn bar(&mut self, symbol: usize, rng: &mut Rng, now_ns: i64, ticks: &mut Vec<Tick>) {
        let head = self.head(symbol, BARS, rng, now_ns);
        let mut value = || rng.i64(0..1_000_000);
        let [open, high, low, close] = [(); 4].map(|()| value());
        let (volume, trades, vwap) = (value(), value() as u64, value());
        let content = Content {
            t: head.event_ns,
            numbers: vec![
                ("o", float(open, head.price_scale)),
                ("h", float(high, head.price_scale)),
                ("l", float(low, head.price_scale)),
                ("c", float(close, head.price_scale)),
                ("v", float(volume, head.size_scale)),
                ("n", trades as f64),
                ("vw", float(vwap, head.price_scale)),
            ],
            texts: Vec::new(),
        };
        let half = rng.u8(..10);
        if half == 0 {
            // The second record was merged away by a full queue: such a bar does not count.
            let earlier = Head { seq: head.seq.saturating_sub(1), ..head };
            ticks.push(Tick::new(TickBody::BarPrices(
                earlier,
                BarPrices { open: 1, high: 1, low: 1, close: 1 },
            )));
        }
        self.remember(symbol, BARS, head.seq, content);
        ticks.push(Tick::new(TickBody::BarPrices(head, BarPrices { open, high, low, close })));
        ticks.push(Tick::new(TickBody::BarTotals(head, BarTotals { volume, trades, vwap })));
    }

    fn lost(&mut self, symbol: usize, rng: &mut Rng, now_ns: i64, ticks: &mut Vec<Tick>) {
        let history = &mut self.symbols[symbol];
        let from = history.seqs[TRADES] + 1;
        let to = from + rng.u64(..3);
        history.seqs[TRADES] = to;
        history.losses.insert((from, to));
        let id = history.id.expect("defined before use");
        self.onto_tape(symbol, to);
        ticks.push(Tick::new(TickBody::Lost {
            symbol: id,
            channel: Channel::Trades,
            from,
            to,
            ingest_ns: now_ns,
        }));
    }

    fn onto_tape(&mut self, symbol: usize, seq: u64) {
        self.tape.push_back((symbol, seq));
        if self.tape.len() > self.tape_ticks {
            let (symbol, seq) = self.tape.pop_front().expect("just seen");
            self.symbols[symbol].evicted = seq;
        }
    }
}

fn epoch_name(era: usize) -> String {
    format!("e{}", era + 1)
}

fn float(units: i64, scale: u8) -> f64 {
    Decimal::new(units, scale).to_f64()
}

/// The text of a code from 1; empty for "absent".
fn text(table: &[&'static str], code: usize) -> &'static str {
    code.checked_sub(1).map_or("", |at| table[at])
}
