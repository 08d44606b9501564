//! A token bucket: so many a second, with a burst.

/// Eight bytes, since each session has one. Tokens are thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    millitokens: u32,
    /// Low bits of the ms clock: a pause of over 49 days refills as if it were shorter.
    filled_at_ms: u32,
}

impl Bucket {
    /// A full bucket.
    pub fn full(burst: u32, now_ms: u64) -> Bucket {
        Bucket { millitokens: burst.saturating_mul(1000), filled_at_ms: now_ms as u32 }
    }

    /// Takes one token if there is one; `per_second` new ones arrive, up to `burst`.
    pub fn take(&mut self, per_second: u32, burst: u32, now_ms: u64) -> bool {
        self.millitokens = self.filled(per_second, burst, now_ms);
        self.filled_at_ms = now_ms as u32;
        let taken = self.millitokens.checked_sub(1000);
        self.millitokens = taken.unwrap_or(self.millitokens);
        taken.is_some()
    }

    /// Whole tokens that are there at `now_ms`.
    pub fn available(&self, per_second: u32, burst: u32, now_ms: u64) -> u32 {
        self.filled(per_second, burst, now_ms) / 1000
    }

    fn filled(&self, per_second: u32, burst: u32, now_ms: u64) -> u32 {
        let passed = u64::from((now_ms as u32).wrapping_sub(self.filled_at_ms));
        let new = passed * u64::from(per_second); // ms times tokens a second: thousandths
        let full = u64::from(burst.saturating_mul(1000));
        (u64::from(self.millitokens) + new).min(full) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_burst_and_then_the_rate() {
        let mut bucket = Bucket::full(5, 1_000);
        let mut taken = |now| (0..100).filter(|_| bucket.take(10, 5, now)).count();
        assert_eq!(taken(1_000), 5);
        assert_eq!(taken(1_050), 0);
        assert_eq!(taken(1_100), 1);
        assert_eq!(taken(60_000), 5, "never more than the burst");
        let across_the_wrap = u64::from(u32::MAX) + 60_000;
        assert_eq!(taken(across_the_wrap), 5);
    }
}
