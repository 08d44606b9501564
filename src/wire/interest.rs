//! What a client can be interested in, and how often: the words that commands and URLs share.

use crate::limits::{HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN, RATE_MILLIHERTZ_MAX, RATE_MILLIHERTZ_MIN};
use crate::market::{Channel, Symbol, SymbolError};

/// `*` or a name. `*` is an item of its own: it is listed, added and removed by itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Subject {
    All,
    Name(Symbol),
}

impl Subject {
    pub fn parse(text: &str) -> Result<Subject, SymbolError> {
        match text {
            "*" => Ok(Subject::All),
            name => Symbol::parse(name).map(Subject::Name),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Subject::All => "*",
            Subject::Name(symbol) => symbol.as_str(),
        }
    }
}

/// One channel of one subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Item {
    pub channel: Channel,
    pub subject: Subject,
}

/// Updates a second, in thousandths. 0 is off: as fast as the server flushes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct Rate {
    pub millihertz: u32,
}

impl Rate {
    pub const OFF: Rate = Rate { millihertz: 0 };

    /// Clamped to the limits; 0 is off. `None` where `hz` is negative or not a finite number.
    pub fn from_hz(hz: f64) -> Option<Rate> {
        if !hz.is_finite() || hz < 0.0 {
            return None;
        }
        if hz == 0.0 {
            return Some(Rate::OFF);
        }
        // A float beyond the integer's range converts to its end, which the clamp then takes.
        let millihertz = (hz * 1000.0).round() as u32;
        Some(Rate { millihertz: millihertz.clamp(RATE_MILLIHERTZ_MIN, RATE_MILLIHERTZ_MAX) })
    }

    pub fn hz(self) -> f64 {
        f64::from(self.millihertz) / 1000.0
    }

    /// Time between two flushes; `None` where the rate is off.
    pub fn interval_ns(self) -> Option<u64> {
        1_000_000_000_000_u64.checked_div(u64::from(self.millihertz))
    }
}

/// `heartbeat_ms` as in force: 0 is off, all else is clamped. `None` where it is negative or not
/// a finite number.
pub fn clamp_heartbeat_ms(ms: f64) -> Option<u32> {
    if !ms.is_finite() || ms < 0.0 {
        return None;
    }
    if ms == 0.0 {
        return Some(0);
    }
    Some((ms as u32).clamp(HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_clamped_and_zero_is_off() {
        for (hz, millihertz) in [
            (0.0, 0),
            (-0.0, 0),
            (4.0, 4000),
            (0.25, 250),
            (1e-300, 100),
            (0.05, 100),
            (1e6, 1_000_000),
            (1e300, 1_000_000),
        ] {
            assert_eq!(Rate::from_hz(hz), Some(Rate { millihertz }), "{hz}");
        }
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Rate::from_hz(bad), None);
            assert_eq!(clamp_heartbeat_ms(bad), None);
        }
        assert_eq!(Rate::OFF.interval_ns(), None);
        assert_eq!(Rate { millihertz: 4000 }.interval_ns(), Some(250_000_000));
    }

    #[test]
    fn heartbeats_are_clamped_and_zero_is_off() {
        for (ms, clamped) in [(0.0, 0), (0.5, 100), (99.0, 100), (1000.0, 1000), (1e12, 3_600_000)]
        {
            assert_eq!(clamp_heartbeat_ms(ms), Some(clamped), "{ms}");
        }
    }
}
