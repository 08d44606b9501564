//! A histogram that one thread writes and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Four buckets for each doubling: a quantile is at most a quarter too high. The last one ends at
/// 2^25: for times in us that is half a minute, and what took longer counts as that.
pub const BUCKETS: usize = 96;

/// Relaxed stores by one thread; whoever reads may see a value in its bucket and not in the sum.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    largest: AtomicU64,
}

/// What a histogram held at one moment, or between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// By bucket, see [`bound`].
    pub buckets: [u64; BUCKETS],
    pub sum: u64,
    /// The largest value ever recorded, also in the reading of a part of the time.
    pub largest: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let buckets = [const { AtomicU64::new(0) }; BUCKETS];
        Histogram { buckets, sum: AtomicU64::new(0), largest: AtomicU64::new(0) }
    }
}

impl Default for Reading {
    fn default() -> Reading {
        Reading { buckets: [0; BUCKETS], sum: 0, largest: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&self, value: u64) {
        let add = |to: &AtomicU64, more: u64| {
            to.store(to.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
        };
        add(&self.buckets[bucket(value)], 1);
        add(&self.sum, value);
        if value > self.largest.load(Ordering::Relaxed) {
            self.largest.store(value, Ordering::Relaxed);
        }
    }

    pub fn read(&self) -> Reading {
        let mut reading = Reading::default();
        for (to, from) in reading.buckets.iter_mut().zip(&self.buckets) {
            *to = from.load(Ordering::Relaxed);
        }
        reading.sum = self.sum.load(Ordering::Relaxed);
        reading.largest = self.largest.load(Ordering::Relaxed);
        reading
    }
}

impl Reading {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// What was recorded after `earlier`, a reading of the same histogram.
    pub fn since(&self, earlier: &Reading) -> Reading {
        let mut part = self.clone();
        for (count, before) in part.buckets.iter_mut().zip(earlier.buckets) {
            *count = count.saturating_sub(before);
        }
        part.sum = self.sum.wrapping_sub(earlier.sum);
        part
    }

    /// Adds what another histogram held.
    pub fn add(&mut self, other: &Reading) {
        for (count, more) in self.buckets.iter_mut().zip(other.buckets) {
            *count += more;
        }
        self.sum = self.sum.wrapping_add(other.sum);
        self.largest = self.largest.max(other.largest);
    }

    /// What so many of a thousand values are not above; 0 where there is none. It is the upper
    /// bound of a bucket, or the largest value where that is lower.
    pub fn permille(&self, permille: u64) -> u64 {
        let (count, mut seen) = (u128::from(self.count()), 0);
        let holds = |(_, more): &(usize, &u64)| {
            seen += u128::from(**more);
            seen > 0 && seen * 1_000 >= count * u128::from(permille)
        };
        let found = self.buckets.iter().enumerate().find(holds);
        found.map_or(0, |(index, _)| match index + 1 {
            BUCKETS => self.largest,
            _ => bound(index).min(self.largest),
        })
    }
}

/// Bucket n holds what is above the bound of the one before it and not above its own.
pub fn bound(bucket: usize) -> u64 {
    match bucket {
        0..4 => bucket as u64 + 1,
        _ => (5 + bucket as u64 % 4) << (bucket / 4 - 1),
    }
}

fn bucket(value: u64) -> usize {
    let below = value.saturating_sub(1);
    if below < 4 {
        return below as usize;
    }
    let power = below.ilog2() as usize;
    let quarter = (below >> (power - 2)) as usize & 3;
    ((power - 1) * 4 + quarter).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_bucket_whose_bounds_enclose_it() {
        assert_eq!(bound(BUCKETS - 1), 1 << 25);
        let edges = (0..BUCKETS).flat_map(|index| [bound(index), bound(index) + 1]);
        for value in edges.chain(0..5_000).filter(|value| *value <= 1 << 25) {
            let index = bucket(value);
            assert!(value <= bound(index), "{value} in bucket {index}");
            assert!(index == 0 || value > bound(index - 1), "{value} in bucket {index}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_bounds_of_buckets_and_the_largest_is_exact() {
        let times = Histogram::default();
        assert_eq!(times.read().permille(500), 0);
        (0..98).for_each(|_| times.record(5));
        times.record(900);
        times.record(100_000_000);
        let reading = times.read();
        assert_eq!([500, 990, 1_000].map(|p| reading.permille(p)), [5, 1_024, 100_000_000]);
        assert_eq!((reading.count(), reading.sum), (100, 490 + 900 + 100_000_000));
        times.record(40);
        let since = times.read().since(&reading);
        assert_eq!((since.count(), since.sum, since.permille(1_000)), (1, 40, 40));
        let mut both = since.clone();
        both.add(&since);
        assert_eq!((both.count(), both.sum), (2, 80));
    }
}
