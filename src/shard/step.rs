//! What a shard is doing, for who looks from outside whether it still turns.

/// Written at each step of a turn; a turn that does not end shows where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Waits for its bell; does not turn, and need not.
    Sleeping,
    /// Between two turns.
    Awake,
    Completions,
    Mail,
    Ticks,
    Flush,
    Timers,
}

impl Step {
    const ALL: [Step; 7] = [
        Step::Sleeping,
        Step::Awake,
        Step::Completions,
        Step::Mail,
        Step::Ticks,
        Step::Flush,
        Step::Timers,
    ];

    pub(super) fn from_number(number: u8) -> Step {
        Step::ALL.get(usize::from(number)).copied().unwrap_or(Step::Awake)
    }

    /// The word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Step::Sleeping => "sleeping",
            Step::Awake => "awake",
            Step::Completions => "completions",
            Step::Mail => "mail",
            Step::Ticks => "ticks",
            Step::Flush => "flush",
            Step::Timers => "timers",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_survive_their_way_through_a_byte() {
        assert!(Step::ALL.into_iter().all(|step| Step::from_number(step as u8) == step));
    }
}
