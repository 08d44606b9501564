//! How near each limit is: a state with hysteresis, for the log and the gauges.

/// Percent of a limit at which it is told.
const LEVELS: [u8; 3] = [70, 85, 95];

/// A level is left only when so many percent below it, or a value that swings around it would be
/// told again and again.
const HYSTERESIS: u8 = 5;

/// What has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Limited {
    Sessions,
    HalfOpen,
    Descriptors,
    Memory,
    Inlet,
}

impl Limited {
    pub const ALL: [Limited; 5] = [
        Limited::Sessions,
        Limited::HalfOpen,
        Limited::Descriptors,
        Limited::Memory,
        Limited::Inlet,
    ];

    /// The word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Limited::Sessions => "sessions",
            Limited::HalfOpen => "half_open",
            Limited::Descriptors => "descriptors",
            Limited::Memory => "memory",
            Limited::Inlet => "inlet",
        }
    }
}

/// The alert level of each limit, in percent: 0 (none), 70, 85 or 95.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alerts([u8; Limited::ALL.len()]);

impl Alerts {
    pub fn level(&self, limited: Limited) -> u8 {
        self.0[limited as usize]
    }

    /// Notes how much of a limit is used; the new level where it has changed. A limit of 0 is
    /// none.
    pub fn observe(&mut self, limited: Limited, used: u64, limit: u64) -> Option<u8> {
        let level = &mut self.0[limited as usize];
        let reaches = |percent: u8| {
            limit > 0 && u128::from(used) * 100 >= u128::from(limit) * u128::from(percent)
        };
        let holds = |percent: u8| {
            let held = if percent <= *level { percent - HYSTERESIS } else { percent };
            reaches(held)
        };
        let new = LEVELS.into_iter().rev().find(|percent| holds(*percent)).unwrap_or(0);
        (std::mem::replace(level, new) != new).then_some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_told_once_and_left_five_percent_below() {
        let mut alerts = Alerts::default();
        let mut told = Vec::new();
        for used in [0, 69, 70, 71, 69, 66, 70, 84, 85, 81, 80, 79, 96, 91, 89, 64, 0] {
            told.extend(alerts.observe(Limited::Sessions, used, 100).map(|level| (used, level)));
        }
        assert_eq!(told, [(70, 70), (85, 85), (79, 70), (96, 95), (89, 85), (64, 0)]);
        assert_eq!(alerts.level(Limited::Inlet), 0, "limits do not share a state");
    }

    #[test]
    fn levels_are_skipped_where_the_value_jumps_and_no_limit_is_no_alert() {
        let mut alerts = Alerts::default();
        assert_eq!(alerts.observe(Limited::Memory, u64::MAX, u64::MAX), Some(95));
        assert_eq!(alerts.observe(Limited::Memory, 0, u64::MAX), Some(0));
        assert_eq!(alerts.observe(Limited::Memory, 5, 0), None);
    }
}
