//! One-minute bars of one feed, made from its trades by event time.
//!
//! The rule is the protocol's (`b`): a bar closes when a tick of its feed is a second or more past
//! its minute's end, by the clock too where the feed is live, and at the feed's end. A minute
//! without trades gives none, and trades that come after the close are not added.

use crate::limits::SCALE_MAX;
use crate::market::{BarPrices, BarTotals, Decimal, Head, SymbolId, Tick, TickBody};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

const MINUTE_NS: i64 = 60_000_000_000;

/// How far past a minute's end the feed must be before its bars close.
const GRACE_NS: i64 = 1_000_000_000;

/// Digits of a bar's prices at least: an average price needs more than the prices themselves.
const PRICE_SCALE_MIN: u8 = 4;

/// The open bars of one feed, and the sequence numbers of the bars of its symbols.
#[derive(Debug)]
pub struct Bars {
    /// Open minutes, oldest first. At most two: a newer one than that closes the older.
    minutes: VecDeque<Minute>,
    /// The newest time that the feed reached.
    reached_ns: i64,
    seqs: FxHashMap<SymbolId, u64>,
    late_count: u64,
}

/// The open bars of one minute, in order of their first trade.
#[derive(Debug)]
struct Minute {
    start_ns: i64,
    places: FxHashMap<SymbolId, usize>,
    bars: Vec<(SymbolId, Bar)>,
}

/// Prices and sizes in units of its two scales, which grow with what the trades need.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bar {
    price_scale: u8,
    size_scale: u8,
    prices: BarPrices,
    volume: i64,
    trades: u64,
    /// Sum of price times size, with as many digits as both scales together. Each product fits
    /// 126 bits; a sum that does not fit ends in a refusal of the trade.
    notional: i128,
}

impl Default for Bars {
    fn default() -> Bars {
        Bars {
            minutes: VecDeque::new(),
            reached_ns: i64::MIN,
            seqs: FxHashMap::default(),
            late_count: 0,
        }
    }
}

impl Bars {
    /// The feed has reached `ns`, by a tick's event time or by the clock. Bars that close are
    /// appended to `out` as two ticks each.
    pub fn advance(&mut self, ns: i64, ingest_ns: i64, out: &mut Vec<Tick>) {
        if ns <= self.reached_ns {
            return;
        }
        self.reached_ns = ns;
        while self.next_close_ns().is_some_and(|close_ns| close_ns <= ns) {
            self.close_oldest(ingest_ns, out);
        }
    }

    /// Adds a trade. To be called after [`Bars::advance`] to its event time.
    pub fn trade(&mut self, symbol: SymbolId, event_ns: i64, price: Decimal, size: Decimal) {
        let start_ns = event_ns.saturating_sub(event_ns.rem_euclid(MINUTE_NS));
        let added = close_ns(start_ns) > self.reached_ns
            && Bar::first(price, size).is_some_and(|one| self.minute(start_ns).add(symbol, one));
        self.late_count += u64::from(!added);
    }

    /// A trade that is in no bar, for its event time cannot be right.
    pub fn leave_out(&mut self) {
        self.late_count += 1;
    }

    /// The feed ends or starts over: all open bars close, and time may begin anew.
    pub fn end(&mut self, ingest_ns: i64, out: &mut Vec<Tick>) {
        while !self.minutes.is_empty() {
            self.close_oldest(ingest_ns, out);
        }
        self.reached_ns = i64::MIN;
    }

    /// Open bars are given up.
    pub fn forget(&mut self) {
        self.minutes.clear();
        self.reached_ns = i64::MIN;
    }

    /// When the clock closes the next bars, ns since the Unix epoch.
    pub fn next_close_ns(&self) -> Option<i64> {
        self.minutes.front().map(|minute| close_ns(minute.start_ns))
    }

    /// Trades in no bar: they came after its close, their event times are wrong, or their numbers
    /// are too large for sums.
    pub fn late_count(&self) -> u64 {
        self.late_count
    }

    fn minute(&mut self, start_ns: i64) -> &mut Minute {
        let at = self.minutes.partition_point(|minute| minute.start_ns < start_ns);
        if self.minutes.get(at).is_none_or(|minute| minute.start_ns != start_ns) {
            let (places, bars) = (FxHashMap::default(), Vec::new());
            self.minutes.insert(at, Minute { start_ns, places, bars });
        }
        &mut self.minutes[at]
    }

