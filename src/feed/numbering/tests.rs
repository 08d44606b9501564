use super::*;
use crate::limits::{HELD_TICKS_MAX, NAME_BYTES_MAX};
use crate::market::Decimal;
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
    Record { symbol: Symbol::parse(symbol).expect("a symbol"), event_ns: 5, seq: None, body }
}

fn quote(symbol: &str, bid: Decimal, ask: Decimal) -> Record<'static> {
    let (bid, ask) = ((bid, Decimal::new(1, 0)), (ask, Decimal::new(25, 1)));
    let none = Cow::Borrowed("");
    let body = RecordBody::Quote { bid, bid_exchange: none.clone(), ask, ask_exchange: none };
    Record { symbol: Symbol::parse(symbol).expect("a symbol"), event_ns: 5, seq: None, body }
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
    for (names, owner) in [(vec![], "1"), (vec!["api".into(), "tcp".into()], "tcp")] {
        numbering.feed_names = names;
        let refused = numbering.number(Feed(0), &trade("A", "", ""), 9, &mut out);
        let refusal = refused.expect_err("it belongs to the other").to_string();
        assert!(refusal.contains(&format!("symbol A belongs to feed {owner};")), "{refusal}");
    }
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

/// Number by number what went out: a trade as itself, a loss as its range.
fn told(out: &[Tick]) -> Vec<(u64, u64)> {
    let range = |tick: &Tick| match tick.body() {
        TickBody::Trade(head, _) => Some((head.seq, head.seq)),
        TickBody::Lost { from, to, .. } => Some((from, to)),
        _ => None,
    };
    out.iter().filter_map(range).collect()
}

fn numbered(symbol: &str, seq: u64) -> Record<'static> {
    Record { seq: Some(seq), ..trade(symbol, "", "") }
}

fn lost(symbol: &str, from: u64, to: u64) -> Record<'static> {
    let body = RecordBody::Lost { channel: Channel::Trades, from, to };
    Record { body, ..numbered(symbol, 1) }
}

const PARTNERS: Hearing = Hearing { has_partner: true, was_cut: false };

struct Desk {
    numbering: Numbering,
    out: Vec<Tick>,
}

impl Desk {
    fn new() -> Desk {
        Desk { numbering: Numbering::default(), out: Vec::new() }
    }

    fn take(&mut self, record: &Record<'_>, due_ns: i64) -> Outcome {
        let times = (9, due_ns);
        self.numbering
            .take_over(Feed(0), record, times, Hearing::default(), &mut self.out)
            .expect("taken")
    }

    fn told(&mut self) -> Vec<(u64, u64)> {
        told(&std::mem::take(&mut self.out))
    }
}

/// Method: two lines give the same numbers, each with other holes; the second fills the first's.
#[test]
fn a_hole_is_filled_by_the_other_line() {
    let mut desk = Desk::new();
    for seq in [1, 2, 5, 6] {
        desk.take(&numbered("A", seq), 100);
    }
    assert_eq!(desk.told(), [(1, 1), (2, 2)]);
    assert_eq!(desk.take(&numbered("A", 5), 100), Outcome::Duplicate, "held already");
    assert_eq!(desk.take(&numbered("A", 2), 100), Outcome::Duplicate);
    assert_eq!(desk.take(&numbered("A", 3), 100), Outcome::Numbered);
    assert_eq!(desk.take(&numbered("A", 4), 100), Outcome::Numbered);
    assert_eq!(desk.told(), [(3, 3), (4, 4), (5, 5), (6, 6)]);
    assert_eq!(desk.numbering.next_due_ns(Feed(0)), None);
}

#[test]
fn a_hole_that_nobody_fills_is_lost_when_it_is_due() {
    let mut desk = Desk::new();
    for (seq, due_ns) in [(1, 100), (4, 100), (5, 101), (9, 200)] {
        desk.take(&numbered("A", seq), due_ns);
    }
    desk.told();
    assert_eq!(desk.numbering.next_due_ns(Feed(0)), Some(100));
    desk.numbering.expire(Feed(0), 99, &mut desk.out);
    assert_eq!(desk.told(), []);
    desk.numbering.expire(Feed(0), 100, &mut desk.out);
    assert_eq!(desk.told(), [(2, 3), (4, 4), (5, 5)]);
    desk.numbering.wait_for_new_holes(Feed(0), 300);
    assert!(!desk.numbering.has_new_holes(Feed(0)));
    desk.numbering.expire(Feed(0), 200, &mut desk.out);
    assert_eq!(desk.told(), []);
    desk.numbering.give_up(Feed(0), 201, &mut desk.out);
    assert_eq!(desk.told(), [(6, 8), (9, 9)]);
    assert_eq!(desk.take(&numbered("A", 7), 100), Outcome::Duplicate, "it was announced as lost");
}

