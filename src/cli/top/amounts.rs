//! Numbers as people read them, short enough for a column.

use crate::control::report::{ByWord, Used};

/// `18,202`; from a hundred thousand on three digits and a unit: `1.54M`.
pub fn count(value: u64) -> String {
    match value {
        0..1_000 => value.to_string(),
        1_000..100_000 => format!("{},{:03}", value / 1_000, value % 1_000),
        _ => scaled(value as f64, 1_000.0, &["", "k", "M", "G", "T", "P", "E"]),
    }
}

/// `1.25MiB`.
pub fn bytes(value: u64) -> String {
    scaled(value as f64, 1_024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// Three digits of a value and the unit in which it is below the base.
fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 || value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{}", units[unit])
}

/// Five columns: `840µs`, `1.2ms`, `123ms`, `1.2s`.
pub fn micros(value: u64) -> String {
    match value {
        0..1_000 => format!("{value}µs"),
        1_000..9_950 => format!("{:.1}ms", value as f64 / 1e3),
        9_950..999_500 => format!("{}ms", (value + 500) / 1_000),
        999_500..99_950_000 => format!("{:.1}s", value as f64 / 1e6),
        _ => format!("{}s", value / 1_000_000),
    }
}

/// `12s`, `3min20s`, `2h05min`, `4d03h`.
pub fn seconds(value: f64) -> String {
    // Saturates, whatever a server says.
    let s = value.max(0.0) as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}min{:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h{:02}min", s / 3_600, s % 3_600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// Ms below ten seconds, and as [`seconds`] above.
pub fn millis(value: u64) -> String {
    match value {
        0..10_000 => format!("{value}ms"),
        _ => seconds(value as f64 / 1e3),
    }
}

/// Rounded up, since 95.4 % is over 95 %; none where there is no limit.
pub fn percent(used: Used) -> Option<u64> {
    let share = (u128::from(used.used) * 100).div_ceil(u128::from(used.limit).max(1));
    (used.limit > 0).then(|| u64::try_from(share).unwrap_or(u64::MAX))
}

/// The sum, and the three largest reasons: `12 (full 10, rate 2)`.
pub fn reasons(counts: &ByWord) -> String {
    let sum = counts.values().fold(0u64, |sum, count| sum.saturating_add(*count));
    let mut largest: Vec<_> = counts.iter().collect();
    largest.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let told: Vec<String> =
        largest.iter().take(3).map(|(word, n)| format!("{word} {}", count(**n))).collect();
    match told.is_empty() {
        true => count(sum),
        false => format!("{} ({})", count(sum), told.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let counts = [0, 999, 1_000, 18_202, 99_999, 100_000, 1_542_201, u64::MAX];
        let shown = ["0", "999", "1,000", "18,202", "99,999", "100k", "1.54M", "18.4E"];
        assert_eq!(counts.map(count), shown);
        let sizes = [0, 1_023, 1_536, 10 << 20, 19_231 << 20];
        assert_eq!(sizes.map(bytes), ["0B", "1023B", "1.50KiB", "10.0MiB", "18.8GiB"]);
        let times = [0, 840, 1_200, 9_999, 123_456, 1_200_000, 250_000_000];
        assert_eq!(times.map(micros), ["0µs", "840µs", "1.2ms", "10ms", "123ms", "1.2s", "250s"]);
        let spans = [-1.0, 12.9, 200.0, 7_500.0, 356_400.0, f64::NAN];
        assert_eq!(spans.map(seconds), ["0s", "12s", "3min20s", "2h05min", "4d03h", "0s"]);
    }

    #[test]
    fn a_share_is_rounded_up_and_needs_a_limit() {
        let of = |used, limit| percent(Used { used, limit });
        assert_eq!(
            [of(0, 10), of(954, 1_000), of(3, 2), of(5, 0)],
            [Some(0), Some(96), Some(150), None]
        );
        assert_eq!(of(u64::MAX, 1), Some(u64::MAX));
    }
}
