//! `synthetic[:KEY=VALUE,…]`.

use super::common::COMMON_KEYS;
use super::options::Options;
use super::{CommonSpec, SpecError};
use crate::limits::{FEED_RATE_MAX, SYMBOLS_MAX};
use crate::market::Symbol;

/// Records that a seeded random walk makes.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticSpec {
    /// `symbols=N`.
    pub symbols: u32,
    pub pace: Pace,
    /// `seed=N`: the same seed gives the same records, event times aside.
    pub seed: u64,
    /// `trades=PERCENT`: how many of the records are trades; 0 for quotes alone.
    pub trades_percent: u8,
    /// `names=PREFIX`: symbols `PREFIX0001` and so on in place of tickers.
    pub names: Option<String>,
    /// `test_symbols=on|off`: whether `TEST.A` to `TEST.Z` come in addition.
    pub test_symbols: bool,
}

/// When synthetic records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// `rate=N`: so many records a second, evenly, symbols at random.
    Rate(u32),
    /// `interval_ms=N,burst=N`: exactly `burst` records an interval, symbols in rotation.
    Bursts { interval_ms: u32, burst: u32 },
}

const FEED: &str = "synthetic";

const KEYS: &[&str] =
    &["symbols=", "rate=", "interval_ms=", "burst=", "seed=", "trades=", "names=", "test_symbols="];

impl Default for SyntheticSpec {
    fn default() -> SyntheticSpec {
        SyntheticSpec {
            symbols: 500,
            pace: Pace::Rate(20_000),
            seed: 1,
            trades_percent: 10,
            names: None,
            test_symbols: true,
        }
    }
}

impl SyntheticSpec {
    pub fn parse(text: &str) -> Result<(SyntheticSpec, CommonSpec), SpecError> {
        let mut options = Options::split(FEED, [KEYS, COMMON_KEYS], text)?;
        let common = CommonSpec::take(&mut options)?;
        if let Some(line) = &common.line {
            // Its records have no numbers of their own, so all of them would be refused.
            return Err(options.wrong("line", line, "it to feeds whose lines have \"sq\""));
        }
        let mut spec = SyntheticSpec::default();
        // Room is left for the test symbols.
        let symbols_max = SYMBOLS_MAX as u32 - 26;
        spec.symbols = options.take_whole("symbols", 1, symbols_max)?.unwrap_or(spec.symbols);
        spec.seed = options.take_whole("seed", 0, u64::MAX)?.unwrap_or(spec.seed);
        let trades = options.take_whole("trades", 0, 100)?;
        spec.trades_percent = trades.unwrap_or(spec.trades_percent);
        spec.names = options.take("names").map(str::to_string);
        let test_symbols = options.take_switch("test_symbols")?;
        spec.test_symbols = test_symbols.unwrap_or(spec.test_symbols);
        spec.pace = pace(&mut options)?.unwrap_or(spec.pace);
        check_names(&spec, &options)?;
        options.finish()?;
        Ok((spec, common))
    }
}

fn pace(options: &mut Options<'_>) -> Result<Option<Pace>, SpecError> {
    let rate = options.take_whole("rate", 1, FEED_RATE_MAX)?;
    let interval_ms = options.take_whole("interval_ms", 1, 3_600_000)?;
    let burst = options.take_whole("burst", 1, FEED_RATE_MAX)?;
    match (rate, interval_ms, burst) {
        (None, None, None) => Ok(None),
        (Some(rate), None, None) => Ok(Some(Pace::Rate(rate))),
        (None, Some(interval_ms), Some(burst)) => Ok(Some(Pace::Bursts { interval_ms, burst })),
        (Some(_), ..) => Err(SpecError::TwoPaces),
        (None, ..) => Err(SpecError::HalfPace),
    }
}

/// The longest of the names must be a symbol.
fn check_names(spec: &SyntheticSpec, options: &Options<'_>) -> Result<(), SpecError> {
    let Some(prefix) = &spec.names else { return Ok(()) };
    let longest = format!("{prefix}{:04}", spec.symbols);
    let cure = match Symbol::parse(&longest) {
        Ok(_) if !prefix.is_empty() => return Ok(()),
        Ok(_) => "a prefix such as names=SYM".to_string(),
        Err(why) => format!("a prefix such as names=SYM ({why})"),
    };
    Err(options.wrong("names", prefix, cure))
}
