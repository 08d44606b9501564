//! When a feed that died is started again: exponential backoff.

use crate::config::BoundarySettings;

/// ns in a ms.
const MS: i64 = 1_000_000;

/// The waits of one feed. Without jitter: one process asks one source.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    first_ns: i64,
    longest_ns: i64,
    /// Deaths in a row.
    deaths: u32,
    /// When it runs again; `None` while it does.
    due_ns: Option<i64>,
    /// When it was last started.
    started_ns: i64,
}

impl Default for Retry {
    fn default() -> Retry {
        let settings = BoundarySettings::default();
        Retry::new(settings.feed_retry_ms, settings.feed_retry_ms_max)
    }
}

impl Retry {
    pub fn new(first_ms: u64, longest_ms: u64) -> Retry {
        let ns = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(MS);
        let (first_ns, longest_ns) = (ns(first_ms), ns(longest_ms.max(first_ms)));
        Retry { first_ns, longest_ns, deaths: 0, due_ns: None, started_ns: i64::MIN }
    }

    /// Goes on with other waits: for the next death, and for a wait that is longer than the new
    /// longest.
    pub fn set_waits(&mut self, first_ms: u64, longest_ms: u64) {
        let Retry { first_ns, longest_ns, .. } = Retry::new(first_ms, longest_ms);
        (self.first_ns, self.longest_ns) = (first_ns, longest_ns);
    }

    /// The feed has died, or could not be started. Gives when it is due again. One that had run
    /// for longer than the longest wait is not one that dies at once: it begins with the shortest.
    pub fn died(&mut self, now_ns: i64) -> i64 {
        let ran = self.due_ns.is_none();
        if ran && now_ns.saturating_sub(self.started_ns) > self.longest_ns {
            self.deaths = 0;
        }
        let factor = 1_i64 << self.deaths.min(30);
        let wait_ns = self.first_ns.saturating_mul(factor).min(self.longest_ns);
        self.deaths = self.deaths.saturating_add(1);
        let due_ns = now_ns.saturating_add(wait_ns);
        self.due_ns = Some(due_ns);
        due_ns
    }

    /// When a feed that died is due; `None` where it runs.
    pub fn due_ns(&mut self, now_ns: i64) -> Option<i64> {
        let due_ns = self.due_ns?;
        // A clock that was set back would keep the feed away until it has caught up.
        let due_ns = due_ns.min(now_ns.saturating_add(self.longest_ns));
        self.due_ns = Some(due_ns);
        Some(due_ns)
    }

    /// Whether the feed is dead and will be started again.
    pub fn is_waiting(&self) -> bool {
        self.due_ns.is_some()
    }

    pub fn started(&mut self, now_ns: i64) {
        (self.due_ns, self.started_ns) = (None, now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_long_run() {
        let mut retry = Retry::new(500, 3_000);
        let mut now_ns = 1_000_000 * MS;
        for wait_ms in [500, 1_000, 2_000, 3_000, 3_000] {
            let due_ns = retry.died(now_ns);
            assert_eq!((due_ns - now_ns) / MS, wait_ms);
            assert_eq!(retry.due_ns(now_ns), Some(due_ns));
            now_ns = due_ns;
            retry.started(now_ns);
            assert_eq!(retry.due_ns(now_ns), None);
        }
        now_ns += 3_001 * MS;
        assert_eq!((retry.died(now_ns) - now_ns) / MS, 500);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_a_feed_away() {
        let mut retry = Retry::new(500, 3_000);
        retry.died(1_000_000 * MS);
        assert_eq!(retry.due_ns(10 * MS), Some(3_010 * MS));
        assert_eq!(retry.due_ns(20 * MS), Some(3_010 * MS));
    }

    #[test]
    fn other_waits_hold_for_the_wait_that_is_on() {
        let mut retry = Retry::new(500, 30_000);
        for _ in 0..9 {
            retry.died(0);
        }
        assert_eq!(retry.due_ns(0), Some(30_000 * MS));
        retry.set_waits(100, 1_000);
        assert_eq!(retry.due_ns(0), Some(1_000 * MS));
        retry.started(3_000 * MS);
        assert_eq!(retry.died(5_000 * MS) - 5_000 * MS, 100 * MS, "it ran for long enough");
    }
}
