//! Follows one client's stream and holds it against the recording, item by item.

use super::item::{Item, Number};
use super::recording::{Recording, Tape};
use std::collections::BTreeMap;
use std::fmt;

/// What one client has seen of the symbols that it asked for.
pub struct Follower {
    recording: &'static Recording,
    channels: Vec<String>,
    seen: BTreeMap<String, Seen>,
    /// Anything that is neither a market item nor a gap, by type.
    pub others: Vec<String>,
}

#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Sequence numbers, all up to which are accounted for.
    pub trades: u64,
    pub quotes: u64,
    pub bars: u64,
    pub trade_count: u64,
    pub quote_count: u64,
    /// Of trades that a gap announced.
    pub lost_count: u64,
    /// Where the newest gap ended; 0 without one.
    pub gap_to: u64,
}

impl Follower {
    pub fn new(recording: &'static Recording, symbols: &[String], channels: &[String]) -> Follower {
        let all = symbols.iter().any(|symbol| symbol == "*");
        let wanted = recording.symbols.keys().filter(|name| all || symbols.contains(name));
        let seen = wanted.map(|name| (name.clone(), Seen::default())).collect();
        Follower { recording, channels: channels.to_vec(), seen, others: Vec::new() }
    }

    pub fn seen(&self) -> &BTreeMap<String, Seen> {
        &self.seen
    }

    /// Whether the last of everything has come.
    pub fn is_done(&self) -> bool {
        self.seen.iter().all(|(symbol, seen)| {
            let tape = &self.recording.symbols[symbol];
            let has = |channel: &str, seq: u64, count: usize| {
                seq == count as u64 || !self.channels.iter().any(|c| c == channel)
            };
            has("trades", seen.trades, tape.trades.len())
                && has("quotes", seen.quotes, tape.quotes.len())
                && has("bars", seen.bars, tape.bars.len())
        })
    }

    /// Panics: the item is not what the recording and the protocol have here.
    pub fn take<N: Number>(&mut self, item: &Item<'_, N>) {
        let Some(symbol) = item.symbol.filter(|_| item.kind != "feed") else {
            return self.others.push(item.kind.to_string());
        };
        let seen = self.seen.get_mut(symbol).unwrap_or_else(|| panic!("{symbol}: not asked for"));
        let tape = &self.recording.symbols[symbol];
        let channel = match item.kind {
            "t" => "trades",
            "q" => "quotes",
            "b" => "bars",
            "gap" => item.ch.expect("a gap has its channel"),
            other => panic!("unknown type {other}"),
        };
        assert!(self.channels.iter().any(|c| c == channel), "{channel} was not asked for");
        match item.kind {
            "t" => take_trade(item, symbol, seen, tape),
            "q" => take_quote(item, symbol, seen, tape),
            "b" => take_bar(item, symbol, seen, tape),
            _ => take_gap(item, symbol, seen),
        }
    }
}

impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (symbol, seen) in &self.seen {
            let tape = &self.recording.symbols[symbol];
            let (trades, quotes, bars) = (tape.trades.len(), tape.quotes.len(), tape.bars.len());
            write!(f, "{symbol}: {seen:?} of {trades} trades, {quotes} quotes, {bars} bars; ")?;
        }
        Ok(())
    }
}

fn take_trade<N: Number>(item: &Item<'_, N>, symbol: &str, seen: &mut Seen, tape: &Tape) {
    let seq = item.sq.expect("trades have numbers");
    assert_eq!(seq, seen.trades + 1, "{symbol}: the next trade, nothing missing or double");
    let trade = &tape.trades[seq as usize - 1];
    let is = |number: &Option<N>, text: &str| number.as_ref().is_some_and(|n| n.is(text));
    let equal = item.i == Some(trade.id)
        && item.t.is_some_and(|t| t.0 == trade.t_ns)
        && item.x == Some(&trade.exchange)
        && is(&item.p, &trade.price)
        && is(&item.s, &trade.size)
        && item.sn.is_none();
    assert!(equal, "{symbol} {seq}: not the file's {trade:?}");
    seen.trades = seq;
    seen.trade_count += 1;
}

fn take_quote<N: Number>(item: &Item<'_, N>, symbol: &str, seen: &mut Seen, tape: &Tape) {
    let seq = item.sq.expect("quotes have numbers");
    assert!(seq > seen.quotes, "{symbol}: quote {seq} after {}", seen.quotes);
    let quote = &tape.quotes[seq as usize - 1];
    let is = |number: &Option<N>, text: &str| number.as_ref().is_some_and(|n| n.is(text));
    let [bx, bp, bs, ax, ap, ask_size] = &quote.fields;
    let equal = item.t.is_some_and(|t| t.0 == quote.t_ns)
        && (item.bx, item.ax) == (Some(bx), Some(ax))
        && is(&item.bp, bp)
        && is(&item.bs, bs)
        && is(&item.ap, ap)
        && is(&item.ask_size, ask_size);
    assert!(equal, "{symbol} {seq}: not the file's {quote:?}");
    seen.quotes = seq;
    seen.quote_count += 1;
}

/// The protocol leaves the digits of the average open; four places are the least that it needs.
fn take_bar<N: Number>(item: &Item<'_, N>, symbol: &str, seen: &mut Seen, tape: &Tape) {
    let seq = item.sq.expect("bars have numbers");
    assert!(seq > seen.bars, "{symbol}: bar {seq} after {}", seen.bars);
    let bar = &tape.bars[seq as usize - 1];
    let average = bar.notional / bar.volume;
    let equal = item.t.is_some_and(|t| t.0 == bar.t_ns)
        && (item.o, item.h, item.l) == (Some(bar.open), Some(bar.high), Some(bar.low))
        && (item.v, item.n) == (Some(bar.volume), Some(bar.trades))
        && item.close == Some(bar.close)
        && item.vw.is_some_and(|vw| (vw - average).abs() <= 0.000_051);
    assert!(equal, "{symbol} {seq}: not {bar:?} with an average of {average}");
    seen.bars = seq;
}

fn take_gap<N>(item: &Item<'_, N>, symbol: &str, seen: &mut Seen) {
    assert_eq!(item.ch, Some("trades"), "{symbol}: only trades are lossless");
    let to = item.to.expect("the tape knows where its gaps end");
    let from = item.from.unwrap_or(seen.trades + 1);
    assert_eq!(from, seen.trades + 1, "{symbol}: a gap begins after the last trade");
    assert!(to >= from, "{symbol}: a gap to {to} after {}", seen.trades);
    seen.lost_count += to - seen.trades;
    (seen.trades, seen.gap_to) = (to, to);
}
