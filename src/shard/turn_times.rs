//! How long the turns of a shard took: a histogram for who looks from outside.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bucket n holds turns of less than 2^n us, and no less than half of that; the last one all that
/// took longer: 16 ms and more, where a turn should take five at most.
const BUCKETS: usize = 16;

/// Written by the shard alone, once a turn.
#[derive(Debug, Default)]
pub struct TurnTimes {
    buckets: [AtomicU64; BUCKETS],
    longest_us: AtomicU64,
}

impl TurnTimes {
    pub(super) fn record(&self, us: u64) {
        let index = (u64::BITS - us.leading_zeros()) as usize;
        let bucket = &self.buckets[index.min(BUCKETS - 1)];
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if us > self.longest_us.load(Ordering::Relaxed) {
            self.longest_us.store(us, Ordering::Relaxed);
        }
    }

    /// Each bucket's upper bound in us and its turns; the last one's is the longest turn.
    fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let longest_us = self.longest_us.load(Ordering::Relaxed);
        counts.enumerate().map(move |(index, count)| match index + 1 == BUCKETS {
            true => (longest_us, count),
            false => (1 << index, count),
        })
    }

    /// Turns, and what half of them, 99 of 100 and all of them took at most, in us.
    pub fn summary(&self) -> (u64, [u64; 3]) {
        let buckets: Vec<(u64, u64)> = self.buckets().collect();
        let turns: u64 = buckets.iter().map(|(_, count)| count).sum();
        let longest_us = self.longest_us.load(Ordering::Relaxed);
        let at_most = |percent: u64| {
            let mut seen = 0;
            let bucket = buckets.iter().find(|(_, count)| {
                seen += count;
                seen * 100 >= turns * percent
            });
            bucket.map_or(0, |(bound_us, _)| (*bound_us).min(longest_us))
        };
        (turns, [at_most(50), at_most(99), longest_us])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_bounds_of_buckets_and_the_longest_is_exact() {
        let times = TurnTimes::default();
        assert_eq!(times.summary(), (0, [0, 0, 0]));
        (0..98).for_each(|_| times.record(5));
        times.record(900);
        times.record(1_000_000);
        assert_eq!(times.summary(), (100, [8, 1024, 1_000_000]));
        assert_eq!(times.buckets().map(|(_, count)| count).sum::<u64>(), 100);
        assert_eq!(times.buckets().last(), Some((1_000_000, 1)));
    }
}
