//! When a refused client is told to come back: return slots.
//!
//! Each refusal takes the next slot of a schedule that advances no faster than a share of the
//! accept rate. So whoever follows the hints comes back spread, however many were refused at once,
//! and the rate is not exceeded again; the longer the queue, the longer the wait.

use crate::limits::RETRY_HINT_MS_MAX;

/// Share of the accept rate that is given out as slots, as a divisor, where the server has room
/// and only the rate was exceeded. The other half is for those who come for the first time.
const RATE_DIVISOR: u64 = 2;

/// The same where the server is full: who comes back will most likely be refused again, and a
/// tenth (500 a second by default) costs some 1 % of a core. The shortest wait grows likewise.
const FULL_DIVISOR: u64 = 10;
const FULL_RETRY_FACTOR: u64 = 5;

/// How urgently a client may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// There is room: over the rate, or a restart.
    Room,
    /// Full, or short of memory or time.
    Full,
}

/// Wait `retry_ms` and a random part of `jitter_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    pub retry_ms: u64,
    pub jitter_ms: u64,
}

impl Hint {
    /// For `Retry-After`, whose readers know no jitter.
    pub fn whole_s(self) -> u32 {
        u32::try_from(self.retry_ms.div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

/// The schedule of one shard.
#[derive(Debug)]
pub struct Hints {
    /// The last slot given out, in us of the shard's clock.
    last_us: u64,
    /// Accepts a second that the shard allows.
    rate: u64,
    retry_ms: u64,
    jitter_ms: u64,
}

impl Hints {
    /// `retry_ms`: the shortest wait where there is room.
    pub fn new(rate: u32, retry_ms: u64, jitter_ms: u64) -> Hints {
        let jitter_ms = jitter_ms.min(RETRY_HINT_MS_MAX / 2);
        Hints { last_us: 0, rate: u64::from(rate.max(1)), retry_ms, jitter_ms }
    }

    /// What was given out already stays as it is.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = u64::from(rate.max(1));
    }

    /// Gives out the next slot.
    pub fn next(&mut self, pace: Pace, now_ms: u64) -> Hint {
        let (divisor, factor) = match pace {
            Pace::Room => (RATE_DIVISOR, 1),
            Pace::Full => (FULL_DIVISOR, FULL_RETRY_FACTOR),
        };
        let latest_ms = RETRY_HINT_MS_MAX - self.jitter_ms;
        let soonest_us = (now_ms + (self.retry_ms * factor).min(latest_ms)) * 1_000;
        let next_us = self.last_us + 1_000_000 * divisor / self.rate;
        // A schedule that is full to its end begins again, and its slots are given out twice.
        let is_past_end = next_us > (now_ms + latest_ms) * 1_000;
        self.last_us = if is_past_end { soonest_us } else { next_us.max(soonest_us) };
        Hint { retry_ms: self.last_us / 1_000 - now_ms, jitter_ms: self.jitter_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arrivals in the fullest second.
    fn most_in_a_second(mut arrivals_ms: Vec<u64>) -> usize {
        arrivals_ms.sort_unstable();
        let ends = arrivals_ms.iter().enumerate();
        ends.map(|(at, ms)| arrivals_ms[at..].partition_point(|later| *later < ms + 1_000))
            .max()
            .unwrap_or(0)
    }

    /// Method: a herd is refused within half a second by each of some shards; all follow the hints
    /// exactly; the fullest second of their return is counted.
    #[test]
    fn a_herd_that_follows_the_hints_stays_within_the_accept_rate() {
        const HERD: u64 = 18_000;
        const RATE: u32 = 5_000;
        let mut random = fastrand::Rng::with_seed(18);
        for shards in [1_u64, 2, 7] {
            for pace in [Pace::Room, Pace::Full] {
                let new = || Hints::new(RATE / shards as u32, 1_000, 5_000);
                let mut all: Vec<Hints> = (0..shards).map(|_| new()).collect();
                let arrivals = (0..HERD).map(|client| {
                    let now_ms = 90_000 + client * 500 / HERD;
                    let hint = all[random.usize(..shards as usize)].next(pace, now_ms);
                    now_ms + hint.retry_ms + random.u64(0..=hint.jitter_ms)
                });
                let most = most_in_a_second(arrivals.collect());
                // Not a tolerance above the rate: the slots are given out for a half of it.
                assert!(most <= RATE as usize, "{most} in a second; {shards} shards, {pace:?}");
            }
        }
    }

    #[test]
    fn waits_grow_with_those_who_wait_and_are_longer_where_it_is_full() {
        let mut hints = Hints::new(1_000, 1_000, 5_000);
        let first = hints.next(Pace::Room, 50_000);
        assert_eq!(first, Hint { retry_ms: 1_000, jitter_ms: 5_000 });
        let later: Vec<_> = (0..1_000).map(|_| hints.next(Pace::Room, 50_000).retry_ms).collect();
        assert!(later.is_sorted() && later[999] == 3_000, "500 slots a second: {}", later[999]);
        assert_eq!(hints.next(Pace::Room, 500_000).retry_ms, 1_000, "the queue is gone");
        assert_eq!(Hints::new(1_000, 1_000, 5_000).next(Pace::Full, 50_000).retry_ms, 5_000);
    }

    #[test]
    fn no_hint_is_over_ten_minutes() {
        let mut hints = Hints::new(1, 1_000, 5_000);
        let longest = (0..10_000).map(|_| hints.next(Pace::Full, 7).retry_ms + 5_000).max();
        assert!(
            longest.is_some_and(|ms| (590_000..=RETRY_HINT_MS_MAX).contains(&ms)),
            "{longest:?}"
        );
        let hint = Hints::new(1, u64::MAX / 100, u64::MAX).next(Pace::Full, 7);
        assert!(hint.retry_ms + hint.jitter_ms <= RETRY_HINT_MS_MAX, "{hint:?}");
        assert_eq!(Hint { retry_ms: 1_001, jitter_ms: 0 }.whole_s(), 2);
    }
}
