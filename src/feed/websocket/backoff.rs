//! When to dial again: exponential backoff with full jitter, or what the server asks for.

use crate::limits::RETRY_HINT_MS_MAX;
use serde::Deserialize;
use std::time::Duration;

/// Longest first wait, and longest wait at all, in ms (the protocol's "1 s to 60 s").
const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 60_000;

/// Waits grow with the failures in a row.
///
/// Full jitter draws from zero to the bound, so that thousands of clients that lost the same
/// server do not come back as one wave.
#[derive(Debug)]
pub struct Backoff {
    failure_count: u32,
    rng: fastrand::Rng,
}

/// "Come back after `retry_ms` and a random part of `jitter_ms`."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct RetryHint {
    pub retry_ms: u64,
    #[serde(default)]
    pub jitter_ms: u64,
}

impl RetryHint {
    /// The reason of a Close with code 1012 or 1013, where it holds a hint.
    pub fn from_reason(reason: &str) -> Option<RetryHint> {
        serde_json::from_str(reason).ok()
    }

    /// A hint that names no jitter gets as much again, so that its readers spread as well.
    pub fn spread(retry_ms: u64) -> RetryHint {
        RetryHint { retry_ms, jitter_ms: retry_ms }
    }
}

impl Backoff {
    pub fn new(rng: fastrand::Rng) -> Backoff {
        Backoff { failure_count: 0, rng }
    }

    /// How long to wait after one more failure. A hint is a stranger's, so it is bounded.
    pub fn wait(&mut self, hint: Option<RetryHint>) -> Duration {
        let bound_ms = FIRST_MS.saturating_mul(1 << self.failure_count.min(16)).min(LONGEST_MS);
        self.failure_count = self.failure_count.saturating_add(1);
        let ms = match hint {
            Some(RetryHint { retry_ms, jitter_ms }) => {
                let jitter_ms = self.rng.u64(0..=jitter_ms.min(RETRY_HINT_MS_MAX));
                retry_ms.min(RETRY_HINT_MS_MAX) + jitter_ms
            }
            None => self.rng.u64(0..=bound_ms),
        };
        Duration::from_millis(ms)
    }

    /// Call this when data has come, not when a connection opened: a server that accepts and
    /// closes at once must not be dialled every second.
    pub fn data_flowed(&mut self) {
        self.failure_count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest_of_many(failure_count: u32) -> u128 {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        let waits = (0..2_000).map(|_| {
            backoff.failure_count = failure_count;
            backoff.wait(None).as_millis()
        });
        let waits: Vec<u128> = waits.collect();
        assert!(waits.iter().min() < Some(&1_000), "full jitter begins at zero");
        *waits.iter().max().expect("many were drawn")
    }

    #[test]
    fn waits_grow_to_a_minute_and_no_further() {
        for (failures, bound_ms) in
            [(0, 1_000), (1, 2_000), (5, 32_000), (6, 60_000), (40, 60_000), (u32::MAX, 60_000)]
        {
            let longest = longest_of_many(failures);
            assert!(longest <= bound_ms && longest > bound_ms * 9 / 10, "{failures}: {longest}");
        }
    }

    #[test]
    fn only_data_starts_it_anew() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(2));
        for _ in 0..9 {
            let _ = backoff.wait(None);
        }
        assert_eq!(backoff.failure_count, 9);
        backoff.data_flowed();
        assert!(backoff.wait(None) <= Duration::from_secs(1));
    }

    #[test]
    fn a_hint_is_kept_within_bounds() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(3));
        let hint = RetryHint::from_reason(r#"{"retry_ms":5000,"jitter_ms":2000}"#);
        for _ in 0..500 {
            let wait = backoff.wait(hint).as_millis();
            assert!((5_000..=7_000).contains(&wait), "{wait}");
        }
        assert_eq!(
            RetryHint::from_reason(r#"{"retry_ms":5,"more":true}"#),
            Some(RetryHint { retry_ms: 5, jitter_ms: 0 })
        );
        for none in ["", "going down", "{}", r#"{"retry_ms":-1}"#] {
            assert_eq!(RetryHint::from_reason(none), None);
        }
        let endless = RetryHint { retry_ms: u64::MAX, jitter_ms: u64::MAX };
        let longest_ms = 2 * u128::from(RETRY_HINT_MS_MAX);
        assert!(backoff.wait(Some(endless)).as_millis() <= longest_ms);
        assert_eq!(RetryHint::spread(7), RetryHint { retry_ms: 7, jitter_ms: 7 });
    }
}
