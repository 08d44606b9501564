//! What connections ask for: all of them the same, or each a random draw of its own.

use super::symbols::SymbolTable;
use crate::market::{Channel, ChannelSet};
use fastrand::Rng;

/// What is common to the connections of a run.
#[derive(Debug, Clone)]
pub struct Interest {
    /// Symbols below this number of the table were asked for; `u32::MAX` for `*`. Where each
    /// connection draws its own, these are the ones to draw from.
    symbols_end: u32,
    /// Per channel its place among a symbol's slots; `None` where it was not asked for.
    lanes: [Option<u8>; 3],
    lane_count: usize,
}

/// How every connection draws its symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    pub each: u32,
    pub of: u32,
    pub seed: u64,
    /// Different draws, which connections take in turn; `u64::MAX`: one for each.
    pub cohorts: u64,
}

/// The symbols of one connection, by number and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSymbols {
    numbers: Box<[u32]>,
    /// Places a number of the table, in 2^-32: where a symbol should stand if the draw is even.
    places_each: u64,
}

impl Interest {
    /// `names` are interned first, so that they have the lowest numbers; `None` is `*`.
    pub fn new(names: Option<&[String]>, channels: ChannelSet, table: &mut SymbolTable) -> Self {
        assert_eq!(table.count(), 0, "the asked symbols must have the lowest numbers");
        for name in names.unwrap_or_default() {
            table.intern(name);
        }
        let symbols_end = if names.is_some() { table.count() } else { u32::MAX };
        Interest::of(symbols_end, channels)
    }

    /// The first `symbols_end` symbols of the table.
    pub fn of(symbols_end: u32, channels: ChannelSet) -> Interest {
        let mut lanes = [None; 3];
        for (lane, channel) in channels.iter().enumerate() {
            lanes[channel as usize] = Some(lane as u8);
        }
        Interest { symbols_end, lanes, lane_count: channels.iter().count() }
    }

    /// Where a connection keeps the state of a symbol's channel; `None` where it was not asked for.
    #[inline]
    pub fn slot_index(
        &self,
        own: Option<&OwnSymbols>,
        symbol: u32,
        channel: Channel,
    ) -> Option<usize> {
        let lane = self.lanes[channel as usize].filter(|_| symbol < self.symbols_end)?;
        let place = match own {
            None => symbol as usize,
            Some(own) => own.place(symbol)?,
        };
        Some(place * self.lane_count + usize::from(lane))
    }
}

impl Draw {
    /// `each` different symbols; the same connection of the same seed gets the same.
    pub fn symbols(&self, connection: usize) -> OwnSymbols {
        let cohort = connection as u64 % self.cohorts;
        let mut rng = Rng::with_seed(self.seed);
        // A seed for each from a generator of seeds: neighbours must not be alike.
        let mut rng = Rng::with_seed(rng.u64(..) ^ Rng::with_seed(cohort).u64(..));
        // Floyd's sampling: as many draws as symbols, and every subset is as likely.
        let mut numbers: Vec<u32> = Vec::with_capacity(self.each as usize);
        for last in self.of - self.each..self.of {
            let drawn = rng.u32(0..=last);
            let (number, at) = match numbers.binary_search(&drawn) {
                Ok(_) => (last, numbers.len()),
                Err(at) => (drawn, at),
            };
            numbers.insert(at, number);
        }
        let places_each = (u64::from(self.each) << 32) / u64::from(self.of);
        OwnSymbols { numbers: numbers.into_boxed_slice(), places_each }
    }
}

impl OwnSymbols {
    /// Looks where the symbol should be and walks from there: a few steps within a cache line or
    /// two, where halving would take a misprediction a step.
    #[inline]
    pub fn place(&self, symbol: u32) -> Option<usize> {
        let numbers = &*self.numbers;
        let expected = ((u64::from(symbol) * self.places_each) >> 32) as usize;
        let mut at = expected.min(numbers.len() - 1);
        while numbers[at] > symbol && at > 0 {
            at -= 1;
        }
        while numbers[at] < symbol && at + 1 < numbers.len() {
            at += 1;
        }
        (numbers[at] == symbol).then_some(at)
    }

    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_distinct_in_order_and_repeatable() {
        let draw = Draw { each: 100, of: 20_000, seed: 7, cohorts: u64::MAX };
        let (first, second) = (draw.symbols(0), draw.symbols(1));
        assert_eq!((first.numbers().len(), second.numbers().len()), (100, 100));
        assert!(first.numbers().is_sorted_by(|a, b| a < b) && first.numbers()[99] < 20_000);
        assert_eq!(first, draw.symbols(0));
        assert_ne!(first, second);
        assert_ne!(first, Draw { seed: 8, ..draw }.symbols(0));
        let three = Draw { cohorts: 3, ..draw };
        assert_eq!(three.symbols(4), three.symbols(1));
        assert_ne!(three.symbols(2), three.symbols(1));
        let all = Draw { each: 5, of: 5, seed: 1, cohorts: u64::MAX }.symbols(3);
        assert_eq!(all.numbers(), [0, 1, 2, 3, 4]);
    }

    /// Method: over many connections, each symbol is drawn about as often as it should be.
    #[test]
    fn draws_are_even() {
        let draw = Draw { each: 10, of: 50, seed: 1, cohorts: u64::MAX };
        let mut counts = [0; 50];
        for connection in 0..5000 {
            draw.symbols(connection).numbers().iter().for_each(|n| counts[*n as usize] += 1);
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_symbol_is_found_where_it_stands_and_nowhere_else() {
        for (each, of) in [(1, 1), (1, 1000), (3, 7), (100, 20_000), (99, 100)] {
            let own = Draw { each, of, seed: 3, cohorts: u64::MAX }.symbols(11);
            for symbol in 0..of + 2 {
                let expected = own.numbers().iter().position(|n| *n == symbol);
                assert_eq!(own.place(symbol), expected, "{symbol} of {:?}", own.numbers());
            }
        }
    }
}
