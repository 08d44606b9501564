//! What a standby's own feed gave lately, for the moment in which it takes over.

use crate::market::Tick;
use std::collections::VecDeque;

/// 16 MiB of ticks: eight seconds at 32,000 a second, when a takeover takes three.
const TICKS_MAX: usize = 1 << 18;

/// For so long a tick is held.
const HELD_NS: i64 = 8_000_000_000;

/// The newest market ticks, oldest first.
#[derive(Debug, Default)]
pub struct Held {
    ticks: VecDeque<Tick>,
}

impl Held {
    pub fn hold(&mut self, tick: Tick) {
        if self.ticks.len() == TICKS_MAX {
            self.ticks.pop_front();
        }
        let oldest_ns = tick.ingest_ns().saturating_sub(HELD_NS);
        while self.ticks.front().is_some_and(|held| held.ingest_ns() < oldest_ns) {
            self.ticks.pop_front();
        }
        self.ticks.push_back(tick);
    }

    /// Takes all, oldest first.
    pub fn take(&mut self) -> VecDeque<Tick> {
        std::mem::take(&mut self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Channel, SymbolId, TickBody};

    fn tick(at_ns: i64) -> Tick {
        let (symbol, channel) = (SymbolId(1), Channel::Trades);
        Tick::new(TickBody::Lost { symbol, channel, from: 1, to: 1, ingest_ns: at_ns })
    }

    #[test]
    fn holds_the_newest_by_age_and_by_number() {
        let mut held = Held::default();
        held.hold(tick(0));
        held.hold(tick(HELD_NS));
        held.hold(tick(HELD_NS + 1));
        assert_eq!(held.ticks.len(), 2);
        for _ in 0..TICKS_MAX {
            held.hold(tick(HELD_NS + 2));
        }
        let ticks = held.take();
        assert_eq!((ticks.len(), ticks[0].ingest_ns()), (TICKS_MAX, HELD_NS + 2));
        assert!(held.take().is_empty());
    }
}