    fn close_oldest(&mut self, ingest_ns: i64, out: &mut Vec<Tick>) {
        let Some(minute) = self.minutes.pop_front() else { return };
        for (symbol, bar) in minute.bars {
            let seq = self.seqs.entry(symbol).or_insert(0);
            *seq += 1;
            let head = Head {
                symbol,
                seq: *seq,
                event_ns: minute.start_ns,
                ingest_ns,
                price_scale: bar.price_scale,
                size_scale: bar.size_scale,
            };
            out.push(Tick::new(TickBody::BarPrices(head, bar.prices)));
            out.push(Tick::new(TickBody::BarTotals(head, bar.totals())));
        }
    }
}

fn close_ns(start_ns: i64) -> i64 {
    start_ns.saturating_add(MINUTE_NS + GRACE_NS)
}

impl Minute {
    /// False where the sums do not fit; then the bar stays as it was.
    fn add(&mut self, symbol: SymbolId, one: Bar) -> bool {
        let Some(&place) = self.places.get(&symbol) else {
            self.places.insert(symbol, self.bars.len());
            self.bars.push((symbol, one));
            return true;
        };
        let bar = &mut self.bars[place].1;
        let sum = bar.then(one);
        *bar = sum.unwrap_or(*bar);
        sum.is_some()
    }
}

impl Bar {
    /// The bar of one trade; `None` where the price does not fit the scale that a bar has.
    fn first(price: Decimal, size: Decimal) -> Option<Bar> {
        let price = price.rescale(price.scale.max(PRICE_SCALE_MIN))?;
        let at = price.units;
        Some(Bar {
            price_scale: price.scale,
            size_scale: size.scale,
            prices: BarPrices { open: at, high: at, low: at, close: at },
            volume: size.units,
            trades: 1,
            notional: i128::from(at) * i128::from(size.units),
        })
    }

    /// This bar and then `later`; `None` where a number does not fit.
    fn then(&self, later: Bar) -> Option<Bar> {
        let price_scale = self.price_scale.max(later.price_scale);
        let size_scale = self.size_scale.max(later.size_scale);
        let (a, b) =
            (self.rescale(price_scale, size_scale)?, later.rescale(price_scale, size_scale)?);
        Some(Bar {
            prices: BarPrices {
                open: a.prices.open,
                high: a.prices.high.max(b.prices.high),
                low: a.prices.low.min(b.prices.low),
                close: b.prices.close,
            },
            volume: a.volume.checked_add(b.volume)?,
            trades: a.trades + b.trades,
            notional: a.notional.checked_add(b.notional)?,
            ..a
        })
    }

    /// The same bar with more digits.
    fn rescale(self, price_scale: u8, size_scale: u8) -> Option<Bar> {
        if (price_scale, size_scale) == (self.price_scale, self.size_scale) {
            return Some(self);
        }
        let price = |units| Some(Decimal::new(units, self.price_scale).rescale(price_scale)?.units);
        let more = u32::from(price_scale - self.price_scale + size_scale - self.size_scale);
        Some(Bar {
            price_scale,
            size_scale,
            prices: BarPrices {
                open: price(self.prices.open)?,
                high: price(self.prices.high)?,
                low: price(self.prices.low)?,
                close: price(self.prices.close)?,
            },
            volume: Decimal::new(self.volume, self.size_scale).rescale(size_scale)?.units,
            trades: self.trades,
            notional: self.notional.checked_mul(10_i128.checked_pow(more)?)?,
        })
    }

    /// The average is rounded to the bar's price scale, halves away from zero. A minute whose
    /// trades all have size 0 has no average: the last price stands for it.
    fn totals(&self) -> BarTotals {
        let (volume, trades) = (self.volume, self.trades);
        if volume == 0 {
            return BarTotals { volume, trades, vwap: self.prices.close };
        }
        let divisor = i128::from(volume);
        let (quotient, rest) = (self.notional / divisor, self.notional % divisor);
        // `rest` is below 2^63, so doubling it cannot overflow.
        let up = rest.abs() * 2 >= divisor;
        let average = quotient + if up { self.notional.signum() } else { 0 };
        let vwap = i64::try_from(average).expect("an average lies between low and high");
        BarTotals { volume, trades, vwap }
    }
}

const _: () = assert!(PRICE_SCALE_MIN <= SCALE_MAX, "a bar's prices must fit a tick's scales");

#[cfg(test)]
mod tests;
