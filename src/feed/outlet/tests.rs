use super::*;
use crate::market::{BarPrices, BarTotals, FeedState, Head, Name, Quote, Symbol, Trade};
use std::collections::HashMap;

/// A queue whose room the test decides; keeps everything that it ever took.
#[derive(Default)]
struct Narrow {
    room: usize,
    taken: Vec<Tick>,
}

impl TickQueue for Narrow {
    fn push(&mut self, tick: Tick) -> Result<(), Tick> {
        if self.room == 0 {
            return Err(tick);
        }
        self.room -= 1;
        self.taken.push(tick);
        Ok(())
    }
}

fn head(symbol: u32, seq: u64) -> Head {
    let symbol = SymbolId(symbol);
    Head { symbol, seq, event_ns: 0, ingest_ns: 0, price_scale: 2, size_scale: 0 }
}

fn trade(symbol: u32, seq: u64) -> Tick {
    let trade = Trade { id: None, price: 1, size: 1, exchange: 0, tape: 0, conditions: 0 };
    Tick::new(TickBody::Trade(head(symbol, seq), trade))
}

fn quote(symbol: u32, seq: u64) -> Tick {
    let quote = Quote {
        bid_price: 1,
        bid_size: 1,
        ask_price: 2,
        ask_size: 1,
        bid_exchange: 0,
        ask_exchange: 0,
    };
    Tick::new(TickBody::Quote(head(symbol, seq), quote))
}

fn bar(symbol: u32, seq: u64) -> [Tick; 2] {
    let prices = BarPrices { open: 1, high: 2, low: 1, close: 2 };
    let totals = BarTotals { volume: 5, trades: 2, vwap: 1 };
    [
        Tick::new(TickBody::BarPrices(head(symbol, seq), prices)),
        Tick::new(TickBody::BarTotals(head(symbol, seq), totals)),
    ]
}

fn definition(symbol: u32) -> Tick {
    let name = Symbol::parse(&format!("S{symbol}")).expect("a symbol");
    Tick::new(TickBody::Symbol { id: SymbolId(symbol), name, feed: Feed(0) })
}

fn state(state: FeedState, last_ns: i64) -> Tick {
    Tick::new(TickBody::FeedState { feed: Feed(0), state, last_ns })
}

#[test]
fn an_epoch_ends_what_waits_and_goes_before_what_follows() {
    let epoch =
        Tick::new(TickBody::Epoch { feed: Feed(0), epoch: Name::new("e2").expect("short") });
    let (mut outlet, mut queue) = (Outlet::default(), Narrow::default());
    let [down, ok] = [state(FeedState::Down, 1), state(FeedState::Ok, 2)];
    for tick in [definition(1), trade(1, 7), down, quote(1, 9), epoch, quote(1, 1), ok] {
        outlet.offer(tick, &mut queue);
    }
    queue.room = 100;
    assert!(outlet.drain(&mut queue));
    assert_eq!(queue.taken, [definition(1), epoch, quote(1, 1), ok]);
}

#[test]
fn a_full_queue_merges_and_drains_in_order() {
    let (mut outlet, mut queue) = (Outlet::default(), Narrow::default());
    outlet.offer(quote(1, 1), &mut queue);
    outlet.offer(state(FeedState::Stale, 1), &mut queue);
    outlet.offer(trade(1, 1), &mut queue);
    outlet.offer(definition(1), &mut queue);
    outlet.offer(quote(1, 2), &mut queue);
    outlet.offer(trade(1, 2), &mut queue);
    outlet.offer(state(FeedState::Down, 2), &mut queue);
    assert!(!outlet.take_pushed() && outlet.waiting_count() == 4);
    queue.room = 100;
    assert!(outlet.drain(&mut queue) && outlet.is_clear() && outlet.take_pushed());
    let lost = TickBody::Lost {
        symbol: SymbolId(1),
        channel: Channel::Trades,
        from: 1,
        to: 2,
        ingest_ns: 0,
    };
    let expected = [definition(1), quote(1, 2), Tick::new(lost), state(FeedState::Down, 2)];
    assert_eq!(queue.taken, expected);
    assert_eq!(outlet.lost_count(), 2);
}

