//! `--churn`: connections beside the measured ones that come, subscribe, stay a moment and leave.

use super::pace::Pace;
use std::collections::VecDeque;
use std::time::Duration;

/// How long one stays after it opened: long enough for its snapshot and a few ticks.
const STAY_NS: u64 = Duration::from_millis(100).as_nanos() as u64;

/// How long the server may take to end one that left.
const LEAVING_NS_MAX: u64 = Duration::from_secs(3).as_nanos() as u64;

/// Most of them at once, in seconds of their rate.
pub const SECONDS_AT_ONCE: f64 = 2.0;

#[derive(Debug)]
pub struct Churn {
    pace: Pace,
    open_max: usize,
    /// Open or opening.
    open_count: usize,
    /// Numbers of connections that ended, for the next ones.
    free: Vec<usize>,
    /// When who leaves, or is dropped if it has left; in order, since all stay as long.
    leaving: VecDeque<Appointment>,
    dropping: VecDeque<Appointment>,
}

/// The time of the dial tells connections of one number apart.
#[derive(Debug, Clone, Copy)]
struct Appointment {
    at_ns: u64,
    number: usize,
    dialled_ns: u64,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Dial one; where a number is given, that of one that has ended.
    Dial(Option<usize>),
    /// One is due, but as many as may be are there.
    Skip,
    /// Say goodbye, if the connection was dialled then.
    Leave { number: usize, dialled_ns: u64 },
    /// Drop it: the server did not end it in time.
    Drop { number: usize, dialled_ns: u64 },
}

impl Churn {
    pub fn new(per_second: f64, now_ns: u64) -> Churn {
        Churn {
            pace: Pace::new(per_second, now_ns),
            open_max: open_max(per_second),
            open_count: 0,
            free: Vec::new(),
            leaving: VecDeque::new(),
            dropping: VecDeque::new(),
        }
    }

    /// Everything that is due, in order.
    pub fn deeds(&mut self, now_ns: u64, deeds: &mut Vec<Deed>) {
        while let Some(due) = self.leaving.pop_front_if(|due| due.at_ns <= now_ns) {
            let Appointment { number, dialled_ns, .. } = due;
            self.dropping.push_back(Appointment { at_ns: now_ns + LEAVING_NS_MAX, ..due });
            deeds.push(Deed::Leave { number, dialled_ns });
        }
        while let Some(due) = self.dropping.pop_front_if(|due| due.at_ns <= now_ns) {
            let Appointment { number, dialled_ns, .. } = due;
            deeds.push(Deed::Drop { number, dialled_ns });
        }
        for _ in 0..self.pace.take_due(now_ns) {
            if self.open_count == self.open_max {
                deeds.push(Deed::Skip);
                continue;
            }
            self.open_count += 1;
            deeds.push(Deed::Dial(self.free.pop()));
        }
    }

    pub fn opened(&mut self, number: usize, dialled_ns: u64, now_ns: u64) {
        self.leaving.push_back(Appointment { at_ns: now_ns + STAY_NS, number, dialled_ns });
    }

    pub fn ended(&mut self, number: usize) {
        self.open_count -= 1;
        self.free.push(number);
    }
}

/// Descriptors that a churn of this rate may need.
pub fn open_max(per_second: f64) -> usize {
    (per_second * SECONDS_AT_ONCE).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn deeds(churn: &mut Churn, now_ns: u64) -> Vec<Deed> {
        let mut deeds = Vec::new();
        churn.deeds(now_ns, &mut deeds);
        deeds
    }

    #[test]
    fn one_comes_stays_and_leaves_and_its_number_is_used_again() {
        let mut churn = Churn::new(10.0, 0);
        assert_eq!(deeds(&mut churn, 100 * MS), [Deed::Dial(None)]);
        churn.opened(7, 100 * MS, 110 * MS);
        let leave = Deed::Leave { number: 7, dialled_ns: 100 * MS };
        assert_eq!(deeds(&mut churn, 210 * MS), [leave, Deed::Dial(None)]);
        churn.ended(7);
        assert_eq!(deeds(&mut churn, 300 * MS), [Deed::Dial(Some(7))]);
        let late = deeds(&mut churn, 4_000 * MS);
        assert_eq!(late[0], Deed::Drop { number: 7, dialled_ns: 100 * MS });
    }

    #[test]
    fn what_does_not_end_is_not_added_to() {
        let mut churn = Churn::new(10.0, 0);
        let dialled = deeds(&mut churn, 10_000 * MS);
        let dials = dialled.iter().filter(|deed| **deed == Deed::Dial(None)).count();
        assert_eq!((dials, dialled.len()), (20, 100));
        assert_eq!(dialled[99], Deed::Skip);
    }
}
