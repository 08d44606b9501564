//! One-minute bars by the protocol's text, made apart from the server's own: in floats, and of
//! the open minutes a plain map. Sums stay below 2^53 units of the last digit, so floats do.

use std::collections::BTreeMap;

const MINUTE_NS: i64 = 60_000_000_000;

const SECOND_NS: i64 = 1_000_000_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub t_ns: i64,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
    pub trades: u64,
    pub notional: f64,
}

#[derive(Default)]
pub struct BarMaker {
    reached_ns: i64,
    /// By minute and symbol. Minutes stay here after their close; `reached_ns` closes them.
    minutes: BTreeMap<(i64, String), Bar>,
}

impl BarMaker {
    /// Some tick of the feed has this time.
    pub fn reach(&mut self, t_ns: i64) {
        self.reached_ns = self.reached_ns.max(t_ns);
    }

    pub fn trade(&mut self, symbol: &str, t_ns: i64, price: &str, size: &str) {
        let start_ns = t_ns - t_ns % MINUTE_NS;
        if self.reached_ns >= start_ns + MINUTE_NS + SECOND_NS {
            return;
        }
        let price: f64 = price.parse().expect("a number");
        let size: f64 = size.parse().expect("a number");
        let empty = Bar {
            t_ns: start_ns,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0.0,
            trades: 0,
            notional: 0.0,
        };
        let bar = self.minutes.entry((start_ns, symbol.to_string())).or_insert(empty);
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        bar.close = price;
        bar.volume += size;
        bar.trades += 1;
        bar.notional += price * size;
    }

    /// The feed ends. Every bar with its symbol, by minute.
    pub fn end(self) -> impl Iterator<Item = (String, Bar)> {
        self.minutes.into_iter().map(|((_, symbol), bar)| (symbol, bar))
    }
}
