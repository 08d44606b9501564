//! While a herd is refused, its clients are gathered: a turn for each would cost more than the
//! refusal itself.

/// Refusals in one ms from which on it is a herd. A client that tries again and again, each time
/// after its answer, stays below it and is answered at once.
const HERD_MIN: u32 = 4;

/// How long the next ones are left in the backlog. With a bounded number of accepts after it, this
/// also keeps refusing from taking more than half of a core from those who are served.
const GATHER_MS: u64 = 2;

#[derive(Debug, Default)]
pub(super) struct Gather {
    /// The present ms, and refusals in it.
    window_ms: u64,
    count: u32,
    until_ms: Option<u64>,
}

impl Gather {
    /// One refusal more.
    pub fn note(&mut self, now_ms: u64) {
        if self.window_ms != now_ms {
            (self.window_ms, self.count) = (now_ms, 0);
        }
        self.count += 1;
        if self.count == HERD_MIN {
            self.until_ms = Some(now_ms + GATHER_MS);
        }
    }

    /// Whether the backlog is left alone now.
    pub fn is_waiting(&mut self, now_ms: u64) -> bool {
        if self.until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            self.until_ms = None;
        }
        self.until_ms.is_some()
    }

    pub fn next_ms(&self) -> Option<u64> {
        self.until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_herd_is_gathered_and_single_clients_are_not() {
        let mut gather = Gather::default();
        for now_ms in 1..100 {
            (0..HERD_MIN - 1).for_each(|_| gather.note(now_ms));
            assert!(!gather.is_waiting(now_ms));
        }
        gather.note(99);
        assert!(gather.is_waiting(99) && gather.is_waiting(100));
        assert_eq!(gather.next_ms(), Some(101));
        assert!(!gather.is_waiting(101));
        assert_eq!(gather.next_ms(), None);
    }
}
