//! What of a standby's own feed is published when it takes over.

use super::numbers::{Numbering, Numbers};
use super::positions::Positions;
use crate::market::{Channel, SymbolId, Tick, TickBody};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Makes of the ticks that were held those that are to go out first, numbered.
///
/// Of a feed that brings its numbers: all that the one before did not publish. Of another, nobody
/// knows which of them it published after it was heard last (`since_ns`, `None`: nobody was ever
/// heard): trades from then on become a loss that is told, since to give one twice would be worse;
/// quotes come as the newest, and bars whole.
pub fn take_over(
    held: VecDeque<Tick>,
    since_ns: Option<i64>,
    numbers: &mut Numbers,
    positions: &Positions,
) -> Vec<Tick> {
    let mut out = Vec::new();
    let mut lost: FxHashMap<SymbolId, (u64, u64, i64)> = FxHashMap::default();
    let newest = newest_quotes(&held);
    for (at, tick) in held.into_iter().enumerate() {
        let symbol = tick.symbol();
        let brings = numbers.brings_numbers(symbol);
        if !brings && since_ns.is_some_and(|since_ns| tick.ingest_ns() < since_ns) {
            continue;
        }
        let is_quote = tick.channel() == Some(Channel::Quotes);
        if is_quote && !brings && !newest.contains(&at) {
            continue;
        }
        let Some(Numbering::Next { loss, tick }) = numbers.number(tick, positions) else {
            continue;
        };
        let is_trade = tick.channel() == Some(Channel::Trades);
        if brings || !is_trade || since_ns.is_none() {
            out.extend(loss);
            out.push(tick);
            continue;
        }
        let (from, to) = range_of(&tick);
        let from = loss.map_or(from, |loss| range_of(&loss).0);
        let entry = lost.entry(symbol).or_insert((from, to, tick.ingest_ns()));
        entry.1 = to;
    }
    let mut lost: Vec<_> = lost.into_iter().collect();
    lost.sort_unstable_by_key(|(symbol, _)| symbol.0);
    out.extend(lost.into_iter().map(|(symbol, (from, to, ingest_ns))| {
        let channel = Channel::Trades;
        Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns })
    }));
    out
}

/// Places of the newest quote of each symbol.
fn newest_quotes(held: &VecDeque<Tick>) -> FxHashSet<usize> {
    let is_quote = |(_, tick): &(usize, &Tick)| tick.channel() == Some(Channel::Quotes);
    let quotes = held.iter().enumerate().filter(is_quote);
    let newest: FxHashMap<SymbolId, usize> = quotes.map(|(at, tick)| (tick.symbol(), at)).collect();
    newest.into_values().collect()
}

fn range_of(tick: &Tick) -> (u64, u64) {
    match tick.body() {
        TickBody::Lost { from, to, .. } => (from, to),
        _ => (tick.seq(), tick.seq()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Feed, Head, Quote, Symbol, Trade};

    const A: SymbolId = SymbolId(0);

    fn head(seq: u64, ingest_ns: i64) -> Head {
        Head { symbol: A, seq, event_ns: 0, ingest_ns, price_scale: 2, size_scale: 0 }
    }

    fn trade(seq: u64, at_ns: i64) -> Tick {
        let trade = Trade { id: None, price: 1, size: 1, exchange: 0, tape: 0, conditions: 0 };
        Tick::new(TickBody::Trade(head(seq, at_ns), trade))
    }

    fn quote(seq: u64, at_ns: i64) -> Tick {
        let quote = Quote {
            bid_price: 1,
            bid_size: 1,
            ask_price: 2,
            ask_size: 1,
            bid_exchange: 0,
            ask_exchange: 0,
        };
        Tick::new(TickBody::Quote(head(seq, at_ns), quote))
    }

    fn numbers(is_sequenced: bool) -> (Numbers, Positions) {
        let (mut numbers, mut positions) = (Numbers::new(vec![is_sequenced]), Positions::default());
        let name = Symbol::parse("A").expect("a symbol");
        numbers.define(A, name, Feed(0));
        positions.heard(name, Channel::Trades, 50);
        positions.heard(name, Channel::Quotes, 60);
        (numbers, positions)
    }

    fn seqs(ticks: &[Tick]) -> Vec<(Option<Channel>, u64, u64)> {
        ticks.iter().map(|t| (t.channel(), range_of(t).0, range_of(t).1)).collect()
    }

    #[test]
    fn a_feed_with_numbers_loses_nothing() {
        let (mut numbers, positions) = numbers(true);
        let held = VecDeque::from([trade(49, 1), trade(50, 2), trade(51, 3), quote(61, 4)]);
        let out = take_over(held, Some(4), &mut numbers, &positions);
        let (trades, quotes) = (Some(Channel::Trades), Some(Channel::Quotes));
        assert_eq!(seqs(&out), [(trades, 51, 51), (quotes, 61, 61)]);
    }

    #[test]
    fn without_numbers_the_trades_in_between_are_a_loss() {
        let (mut numbers, positions) = numbers(false);
        let held = [trade(7, 1), trade(8, 5), quote(3, 5), trade(9, 6), quote(4, 7)];
        let out = take_over(VecDeque::from(held), Some(5), &mut numbers, &positions);
        let (trades, quotes) = (Some(Channel::Trades), Some(Channel::Quotes));
        assert_eq!(seqs(&out), [(quotes, 61, 61), (trades, 51, 52)]);
        assert!(out[1].is_loss());
        let next = numbers.number(trade(10, 8), &positions);
        assert_eq!(next, Some(Numbering::Next { loss: None, tick: trade(53, 8) }));
    }

    #[test]
    fn where_nobody_led_before_all_of_it_is_published() {
        let (mut numbers, _) = numbers(false);
        let held = VecDeque::from([trade(1, 1), trade(2, 2)]);
        let out = take_over(held, None, &mut numbers, &Positions::default());
        assert_eq!(out, [trade(1, 1), trade(2, 2)]);
    }
}