#[test]
fn who_waits_gets_its_tick_back() {
    let (mut outlet, mut queue) = (Outlet::default(), Narrow::default());
    assert_eq!(outlet.try_send(trade(1, 1), &mut queue), Err(trade(1, 1)));
    assert!(outlet.is_clear());
    outlet.offer(definition(1), &mut queue);
    queue.room = 1;
    assert_eq!(outlet.try_send(trade(1, 1), &mut queue), Err(trade(1, 1)));
    queue.room = 1;
    assert_eq!(outlet.try_send(trade(1, 1), &mut queue), Ok(()));
    assert_eq!(queue.taken, [definition(1), trade(1, 1)]);
}

/// The prices of bar 2 come while the totals of bar 1 still wait.
#[test]
fn the_records_of_a_bar_stay_in_order() {
    let (mut outlet, mut queue) = (Outlet::default(), Narrow::default());
    let ([prices1, totals1], [prices2, totals2]) = (bar(1, 1), bar(1, 2));
    outlet.offer(prices1, &mut queue);
    outlet.offer(totals1, &mut queue);
    queue.room = 1;
    outlet.drain(&mut queue);
    outlet.offer(prices2, &mut queue);
    outlet.offer(totals2, &mut queue);
    queue.room = 9;
    outlet.drain(&mut queue);
    assert_eq!(queue.taken, [prices1, prices2, totals2]);
}

const SYMBOLS: u32 = 12;

/// What a shard knows after it took ticks in order; judges each tick as it comes.
#[derive(Default)]
struct Judge {
    defined: Vec<u32>,
    code_defined: bool,
    trade_next: HashMap<u32, u64>,
    quote_last: HashMap<u32, u64>,
    bar_prices: HashMap<u32, u64>,
    bar_last: HashMap<u32, u64>,
    state_last: i64,
}

impl Judge {
    fn take(&mut self, tick: &Tick, seed: u64) {
        if let TickBody::Symbol { id, .. } = tick.body() {
            assert!(!self.defined.contains(&id.0), "seed {seed}: defined twice");
            return self.defined.push(id.0);
        }
        let symbol = tick.symbol().0;
        let is_event = tick.channel().is_some();
        assert!(!is_event || self.defined.contains(&symbol), "seed {seed}: used, not defined");
        match tick.body() {
            TickBody::Trade(head, t) => {
                assert!(t.exchange == 0 || self.code_defined, "seed {seed}: code not defined");
                self.expect_trades(symbol, head.seq, head.seq, seed);
            }
            TickBody::Lost { from, to, .. } => self.expect_trades(symbol, from, to, seed),
            TickBody::Quote(head, _) => {
                let last = self.quote_last.insert(symbol, head.seq);
                assert!(last < Some(head.seq), "seed {seed}: quote {last:?} then {}", head.seq);
            }
            TickBody::BarPrices(head, _) => {
                let last = self.bar_prices.insert(symbol, head.seq);
                assert!(last < Some(head.seq), "seed {seed}: bar {last:?} then {}", head.seq);
            }
            TickBody::BarTotals(head, _) => {
                assert_eq!(self.bar_prices.get(&symbol), Some(&head.seq), "seed {seed}: totals");
                let last = self.bar_last.insert(symbol, head.seq);
                assert!(last < Some(head.seq), "seed {seed}: totals twice");
            }
            TickBody::FeedState { last_ns, .. } => {
                assert!(last_ns > self.state_last, "seed {seed}: states only grow");
                self.state_last = last_ns;
            }
            TickBody::Code { .. } => self.code_defined = true,
            TickBody::Symbol { .. } | TickBody::Conditions { .. } => {}
            TickBody::Epoch { .. } | TickBody::Begins { .. } => {}
        }
    }

