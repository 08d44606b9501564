//! The circuit breaker of memory: refuse before it is tight, shed before the kernel kills.
//!
//! It goes up as soon as a threshold is reached and down only when the use is clearly below it,
//! so that a use which stands at a threshold makes one change and not a hundred.

/// How tight memory is. Shown to operators; each step does what those before it do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Pressure {
    #[default]
    Normal,
    /// Nothing is done yet; the operator is told.
    Alert,
    /// New connections are refused.
    Refuse,
    /// The sessions furthest behind are closed.
    Shed,
}

/// Percent of the budget at which each state begins. At 70 an operator has time to act; the 15
/// between refusing and the end are for what clients that are here already may come to hold.
const ALERT_PERCENT: u64 = 70;
const REFUSE_PERCENT: u64 = 85;
const SHED_PERCENT: u64 = 95;

/// So far below its beginning a state ends. Shedding ends where refusing begins.
const MARGIN_PERCENT: u64 = 5;

impl Pressure {
    pub const ALL: [Pressure; 4] =
        [Pressure::Normal, Pressure::Alert, Pressure::Refuse, Pressure::Shed];

    /// The word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Pressure::Normal => "normal",
            Pressure::Alert => "alert",
            Pressure::Refuse => "refuse",
            Pressure::Shed => "shed",
        }
    }

    /// The state that a use leads up to.
    fn reached(percent: u64) -> Pressure {
        match percent {
            SHED_PERCENT.. => Pressure::Shed,
            REFUSE_PERCENT.. => Pressure::Refuse,
            ALERT_PERCENT.. => Pressure::Alert,
            _ => Pressure::Normal,
        }
    }

    /// Below how many percent a state ends.
    fn ends_percent(self) -> u64 {
        match self {
            Pressure::Normal => 0,
            Pressure::Alert => ALERT_PERCENT - MARGIN_PERCENT,
            Pressure::Refuse => REFUSE_PERCENT - MARGIN_PERCENT,
            Pressure::Shed => REFUSE_PERCENT,
        }
    }

    fn before(self) -> Pressure {
        match self {
            Pressure::Normal | Pressure::Alert => Pressure::Normal,
            Pressure::Refuse => Pressure::Alert,
            Pressure::Shed => Pressure::Refuse,
        }
    }
}

/// A change of state, to be told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PressureChange {
    pub from: Pressure,
    pub to: Pressure,
    pub used_bytes: u64,
    pub budget_bytes: u64,
}

/// Compares what is used with what may be.
#[derive(Debug)]
pub struct Breaker {
    budget_bytes: u64,
    pressure: Pressure,
}

impl Breaker {
    pub fn new(budget_bytes: u64) -> Breaker {
        Breaker { budget_bytes: budget_bytes.max(1), pressure: Pressure::Normal }
    }

    pub fn pressure(&self) -> Pressure {
        self.pressure
    }

    pub fn budget_bytes(&self) -> u64 {
        self.budget_bytes
    }

    /// Holds from the next look on.
    pub fn set_budget(&mut self, budget_bytes: u64) {
        self.budget_bytes = budget_bytes.max(1);
    }

    /// Takes in what is used now.
    pub fn look(&mut self, used_bytes: u64) -> Option<PressureChange> {
        let percent = self.percent(used_bytes);
        let from = self.pressure;
        let mut to = from.max(Pressure::reached(percent));
        while to > Pressure::Normal && percent < to.ends_percent() {
            to = to.before();
        }
        self.pressure = to;
        let budget_bytes = self.budget_bytes;
        (to != from).then_some(PressureChange { from, to, used_bytes, budget_bytes })
    }

    /// Bytes that shedding is to free, where `used_bytes` will stay of what is used now.
    pub fn excess_bytes(&self, used_bytes: u64) -> u64 {
        let end = u128::from(self.budget_bytes) * u128::from(REFUSE_PERCENT) / 100;
        match self.pressure {
            Pressure::Shed => used_bytes.saturating_sub(end as u64),
            _ => 0,
        }
    }

    fn percent(&self, used_bytes: u64) -> u64 {
        (u128::from(used_bytes) * 100 / u128::from(self.budget_bytes)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method: a walk through uses, in percent of the budget, with the state that each leads to.
    #[test]
    fn goes_up_at_once_and_down_with_a_margin() {
        use Pressure::{Alert, Normal, Refuse, Shed};
        let walk = [
            (0, Normal),
            (69, Normal),
            (70, Alert),
            (66, Alert),
            (70, Alert),
            (64, Normal),
            (84, Alert),
            (85, Refuse),
            (80, Refuse),
            (79, Alert),
            (94, Refuse),
            (95, Shed),
            (85, Shed),
            (84, Refuse),
            (96, Shed),
            (82, Refuse),
            (300, Shed),
            (72, Alert),
            (120, Shed),
            (66, Alert),
            (100, Shed),
            (1, Normal),
        ];
        let mut breaker = Breaker::new(1_000_000);
        for (step, (percent, pressure)) in walk.into_iter().enumerate() {
            let before = breaker.pressure();
            let change = breaker.look(percent * 10_000);
            assert_eq!(breaker.pressure(), pressure, "step {step}");
            let told = change.map(|change| (change.from, change.to));
            assert_eq!(told, (before != pressure).then_some((before, pressure)), "step {step}");
        }
    }

    #[test]
    fn what_is_to_be_freed_reaches_down_to_where_refusing_begins() {
        let mut breaker = Breaker::new(1_000);
        assert_eq!(breaker.excess_bytes(940), 0);
        breaker.look(960);
        assert_eq!(breaker.excess_bytes(960), 110);
        assert_eq!(breaker.excess_bytes(800), 0);
        // No budget is a very large one.
        let mut free = Breaker::new(u64::MAX);
        free.look(1 << 50);
        assert_eq!(free.pressure(), Pressure::Normal);
    }
}