#[test]
fn a_loss_that_the_source_announces_is_passed_on() {
    let mut desk = Desk::new();
    desk.take(&numbered("A", 1), 100);
    assert_eq!(desk.take(&lost("A", 2, 4), 100), Outcome::Numbered);
    assert_eq!(desk.take(&lost("A", 3, 4), 100), Outcome::Duplicate);
    desk.take(&numbered("A", 5), 100);
    assert_eq!(desk.told(), [(1, 1), (2, 4), (5, 5)]);
    assert_eq!(desk.take(&lost("A", 8, 9), 100), Outcome::Passed, "6 and 7 may come");
    desk.take(&numbered("A", 10), 100);
    desk.take(&numbered("A", 6), 100);
    desk.numbering.give_up(Feed(0), 201, &mut desk.out);
    assert_eq!(desk.told(), [(6, 6), (7, 9), (10, 10)]);
}

#[test]
fn what_came_before_the_first_is_not_to_come() {
    let mut desk = Desk::new();
    desk.take(&numbered("A", 700), 100);
    desk.take(&lost("B", 5, 9), 100);
    desk.take(&numbered("B", 10), 100);
    let begins = |tick: &Tick| match tick.body() {
        TickBody::Begins { symbol, after } => Some((symbol.0, after)),
        _ => None,
    };
    assert_eq!(desk.out.iter().filter_map(begins).collect::<Vec<_>>(), [(0, 699), (1, 9)]);
    assert_eq!(desk.told(), [(700, 700), (10, 10)]);
    desk.take(&numbered("A", 702), 100);
    desk.numbering.begin_epoch(Feed(0), 50, &mut desk.out);
    assert_eq!(desk.told(), [(701, 701), (702, 702)], "what was held is of the old epoch");
    assert_eq!(desk.take(&numbered("A", 1), 100), Outcome::Numbered);
    assert_eq!(desk.told(), [(1, 1)]);
}

/// A symbol may have begun while nobody listened.
#[test]
fn after_a_cut_the_first_number_that_is_not_1_is_a_loss() {
    let mut desk = Desk::new();
    let hearing = Hearing { was_cut: true, ..Hearing::default() };
    for record in [numbered("A", 3), numbered("B", 1), lost("C", 1, 4)] {
        let taken = desk.numbering.take_over(Feed(0), &record, (9, 9), hearing, &mut desk.out);
        assert_eq!(taken, Ok(Outcome::Numbered));
    }
    assert_eq!(desk.told(), [(1, 2), (3, 3), (1, 1), (1, 4)]);
}

#[test]
fn of_quotes_and_bars_the_newest_counts() {
    let mut desk = Desk::new();
    let numbered =
        |seq| Record { seq: Some(seq), ..quote("A", Decimal::new(1, 0), Decimal::new(2, 0)) };
    let outcomes = [1, 5, 3, 5, 6].map(|seq| desk.take(&numbered(seq), 100));
    use Outcome::{Duplicate, Numbered};
    assert_eq!(outcomes, [Numbered, Numbered, Duplicate, Duplicate, Numbered]);
    let number = |n| Decimal::new(n, 0);
    let body = RecordBody::Bar {
        open: number(1),
        high: number(3),
        low: number(1),
        close: number(2),
        volume: number(7),
        trades: 2,
        vwap: Decimal::new(15, 1),
    };
    let bar = Record { body, ..numbered(4) };
    assert_eq!([desk.take(&bar, 0), desk.take(&bar, 0)], [Numbered, Duplicate]);
    let [.., prices, totals] = &desk.out[..] else { panic!("two ticks of a bar") };
    let TickBody::BarPrices(head, p) = prices.body() else { panic!("{prices:?}") };
    assert_eq!((head.seq, head.price_scale, p.open, p.high), (4, 1, 10, 30));
    let TickBody::BarTotals(head, t) = totals.body() else { panic!("{totals:?}") };
    assert_eq!((head.seq, t.volume, t.trades, t.vwap), (4, 7, 2, 15));
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let mut desk = Desk::new();
    let mut refusal = |record: &Record<'_>| {
        let taken =
            desk.numbering.take_over(Feed(0), record, (9, 0), Hearing::default(), &mut desk.out);
        taken.expect_err("refused").to_string()
    };
    assert!(refusal(&trade("A", "", "")).contains("\"sq\""));
    assert!(refusal(&numbered("A", SEQ_MAX + 1)).contains("above"));
    let taken = desk.numbering.number(Feed(0), &lost("A", 1, 2), 9, &mut desk.out);
    assert!(matches!(taken, Err(Refusal::MadeHere(_))));
    assert!(desk.out.is_empty());
}

