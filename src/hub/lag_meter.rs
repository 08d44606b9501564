//! How late a shard is: the start of its turns, and the oldest tick when it is sent.
//!
//! A sliding window of two halves: the older one is dropped when the newer one is full. Time is
//! an argument; where nothing is measured, nothing is late.

use hdrhistogram::Histogram;

/// A window covers between one and two halves. Long enough for a hundred turns of a busy shard,
/// short enough that an overload is over when the operator looks.
const HALF_MS: u64 = 2_500;

/// Longest lag that is told apart, in us; memory is 11 KiB a histogram at two digits.
const LAG_US_MAX: u64 = 60_000_000;

/// What a window says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagReading {
    /// p99 of how late turns began.
    pub turn_us: u64,
    /// p99 of the age of the oldest tick of each flush, beyond the batching window.
    pub tick_us: u64,
    /// Samples above the limit that was asked about, of both.
    pub over: u64,
    /// Share of the time that was spent in turns.
    pub busy_percent: u64,
}

impl LagReading {
    pub fn worst_us(&self) -> u64 {
        self.turn_us.max(self.tick_us)
    }
}

#[derive(Debug)]
struct Half {
    turns: Histogram<u32>,
    ticks: Histogram<u32>,
    busy_us: u64,
    began_ms: u64,
}

impl Half {
    fn new(now_ms: u64) -> Half {
        let empty = || Histogram::new_with_bounds(1, LAG_US_MAX, 2).expect("valid bounds");
        Half { turns: empty(), ticks: empty(), busy_us: 0, began_ms: now_ms }
    }

    fn reset(&mut self, now_ms: u64) {
        self.turns.reset();
        self.ticks.reset();
        (self.busy_us, self.began_ms) = (0, now_ms);
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct LagMeter {
    newer: Half,
    older: Half,
    sum: Histogram<u32>,
}

impl LagMeter {
    pub fn new(now_ms: u64) -> LagMeter {
        let sum = Histogram::new_with_bounds(1, LAG_US_MAX, 2).expect("valid bounds");
        LagMeter { newer: Half::new(now_ms), older: Half::new(now_ms), sum }
    }

    /// A turn that began so late and took so long.
    pub fn turn(&mut self, late_us: u64, busy_us: u64, now_ms: u64) {
        self.slide(now_ms);
        self.newer.turns.saturating_record(late_us);
        self.newer.busy_us += busy_us;
    }

    /// The oldest tick of a flush was so old, less the batching window, when all had been sent.
    pub fn flush(&mut self, age_us: u64, now_ms: u64) {
        self.slide(now_ms);
        self.newer.ticks.saturating_record(age_us);
    }

    /// Forgets everything: what comes next is measured under other conditions.
    pub fn clear(&mut self, now_ms: u64) {
        self.newer.reset(now_ms);
        self.older.reset(now_ms);
    }

    /// What the window says now; `limit_us` is for the count of those over it.
    pub fn read(&mut self, limit_us: u64, now_ms: u64) -> LagReading {
        self.slide(now_ms);
        let limit_us = limit_us.min(LAG_US_MAX - 1);
        let (newer, older) = (&self.newer, &self.older);
        let busy_us = newer.busy_us + older.busy_us;
        let span_us = (now_ms - older.began_ms).max(1) * 1_000;
        let mut p99 = |newer: &Histogram<u32>, older: &Histogram<u32>| {
            self.sum.reset();
            self.sum.add(newer).expect("same bounds");
            self.sum.add(older).expect("same bounds");
            let over = self.sum.count_between(limit_us + 1, LAG_US_MAX);
            (self.sum.value_at_quantile(0.99), over)
        };
        let (turn_us, turns_over) = p99(&newer.turns, &older.turns);
        let (tick_us, ticks_over) = p99(&newer.ticks, &older.ticks);
        LagReading {
            turn_us,
            tick_us,
            over: turns_over + ticks_over,
            busy_percent: (busy_us * 100 / span_us).min(100),
        }
    }

    fn slide(&mut self, now_ms: u64) {
        let passed_ms = now_ms.saturating_sub(self.newer.began_ms);
        if passed_ms < HALF_MS {
            return;
        }
        std::mem::swap(&mut self.newer, &mut self.older);
        self.newer.reset(now_ms);
        if passed_ms >= 2 * HALF_MS {
            self.older.reset(now_ms - HALF_MS); // nothing happened for so long
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_in_two_halves_and_ends_in_silence() {
        let mut meter = LagMeter::new(0);
        for ms in 0..100 {
            meter.turn(1_000, 500, ms * 10);
        }
        meter.flush(80_000, 1_000);
        let reading = meter.read(50_000, 1_000);
        assert!((1_000..1_020).contains(&reading.turn_us), "{reading:?}");
        assert!((80_000..81_000).contains(&reading.tick_us), "{reading:?}");
        assert_eq!((reading.over, reading.busy_percent), (1, 5));
        meter.turn(2, 0, 2_600);
        assert!(meter.read(0, 2_600).tick_us >= 80_000, "the older half still counts");
        meter.turn(2, 0, 5_200);
        assert_eq!(meter.read(50_000, 5_200).worst_us(), 2, "the first half is gone");
        assert_eq!(meter.read(50_000, 60_000), LagReading::default());
    }

    #[test]
    fn one_late_turn_in_two_hundred_is_not_the_p99_and_none_is_too_long_for_it() {
        let mut meter = LagMeter::new(0);
        for ms in 0..199 {
            meter.turn(100, 100, ms);
        }
        meter.turn(u64::MAX, 0, 200);
        let reading = meter.read(1_000, 200);
        assert!(reading.turn_us < 110 && reading.over == 1, "{reading:?}");
        meter.clear(200);
        assert_eq!(meter.read(1_000, 201).worst_us(), 0);
    }
}
