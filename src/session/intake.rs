//! How fast one session's bytes are taken in: what comes faster waits in the peer's socket.

use crate::limits::INTAKE_BURST_BYTES;

/// What is owed is read off at least so long: each pause costs a cancel and a new receive.
const PAUSE_MS_MIN: u64 = 100;

/// Eight bytes, since each session has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intake {
    /// What may still come at once; below 0 it has come already.
    left_bytes: i32,
    /// Low bits of the ms clock, as in a `Bucket`.
    filled_at_ms: u32,
}

impl Intake {
    pub fn new(now_ms: u64) -> Intake {
        Intake { left_bytes: INTAKE_BURST_BYTES, filled_at_ms: now_ms as u32 }
    }

    /// Notes bytes that came. Where they were too many it says for how many ms nothing more
    /// should be read.
    pub fn take(&mut self, bytes: usize, per_second: u32, now_ms: u64) -> Option<u64> {
        let passed = u64::from((now_ms as u32).wrapping_sub(self.filled_at_ms));
        let new = i64::try_from(passed * u64::from(per_second) / 1000).unwrap_or(i64::MAX);
        if new > 0 {
            self.filled_at_ms = now_ms as u32;
        }
        let filled = i64::from(self.left_bytes).saturating_add(new).min(INTAKE_BURST_BYTES.into());
        let left = filled.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.left_bytes = i32::try_from(left).unwrap_or(i32::MIN);
        let owed = u64::try_from(-left).ok().filter(|owed| *owed > 0)?;
        Some((owed * 1000).div_ceil(per_second.into()).max(PAUSE_MS_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_SECOND: u32 = 100_000;

    #[test]
    fn a_burst_is_free_and_then_the_rate_holds() {
        let mut intake = Intake::new(5);
        assert_eq!(intake.take(INTAKE_BURST_BYTES as usize, PER_SECOND, 5), None);
        assert_eq!(intake.take(1, PER_SECOND, 5), Some(PAUSE_MS_MIN));
        assert_eq!(intake.take(49_999, PER_SECOND, 5), Some(500));
        assert_eq!(intake.take(0, PER_SECOND, 505), None);
        assert_eq!(intake.take(INTAKE_BURST_BYTES as usize, PER_SECOND, 3_600_000), None);
    }

    /// Method: small pieces in every ms for ten seconds.
    #[test]
    fn who_keeps_to_the_rate_is_never_paused() {
        let mut intake = Intake::new(0);
        let paused = (1..10_000).filter(|ms| intake.take(100, PER_SECOND, *ms).is_some());
        assert_eq!(paused.count(), 0);
        assert_eq!(intake.left_bytes, INTAKE_BURST_BYTES - 100);
    }
}
