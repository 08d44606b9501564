//! The watchdog: sees from outside that a shard has stopped turning.
//!
//! A shard publishes its turns and its step. One that neither sleeps nor turns is stuck: in an
//! endless loop, or in a call that does not return. Its thread cannot be ended, only the process.

use super::signals::LOOK_RUNNING;
use crate::shard::{ShardCounters, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most that one look counts for. A process that was stopped, or a machine that slept, stood
/// still as a whole, and no shard is stuck for that.
const LOOK_MS_MAX: u64 = LOOK_RUNNING.as_millis() as u64;

/// One shard, as the watchdog knows it.
#[derive(Debug)]
struct Watched {
    counters: Arc<ShardCounters>,
    turns: u64,
    still_ms: u64,
    reported: bool,
}

/// A shard that does not turn, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    pub shard: usize,
    /// What it was doing last.
    pub step: Step,
    pub still_ms: u64,
}

/// To be asked to look many times a second.
#[derive(Debug)]
pub struct Watchdog {
    shards: Vec<Watched>,
    report_ms: u64,
    exit_ms: u64,
    stuck: Arc<[AtomicBool]>,
}

impl Watchdog {
    /// A shard that stands still for `report_ms` is logged, for `exit_ms` given up.
    pub fn new(shards: Vec<Arc<ShardCounters>>, report_ms: u64, exit_ms: u64) -> Watchdog {
        let watched = |counters| Watched { counters, turns: 0, still_ms: 0, reported: false };
        let stuck = shards.iter().map(|_| AtomicBool::new(false)).collect();
        Watchdog { shards: shards.into_iter().map(watched).collect(), report_ms, exit_ms, stuck }
    }

    pub fn set_limits(&mut self, report_ms: u64, exit_ms: u64) {
        (self.report_ms, self.exit_ms) = (report_ms, exit_ms);
    }

    /// `passed_ms` is the time since the last look. Gives a shard that is given up.
    pub fn look(&mut self, passed_ms: u64) -> Option<Stuck> {
        let (report_ms, exit_ms) = (self.report_ms, self.exit_ms);
        let mut given_up = None;
        for (shard, watched) in self.shards.iter_mut().enumerate() {
            let stuck = watched.look(shard, passed_ms.min(LOOK_MS_MAX), report_ms);
            self.stuck[shard].store(watched.reported, Ordering::Relaxed);
            given_up = given_up.or(stuck.filter(|stuck| stuck.still_ms >= exit_ms));
        }
        given_up
    }

    /// By shard, whether it was reported as stuck and has not turned since.
    pub fn stuck(&self) -> Arc<[AtomicBool]> {
        self.stuck.clone()
    }

    /// Whether every shard turns or sleeps: what the system's watchdog may be told.
    pub fn is_fed(&self) -> bool {
        self.shards.iter().all(|watched| watched.still_ms < self.report_ms)
    }
}

impl Watched {
    fn look(&mut self, shard: usize, passed_ms: u64, report_ms: u64) -> Option<Stuck> {
        let (turns, step) = self.counters.progress();
        if step == Step::Sleeping || turns != self.turns {
            if self.reported {
                tracing::warn!(shard, still_ms = self.still_ms, "shard turns again");
            }
            (self.turns, self.still_ms, self.reported) = (turns, 0, false);
            return None;
        }
        self.still_ms += passed_ms;
        if self.still_ms >= report_ms && !self.reported {
            self.reported = true;
            let (still_ms, step) = (self.still_ms, step.word());
            tracing::error!(shard, step, still_ms, "shard is stuck; the watchdog is not fed");
        }
        Some(Stuck { shard, step, still_ms: self.still_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method: counters that a shard would write, and looks 100 ms apart.
    #[test]
    fn who_neither_turns_nor_sleeps_is_stuck() {
        let counters: Vec<_> = (0..2).map(|_| Arc::new(ShardCounters::default())).collect();
        let mut watchdog = Watchdog::new(counters.clone(), 300, 500);
        counters[1].enter_for_test(Step::Flush);
        assert_eq!((0..2).find_map(|_| watchdog.look(100)), None);
        assert!(watchdog.is_fed());
        assert_eq!(watchdog.look(100), None);
        assert!(!watchdog.is_fed(), "it has stood still for 300 ms");
        assert_eq!(watchdog.look(100), None);
        let stuck = Stuck { shard: 1, step: Step::Flush, still_ms: 500 };
        assert_eq!(watchdog.look(100), Some(stuck));
        counters[1].enter_for_test(Step::Sleeping);
        assert_eq!(watchdog.look(100), None);
        assert!(watchdog.is_fed());
    }

    #[test]
    fn a_stop_of_the_whole_process_counts_for_one_look() {
        let counters = Arc::new(ShardCounters::default());
        counters.enter_for_test(Step::Ticks);
        let mut watchdog = Watchdog::new(vec![counters], 300, 500);
        assert_eq!(watchdog.look(3_600_000), None);
        assert!(watchdog.is_fed());
    }
}