/// Method: every second trade is missing, until no more are held: then the losses go out at once.
#[test]
fn held_trades_are_bounded() {
    let mut desk = Desk::new();
    for n in 0..=HELD_TICKS_MAX as u64 {
        desk.take(&numbered("A", 1 + 2 * n), 100);
    }
    assert_eq!(desk.told(), [(1, 1)]);
    desk.take(&numbered("A", 3 + 2 * HELD_TICKS_MAX as u64), 100);
    let told = desk.told();
    assert_eq!((told.len(), told[0], told[1]), (2 * HELD_TICKS_MAX + 2, (2, 2), (3, 3)));
    assert_eq!(desk.numbering.next_due_ns(Feed(0)), None);
}

/// A line that has lost something does not speak for the other.
#[test]
fn a_loss_of_one_line_waits_for_the_other() {
    let mut desk = Desk::new();
    let mut take = |record: &Record<'_>, due_ns| {
        let taken = desk.numbering.take_over(Feed(0), record, (9, due_ns), PARTNERS, &mut desk.out);
        (taken.expect("taken"), told(&std::mem::take(&mut desk.out)))
    };
    take(&numbered("A", 4), 100);
    assert_eq!(take(&lost("A", 5, 9), 100), (Outcome::Passed, vec![]));
    assert_eq!(take(&numbered("A", 7), 100), (Outcome::Held, vec![]));
    assert_eq!(take(&numbered("A", 5), 100), (Outcome::Numbered, vec![(5, 5)]));
    assert_eq!(take(&numbered("A", 6), 100), (Outcome::Numbered, vec![(6, 6), (7, 7)]));
    assert_eq!(take(&numbered("A", 10), 150), (Outcome::Held, vec![]));
    desk.numbering.expire(Feed(0), 150, &mut desk.out);
    assert_eq!(desk.told(), [(8, 9), (10, 10)]);
    assert_eq!(desk.numbering.next_due_ns(Feed(0)), None);
}

/// Method: 2,000 seeds. Two lines give the same numbers, each with losses of its own, some of them
/// announced, at its own pace. Each number goes out once and in order: as a trade where any line
/// gave it before its time was over.
#[test]
fn each_number_goes_out_once_and_in_order() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut desk, mut next, mut given) = (Desk::new(), [2_u64, 2], [false; 200]);
        desk.take(&numbered("A", 1), 0);
        given[1] = true;
        let (mut now, wait) = (0, random.i64(1..40));
        let mut out = Vec::new();
        while next.iter().any(|next| *next < 200) {
            now += 1;
            let line = usize::from(random.bool());
            let seq = next[line];
            if seq < 200 {
                let to = 199.min(seq + random.u64(..4));
                let (record, after) = match random.u8(..10) {
                    0 => (None, to + 1),
                    1 => (Some(lost("A", seq, to)), to + 1),
                    _ => (Some(numbered("A", seq)), seq + 1),
                };
                next[line] = after;
                if let Some(record) = record {
                    let is_trade = record.body.channel() == Channel::Trades
                        && !matches!(record.body, RecordBody::Lost { .. });
                    let times = (now, now + wait);
                    let taken =
                        desk.numbering.take_over(Feed(0), &record, times, PARTNERS, &mut desk.out);
                    if is_trade && taken != Ok(Outcome::Duplicate) {
                        given[seq as usize] = true;
                    }
                }
            }
            desk.numbering.expire(Feed(0), now, &mut desk.out);
            out.append(&mut desk.out);
        }
        desk.numbering.give_up(Feed(0), now, &mut desk.out);
        out.append(&mut desk.out);
        let mut due = 1;
        for tick in &out {
            let Some((from, to)) = told(std::slice::from_ref(tick)).pop() else { continue };
            assert_eq!(from, due, "seed {seed}: {:?}", told(&out));
            assert!(to >= from && tick.is_loss() != given[from as usize], "seed {seed}: {from}");
            assert!(!tick.is_loss() || (from..=to).all(|seq| !given[seq as usize]));
            due = to + 1;
        }
        assert!(given.iter().rposition(|given| *given).is_none_or(|last| due > last as u64));
        assert!(desk.numbering.next_due_ns(Feed(0)).is_none(), "seed {seed}: something is held");
    }
}
