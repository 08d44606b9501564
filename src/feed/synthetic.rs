//! A made-up market: a seeded random walk for each symbol, live and without end.

use super::source::{Next, Sink, Source};
use super::spec::{Pace, SyntheticSpec};
use super::tickers;
use crate::market::{Decimal, Record, RecordBody, Symbol};
use fastrand::Rng;
use std::borrow::Cow;

const SECOND_NS: i64 = 1_000_000_000;

/// Records that are due are given at most so often, so that a high rate comes in batches and not
/// in a wake-up each.
const BATCH_NS: i64 = 1_000_000;

/// What a late wake-up makes up for. What was due before is skipped.
const BACKLOG_NS: i64 = SECOND_NS;

/// Each test symbol gives a quote and a trade in this time.
const TEST_ROUND_NS: i64 = SECOND_NS;

const EXCHANGES: [&str; 10] = ["Q", "N", "P", "Z", "K", "B", "Y", "J", "D", "V"];

/// The same spec gives the same records in the same order, event times aside.
pub struct Synthetic {
    spec: SyntheticSpec,
    walks: Vec<Walk>,
    tests: Vec<Walk>,
    random: Rng,
    /// When record 0 was due. It moves when records are skipped, or when the clock is set back.
    start_ns: Option<i64>,
    /// Records given so far, without those of the test symbols.
    given_count: u64,
    tests_given_count: u64,
}

/// One symbol's market, in cents.
struct Walk {
    symbol: Symbol,
    tape: &'static str,
    mid: i64,
    /// Half the spread: at least a cent, more for what costs more.
    half_spread: i64,
    trade_id: u64,
}

impl Synthetic {
    pub fn new(spec: &SyntheticSpec) -> Synthetic {
        let names = match &spec.names {
            Some(prefix) => tickers::numbered(prefix, spec.symbols),
            None => tickers::tickers(spec.symbols),
        };
        let tests = if spec.test_symbols { tickers::test_symbols() } else { Vec::new() };
        let mut random = Rng::with_seed(spec.seed);
        let walk = |(symbol, cents), random: &mut Rng| Walk::new(symbol, cents, random);
        Synthetic {
            spec: spec.clone(),
            walks: names.into_iter().map(|name| walk(name, &mut random)).collect(),
            tests: tests.into_iter().map(|name| walk(name, &mut random)).collect(),
            random,
            start_ns: None,
            given_count: 0,
            tests_given_count: 0,
        }
    }

    /// When the next record is due, and whether it is one of a test symbol.
    fn due_ns(&self, start_ns: i64) -> (i64, bool) {
        let offset_ns = match self.spec.pace {
            Pace::Rate(rate) => scale(self.given_count, SECOND_NS, u64::from(rate)),
            Pace::Bursts { interval_ms, burst } => {
                scale(self.given_count / u64::from(burst), i64::from(interval_ms) * 1_000_000, 1)
            }
        };
        let tests = self.tests.len() as u64;
        let test_offset_ns = match tests {
            0 => i64::MAX,
            _ => scale(self.tests_given_count, TEST_ROUND_NS, tests),
        };
        (start_ns.saturating_add(offset_ns.min(test_offset_ns)), test_offset_ns < offset_ns)
    }

    /// Where record 0 is, so that what is due now is neither too old nor too far ahead. Moving the
    /// beginning skips time, not records, so the order of records stays that of the seed.
    fn settle(&mut self, now_ns: i64) -> i64 {
        let start_ns = *self.start_ns.get_or_insert(now_ns);
        let (due_ns, _) = self.due_ns(start_ns);
        let period_ns = match self.spec.pace {
            Pace::Rate(rate) => SECOND_NS / i64::from(rate),
            Pace::Bursts { interval_ms, .. } => i64::from(interval_ms) * 1_000_000,
        };
        let behind_ns = now_ns.saturating_sub(due_ns);
        let shift_ns = if behind_ns > BACKLOG_NS {
            behind_ns - BACKLOG_NS
        } else if behind_ns < -(period_ns + BACKLOG_NS) {
            behind_ns
        } else {
            0
        };
        let start_ns = start_ns.saturating_add(shift_ns);
        self.start_ns = Some(start_ns);
        start_ns
    }

    fn give(&mut self, event_ns: i64, sink: &mut Sink<'_>) {
        let count = self.walks.len();
        let at = match self.spec.pace {
            Pace::Bursts { .. } => (self.given_count % count as u64) as usize,
            // The square makes the first symbols the busiest, as in a real market.
            Pace::Rate(_) => {
                let even = self.random.f64();
                ((even * even * count as f64) as usize).min(count - 1)
            }
        };
        self.given_count += 1;
        let is_trade = self.random.u8(..100) < self.spec.trades_percent;
        let walk = &mut self.walks[at];
        walk.step(&mut self.random);
        let record = match is_trade {
            true => walk.trade(event_ns, &mut self.random),
            false => walk.quote(event_ns, &mut self.random),
        };
        sink(record).ok();
    }