    fn expect_trades(&mut self, symbol: u32, from: u64, to: u64, seed: u64) {
        let next = self.trade_next.entry(symbol).or_insert(1);
        assert!(from == *next && to >= from, "seed {seed}: {from}..={to} where {next} is next");
        *next = to + 1;
    }
}

/// Sends random events through an outlet whose queue is full and empty at random, and returns
/// the sent (trades, quotes, bars) for each symbol, and what came out.
fn run(seed: u64) -> (Vec<[u64; 3]>, Narrow) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut outlet, mut queue) = (Outlet::default(), Narrow::default());
    let mut sent = vec![[0_u64; 3]; SYMBOLS as usize];
    let (mut with_code, mut defined) = (false, [false; SYMBOLS as usize]);
    for step in 1..=2_000 {
        if random.u8(..) < 40 {
            queue.room = random.usize(..30);
        }
        let symbol = random.u32(..SYMBOLS);
        let counts = &mut sent[symbol as usize];
        if !std::mem::replace(&mut defined[symbol as usize], true) {
            outlet.offer(definition(symbol), &mut queue);
        }
        match random.u8(..100) {
            0..45 => {
                counts[0] += 1;
                outlet.offer(coded_trade(symbol, counts[0], with_code), &mut queue);
            }
            45..85 => {
                counts[1] += 1;
                outlet.offer(quote(symbol, counts[1]), &mut queue);
            }
            85..97 => {
                counts[2] += 1;
                for tick in bar(symbol, counts[2]) {
                    outlet.offer(tick, &mut queue);
                }
            }
            _ if !with_code => {
                with_code = true;
                let name = Name::new("Q").expect("short");
                outlet.offer(Tick::new(TickBody::Code { code: 1, name }), &mut queue);
            }
            _ => outlet.offer(state(FeedState::Ok, step), &mut queue),
        }
        let bound = (SYMBOLS as usize + 1) + SYMBOLS as usize * 3 + 1;
        assert!(outlet.waiting_count() <= bound, "seed {seed}: the overlay is bounded");
        if random.u8(..) < 20 {
            outlet.drain(&mut queue);
        }
    }
    queue.room = usize::MAX;
    assert!(outlet.drain(&mut queue), "seed {seed}");
    (sent, queue)
}

fn coded_trade(symbol: u32, seq: u64, with_code: bool) -> Tick {
    let exchange = u8::from(with_code);
    let trade = Trade { id: None, price: 1, size: 1, exchange, tape: 0, conditions: 0 };
    Tick::new(TickBody::Trade(head(symbol, seq), trade))
}

/// Method: 300 seeds of random events and random room; a judge checks every tick that comes out,
/// and the end must be complete: every trade came or is in a range, every last value came.
#[test]
fn nothing_is_lost_unsaid_whatever_the_room() {
    let mut lost_seen = 0;
    for seed in 0..300 {
        let (sent, queue) = run(seed);
        let mut judge = Judge::default();
        for tick in &queue.taken {
            judge.take(tick, seed);
            lost_seen += u32::from(matches!(tick.body(), TickBody::Lost { .. }));
        }
        for (symbol, [trades, quotes, bars]) in (0..SYMBOLS).zip(sent) {
            let next = judge.trade_next.get(&symbol).copied().unwrap_or(1);
            assert_eq!(next, trades + 1, "seed {seed}: trades of {symbol}");
            let last = |map: &HashMap<u32, u64>| map.get(&symbol).copied().unwrap_or(0);
            assert_eq!(last(&judge.quote_last), quotes, "seed {seed}: quotes of {symbol}");
            assert_eq!(last(&judge.bar_last), bars, "seed {seed}: bars of {symbol}");
        }
    }
    assert!(lost_seen > 1_000, "the test must reach what it tests");
}
