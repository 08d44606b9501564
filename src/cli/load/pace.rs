//! Things that are due so many times a second, evenly.

/// Counts what is due; whoever asks late gets all of it at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    per_second: f64,
    began_ns: u64,
    done_count: u64,
}

impl Pace {
    pub fn new(per_second: f64, now_ns: u64) -> Pace {
        Pace { per_second, began_ns: now_ns, done_count: 0 }
    }

    /// How many became due since the last call.
    pub fn take_due(&mut self, now_ns: u64) -> u64 {
        let seconds = now_ns.saturating_sub(self.began_ns) as f64 / 1e9;
        let due = (seconds * self.per_second) as u64;
        let count = due.saturating_sub(self.done_count);
        self.done_count += count;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_due_as_asked_for() {
        let mut pace = Pace::new(200.0, 7);
        assert_eq!(pace.take_due(7), 0);
        let counts: Vec<u64> = (1..=10).map(|ms| pace.take_due(8 + ms * 5_000_000)).collect();
        assert_eq!(counts, [1; 10]);
        assert_eq!((pace.take_due(1_000_000_008), pace.take_due(0)), (190, 0));
    }
}