    fn give_test(&mut self, event_ns: i64, sink: &mut Sink<'_>) {
        let at = (self.tests_given_count % self.tests.len() as u64) as usize;
        self.tests_given_count += 1;
        let walk = &mut self.tests[at];
        walk.step(&mut self.random);
        sink(walk.quote(event_ns, &mut self.random)).ok();
        if self.spec.trades_percent > 0 {
            sink(walk.trade(event_ns, &mut self.random)).ok();
        }
    }
}

impl Source for Synthetic {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        let start_ns = self.settle(now_ns);
        for _ in 0..budget {
            let (due_ns, is_test) = self.due_ns(start_ns);
            if due_ns > now_ns {
                let exact = matches!(self.spec.pace, Pace::Bursts { .. });
                return Next::At(if exact { due_ns } else { due_ns.max(now_ns + BATCH_NS) });
            }
            match self.spec.pace {
                _ if is_test => self.give_test(now_ns, sink),
                Pace::Rate(_) => self.give(now_ns, sink),
                // One instant for a whole burst, however many polls it takes.
                Pace::Bursts { .. } => self.give(due_ns, sink),
            }
        }
        Next::More
    }

    /// The walk begins anew; what is numbered goes on.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        *self = Synthetic::new(&self.spec);
        Some(Ok(()))
    }

    fn is_live(&self) -> bool {
        true
    }

    /// The walk goes on; what is due is counted anew, so that nothing is due twice or made up for.
    fn set_pace(&mut self, pace: Pace) {
        if self.spec.pace != pace {
            self.spec.pace = pace;
            (self.start_ns, self.given_count, self.tests_given_count) = (None, 0, 0);
        }
    }
}

impl Walk {
    fn new(symbol: Symbol, cents: Option<i64>, random: &mut Rng) -> Walk {
        let mid = cents.unwrap_or_else(|| random.i64(500..30_000));
        let tape = *["A", "B", "C"].get(random.usize(..3)).expect("three tapes");
        Walk { symbol, tape, mid, half_spread: 1 + mid / 20_000, trade_id: 0 }
    }

    /// Moves by up to a hundredth of a percent and a cent, and never below a dollar.
    fn step(&mut self, random: &mut Rng) {
        let most = 1 + self.mid / 10_000;
        self.mid = (self.mid + random.i64(-most..=most)).clamp(100, 1_000_000_000);
    }

    fn quote(&self, event_ns: i64, random: &mut Rng) -> Record<'static> {
        let half_spread = self.half_spread + i64::from(random.u8(..8) == 0);
        let body = RecordBody::Quote {
            bid: (Decimal::new(self.mid - half_spread, 2), lots(random)),
            bid_exchange: exchange(random),
            ask: (Decimal::new(self.mid + half_spread, 2), lots(random)),
            ask_exchange: exchange(random),
        };
        Record { symbol: self.symbol, event_ns, seq: None, body }
    }

    fn trade(&mut self, event_ns: i64, random: &mut Rng) -> Record<'static> {
        self.trade_id += 1;
        let side = if random.bool() { self.half_spread } else { -self.half_spread };
        let odd = random.u8(..100) < 15;
        let size = if odd { Decimal::new(random.i64(1..100), 0) } else { lots(random) };
        let body = RecordBody::Trade {
            id: Some(self.trade_id),
            price: Decimal::new(self.mid + side, 2),
            size,
            exchange: exchange(random),
            tape: Cow::Borrowed(self.tape),
            conditions: Cow::Borrowed(if odd { "@,I" } else { "@" }),
        };
        Record { symbol: self.symbol, event_ns, seq: None, body }
    }
}

fn exchange(random: &mut Rng) -> Cow<'static, str> {
    Cow::Borrowed(EXCHANGES[random.usize(..EXCHANGES.len())])
}

/// A size in round lots; the small ones are the frequent ones.
fn lots(random: &mut Rng) -> Decimal {
    let even = random.f64();
    Decimal::new(100 * (1 + (even * even * 20.0) as i64), 0)
}

/// `count * step_ns / parts`, without a loss of digits on the way.
fn scale(count: u64, step_ns: i64, parts: u64) -> i64 {
    let offset = i128::from(count) * i128::from(step_ns) / i128::from(parts);
    i64::try_from(offset).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
