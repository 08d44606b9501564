use super::*;
use crate::market::{BarPrices, BarTotals, Head, Trade};
use crate::publish::positions::JUMP;

const SPY: SymbolId = SymbolId(0);

fn head(seq: u64) -> Head {
    Head { symbol: SPY, seq, event_ns: 0, ingest_ns: 5, price_scale: 2, size_scale: 0 }
}

fn trade(seq: u64) -> Tick {
    let trade = Trade { id: None, price: 1, size: 1, exchange: 0, tape: 0, conditions: 0 };
    Tick::new(TickBody::Trade(head(seq), trade))
}

fn lost(from: u64, to: u64) -> Tick {
    let (symbol, channel) = (SPY, Channel::Trades);
    Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns: 5 })
}

fn bar(seq: u64) -> [Tick; 2] {
    let prices = BarPrices { open: 1, high: 1, low: 1, close: 1 };
    let totals = BarTotals { volume: 1, trades: 1, vwap: 1 };
    [
        Tick::new(TickBody::BarPrices(head(seq), prices)),
        Tick::new(TickBody::BarTotals(head(seq), totals)),
    ]
}

fn name() -> Symbol {
    Symbol::parse("SPY").expect("a symbol")
}

fn numbers(is_sequenced: bool) -> Numbers {
    let mut numbers = Numbers::new(vec![is_sequenced]);
    numbers.define(SPY, name(), Feed(0));
    numbers
}

fn next(loss: Option<Tick>, tick: Tick) -> Option<Numbering> {
    Some(Numbering::Next { loss, tick })
}

#[test]
fn our_numbers_go_on_behind_those_that_were_heard() {
    let (mut numbers, mut positions) = (numbers(false), Positions::default());
    assert_eq!(numbers.number(trade(1), &positions), next(None, trade(1)));
    assert_eq!(numbers.number(trade(2), &positions), next(None, trade(2)));
    numbers.end_term(&mut positions);
    positions.heard(name(), Channel::Trades, 90);
    numbers.begin_term();
    assert_eq!(numbers.number(trade(40), &positions), next(None, trade(91)));
    assert_eq!(numbers.number(lost(41, 49), &positions), next(None, lost(92, 100)));
    assert_eq!(numbers.number(trade(50), &positions), next(None, trade(101)));
    numbers.end_term(&mut positions);
    let position = positions.last(name(), Channel::Trades).expect("known");
    assert_eq!((position.sq, position.is_exact), (101, true));
}

/// A number that was only read in the stream may have been followed by others.
#[test]
fn what_was_only_read_is_jumped_over_and_told() {
    let (mut numbers, mut positions) = (numbers(false), Positions::default());
    positions.read(name(), Channel::Trades, 10);
    let first = numbers.number(trade(1), &positions);
    assert_eq!(first, next(Some(lost(11, 10 + JUMP)), trade(11 + JUMP)));
    assert_eq!(numbers.number(trade(2), &positions), next(None, trade(12 + JUMP)));
    positions.read(name(), Channel::Bars, 3);
    let [prices, totals] = bar(1);
    let [prices_next, totals_next] = bar(4 + JUMP);
    assert_eq!(numbers.number(prices, &positions), next(None, prices_next));
    assert_eq!(numbers.number(totals, &positions), next(None, totals_next));
}

#[test]
fn a_sequenced_feed_keeps_its_numbers_and_repeats_nothing() {
    let (mut numbers, mut positions) = (numbers(true), Positions::default());
    positions.read(name(), Channel::Trades, 10);
    positions.heard(name(), Channel::Bars, 2);
    assert_eq!(numbers.number(trade(10), &positions), Some(Numbering::Known));
    assert_eq!(numbers.number(lost(8, 12), &positions), next(None, lost(11, 12)));
    assert_eq!(numbers.number(trade(13), &positions), next(None, trade(13)));
    assert_eq!(numbers.number(trade(20), &positions), next(None, trade(20)));
    for tick in bar(2) {
        assert_eq!(numbers.number(tick, &positions), Some(Numbering::Known));
    }
    for tick in bar(3) {
        assert_eq!(numbers.number(tick, &positions), next(None, tick));
    }
}

#[test]
fn what_was_never_defined_has_no_number() {
    let mut numbers = Numbers::new(vec![false]);
    assert_eq!(numbers.number(trade(1), &Positions::default()), None);
}

/// Which must not be number 1 of an epoch in which the symbol may have had others.
#[test]
fn a_symbol_of_which_nothing_is_known_begins() {
    let (mut numbers, mut positions) = (numbers(false), Positions::default());
    assert!(numbers.begins(&trade(1), &positions));
    numbers.number(trade(1), &positions);
    assert!(!numbers.begins(&trade(2), &positions), "it has begun");
    numbers.begin_term();
    positions.read(name(), Channel::Trades, 7);
    assert!(!numbers.begins(&trade(2), &positions), "it is known");
    assert!(!self::numbers(true).begins(&trade(1), &Positions::default()), "it has its own");
}
