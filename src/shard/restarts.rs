//! How often a shard may begin anew before that is given up.

use std::collections::VecDeque;

/// At most so many restarts in a sliding window.
#[derive(Debug)]
pub(super) struct Restarts {
    count_max: usize,
    window_ms: u64,
    /// When the latest ones were, at most `count_max`.
    times: VecDeque<u64>,
}

impl Restarts {
    pub fn new(count_max: u32, window_ms: u64) -> Restarts {
        Restarts { count_max: count_max as usize, window_ms, times: VecDeque::new() }
    }

    /// Counts one; `false` where it would be one too many.
    pub fn admit(&mut self, now_ms: u64) -> bool {
        let window_ms = self.window_ms;
        self.times.retain(|at_ms| at_ms + window_ms > now_ms);
        let admitted = self.times.len() < self.count_max;
        if admitted {
            self.times.push_back(now_ms);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_window_and_no_more() {
        let mut restarts = Restarts::new(2, 1_000);
        assert_eq!([0, 400, 999].map(|at_ms| restarts.admit(at_ms)), [true, true, false]);
        assert_eq!([1_000, 1_399, 1_400].map(|at| restarts.admit(at)), [true, false, true]);
        assert!(!Restarts::new(0, 1_000).admit(5));
    }
}
