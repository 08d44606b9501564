//! The names of synthetic symbols: well-known tickers first, then made-up ones.

use crate::market::Symbol;

/// The well-known, with the price in cents near which each begins.
const KNOWN: [(&str, i64); 60] = [
    ("AAPL", 23_000),
    ("MSFT", 43_000),
    ("NVDA", 13_500),
    ("AMZN", 20_000),
    ("GOOGL", 17_500),
    ("META", 58_000),
    ("TSLA", 33_000),
    ("SPY", 59_000),
    ("QQQ", 51_000),
    ("IWM", 22_500),
    ("BRK.B", 47_000),
    ("JPM", 24_500),
    ("V", 31_500),
    ("UNH", 51_000),
    ("XOM", 11_000),
    ("LLY", 78_000),
    ("JNJ", 14_800),
    ("WMT", 9_300),
    ("MA", 53_000),
    ("PG", 16_900),
    ("AVGO", 22_800),
    ("HD", 39_500),
    ("ORCL", 17_000),
    ("CVX", 14_800),
    ("MRK", 10_000),
    ("KO", 6_300),
    ("PEP", 15_300),
    ("COST", 93_000),
    ("ABBV", 17_700),
    ("BAC", 4_400),
    ("ADBE", 44_500),
    ("CRM", 33_500),
    ("NFLX", 90_000),
    ("AMD", 12_500),
    ("MCD", 29_000),
    ("CSCO", 5_900),
    ("TMO", 52_000),
    ("INTC", 2_050),
    ("ABT", 11_400),
    ("DIS", 11_200),
    ("PFE", 2_600),
    ("WFC", 7_100),
    ("IBM", 22_400),
    ("GE", 17_000),
    ("QCOM", 15_500),
    ("CAT", 37_000),
    ("T", 2_270),
    ("VZ", 4_000),
    ("NKE", 7_600),
    ("BA", 17_700),
    ("GS", 57_500),
    ("MS", 12_600),
    ("C", 7_000),
    ("AIG", 7_300),
    ("F", 990),
    ("GM", 5_100),
    ("UBER", 6_100),
    ("PLTR", 7_900),
    ("COIN", 26_500),
    ("GME", 3_000),
];

/// Letters of a made-up ticker, and how many such tickers there are.
const LETTERS: u32 = 4;
const MADE_UP_COUNT: u32 = 26_u32.pow(LETTERS);

/// Coprime to the count, so that consecutive numbers give different and unlike tickers.
const MADE_UP_STEP: u64 = 264_977;

/// `count` different tickers with the price in cents near which each begins, where that is known.
pub fn tickers(count: u32) -> Vec<(Symbol, Option<i64>)> {
    let known = KNOWN.iter().map(|(name, cents)| (symbol(name), Some(*cents)));
    let is_known = |name: &str| KNOWN.iter().any(|(known, _)| *known == name);
    let made_up = (0..MADE_UP_COUNT).map(made_up).filter(|name| !is_known(name));
    known.chain(made_up.map(|name| (symbol(&name), None))).take(count as usize).collect()
}

/// `PREFIX0001` to the count, padded to four digits, or to as many as the count has.
pub fn numbered(prefix: &str, count: u32) -> Vec<(Symbol, Option<i64>)> {
    let width = count.to_string().len().max(4);
    (1..=count).map(|n| (symbol(&format!("{prefix}{n:0width$}")), None)).collect()
}

/// `TEST.A` to `TEST.Z`.
pub fn test_symbols() -> Vec<(Symbol, Option<i64>)> {
    ('A'..='Z').map(|letter| (symbol(&format!("TEST.{letter}")), None)).collect()
}

fn made_up(number: u32) -> String {
    let mut rest = (u64::from(number) * MADE_UP_STEP % u64::from(MADE_UP_COUNT)) as u32;
    let mut name = String::new();
    for _ in 0..LETTERS {
        name.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    name
}

fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).expect("made-up names are symbols, and prefixes are checked when parsed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SYMBOLS_MAX;
    use std::collections::HashSet;

    #[test]
    fn all_names_are_different() {
        let all = tickers(SYMBOLS_MAX as u32);
        let names: HashSet<Symbol> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!((names.len(), all[0].0.as_str()), (SYMBOLS_MAX, "AAPL"));
        assert_eq!(test_symbols()[25].0.as_str(), "TEST.Z");
    }

    #[test]
    fn numbers_are_padded_to_one_width() {
        let last = |count| numbered("SYM", count).last().map(|(name, _)| name.to_string());
        assert_eq!(last(50).as_deref(), Some("SYM0050"));
        assert_eq!(last(12_345).as_deref(), Some("SYM12345"));
        assert_eq!(numbered("SYM", 12_345)[0].0.as_str(), "SYM00001");
    }
}
