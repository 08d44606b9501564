//! How many warnings about a feed's data reach the log.

/// Warnings in one window: enough to see what is wrong, few enough to keep the log readable.
const WARNINGS_MAX: u32 = 10;

const WINDOW_NS: i64 = 10_000_000_000;

/// Lets through ten warnings in ten seconds, and counts the rest.
#[derive(Debug, Default)]
pub struct LogLimit {
    window_ns: i64,
    admitted: u32,
    suppressed: u64,
}

impl LogLimit {
    /// `Some`: write the warning, and say that so many were left out since the last one.
    pub fn admit(&mut self, now_ns: i64) -> Option<u64> {
        // A clock that was set back also begins a window.
        if now_ns.saturating_sub(self.window_ns) >= WINDOW_NS || now_ns < self.window_ns {
            (self.window_ns, self.admitted) = (now_ns, 0);
        }
        if self.admitted == WARNINGS_MAX {
            self.suppressed += 1;
            return None;
        }
        self.admitted += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_through_ten_in_a_window_and_counts_the_rest() {
        let mut limit = LogLimit::default();
        let admitted = (0..25).filter(|_| limit.admit(1_000).is_some()).count();
        assert_eq!(admitted, 10);
        assert_eq!(limit.admit(1_000 + WINDOW_NS), Some(15));
        assert_eq!(limit.admit(1_000 + WINDOW_NS), Some(0));
        assert_eq!(limit.admit(5), Some(0));
    }
}
