//! `--slow`: connections that read a little at a time, whatever waits for them.

use super::connection::SIPS_PER_SECOND;
use super::pace::Pace;

/// They read in turn, so that each does [`SIPS_PER_SECOND`] times and the work is even.
#[derive(Debug)]
pub struct SlowReaders {
    numbers: Vec<usize>,
    next: usize,
    pace: Pace,
}

impl SlowReaders {
    pub fn new() -> SlowReaders {
        SlowReaders { numbers: Vec::new(), next: 0, pace: Pace::new(0.0, 0) }
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub fn add(&mut self, number: usize, now_ns: u64) {
        self.numbers.push(number);
        self.pace = Pace::new(self.numbers.len() as f64 * SIPS_PER_SECOND, now_ns);
    }

    /// Who is to read now; after a long pause, each but once.
    pub fn take_due(&mut self, now_ns: u64) -> Vec<usize> {
        let count = self.pace.take_due(now_ns).min(self.numbers.len() as u64);
        let first = self.next;
        self.next += count as usize;
        (first..self.next).map(|at| self.numbers[at % self.numbers.len()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_in_turn() {
        let mut slow = SlowReaders::new();
        assert!(slow.take_due(1 << 40).is_empty());
        (5..9).for_each(|number| slow.add(number, 0));
        assert_eq!(slow.take_due(50_000_000), [5, 6]);
        assert_eq!(slow.take_due(125_000_000), [7, 8, 5]);
        assert_eq!(slow.take_due(9_000_000_000), [6, 7, 8, 5]);
    }
}
