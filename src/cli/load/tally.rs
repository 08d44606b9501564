//! Rates and latency of the counting window.

use super::digest::Digest;
use hdrhistogram::Histogram;
use serde::Serialize;

/// Bounds and precision of latencies, in µs: 1 µs to 60 s, three digits.
const LATENCY_US_MAX: u64 = 60_000_000;
const DIGITS: u8 = 3;

/// An event time further than this from now, in µs, is not of now: a day.
const ABSURD_US: i64 = 86_400_000_000;

/// What came within the window to the readers of one class.
#[derive(Debug)]
pub struct Tally {
    /// Calls of recv(2) that gave bytes.
    pub read_count: u64,
    pub frame_count: u64,
    pub byte_count: u64,
    pub item_count: u64,
    /// Sequence numbers that these readers did not get: merged, announced as a gap, or lost.
    pub missing_count: u64,
    latency: Histogram<u64>,
    /// Items whose event time is a day or more away from now.
    absurd_count: u64,
}

/// Percentiles in µs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    pub mean: f64,
}

impl Tally {
    pub fn new() -> Tally {
        Tally {
            read_count: 0,
            frame_count: 0,
            byte_count: 0,
            item_count: 0,
            missing_count: 0,
            latency: new_histogram(),
            absurd_count: 0,
        }
    }

    #[inline]
    pub fn frame(&mut self, frame_bytes: usize) {
        self.frame_count += 1;
        self.byte_count += frame_bytes as u64;
    }

    /// `now_us` is the time after the read that brought the items, since the Unix epoch.
    #[inline]
    pub fn items(&mut self, digest: &Digest, now_us: i64) {
        self.item_count += u64::from(digest.item_count);
        for (event_us, count) in &digest.times {
            let latency_us = now_us.saturating_sub(*event_us);
            if latency_us.abs() >= ABSURD_US {
                self.absurd_count += u64::from(*count);
            } else {
                self.latency.saturating_record_n(latency_us.max(1) as u64, u64::from(*count));
            }
        }
    }

    /// `None` where most event times are not of now, as those of a recording are not.
    pub fn latency(&self) -> Option<Percentiles> {
        (self.absurd_count <= self.latency.len()).then(|| percentiles(&self.latency))
    }
}

/// Shared with the latency of connects.
pub fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, DIGITS).expect("the bounds are constants")
}

pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile| histogram.value_at_quantile(quantile);
    Percentiles {
        count: histogram.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max(),
        mean: histogram.mean(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(times: &[(i64, u32)]) -> Digest {
        let item_count = times.iter().map(|(_, count)| count).sum();
        Digest { times: times.to_vec(), item_count, ..Digest::default() }
    }

    #[test]
    fn latency_is_now_minus_event_time() {
        let mut tally = Tally::new();
        tally.items(&digest(&[(1_000_000, 3), (999_000, 1)]), 1_000_500);
        // Clocks of two cores may differ by a little; that is the least latency, not an error.
        tally.items(&digest(&[(1_000_600, 1)]), 1_000_500);
        assert_eq!(tally.item_count, 5);
        let latency = tally.latency().expect("times of now");
        assert_eq!((latency.count, latency.p50, latency.max), (5, 500, 1500));
    }

    #[test]
    fn times_of_a_recording_give_no_latency() {
        let mut tally = Tally::new();
        tally.items(&digest(&[(0, 5), (ABSURD_US, 4)]), ABSURD_US);
        assert_eq!(tally.latency(), None);
        assert_eq!(Tally::new().latency().map(|l| l.count), Some(0));
    }
}
