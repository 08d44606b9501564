//! How far the numbers of each symbol and channel have gone, on this side and on the others'.

use crate::market::{Channel, Symbol};
use rustc_hash::FxHashMap;

/// What is added to a number that was only read in the stream, and not heard: its publisher may
/// have given more that were not stored. Far more than may be in flight without an ack, or may be
/// given in one epoch without being stored (asserted in `flight.rs`).
pub const JUMP: u64 = 100_000;

/// The last number of each symbol and channel, by whomever it was given.
#[derive(Debug, Default)]
pub struct Positions {
    known: FxHashMap<(Symbol, Channel), Position>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub sq: u64,
    /// It was heard or given live, so nobody has given more.
    pub is_exact: bool,
}

impl Position {
    /// The number that the next one must be above.
    pub fn base(self) -> u64 {
        if self.is_exact { self.sq } else { self.sq.saturating_add(JUMP) }
    }
}

impl Positions {
    /// It came on the wire while we listened without a break, or we gave it.
    pub fn heard(&mut self, symbol: Symbol, channel: Channel, sq: u64) {
        let position = Position { sq, is_exact: true };
        let known = self.known.entry((symbol, channel)).or_insert(position);
        if sq >= known.sq {
            *known = position;
        }
    }

    /// It is the last one that the stream has.
    pub fn read(&mut self, symbol: Symbol, channel: Channel, sq: u64) {
        let position = Position { sq, is_exact: false };
        let known = self.known.entry((symbol, channel)).or_insert(position);
        if sq > known.sq {
            *known = position;
        }
    }

    /// We did not listen for a while: what was heard before may have gone on.
    pub fn were_deaf(&mut self) {
        self.known.values_mut().for_each(|position| position.is_exact = false);
    }

    /// A new epoch: every number counts from the beginning.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    pub fn last(&self, symbol: Symbol, channel: Channel) -> Option<Position> {
        self.known.get(&(symbol, channel)).copied()
    }

    /// Of so many symbols and channels.
    pub fn count(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::parse(name).expect("a symbol")
    }

    #[test]
    fn what_was_heard_is_exact_and_what_was_read_is_not() {
        let (mut positions, spy) = (Positions::default(), symbol("SPY"));
        assert_eq!(positions.last(spy, Channel::Trades), None);
        positions.read(spy, Channel::Trades, 40);
        let read = positions.last(spy, Channel::Trades).expect("known");
        assert_eq!((read.sq, read.base()), (40, 40 + JUMP));
        positions.heard(spy, Channel::Trades, 40);
        positions.heard(spy, Channel::Trades, 39);
        positions.read(spy, Channel::Trades, 40);
        let heard = positions.last(spy, Channel::Trades).expect("known");
        assert_eq!((heard.sq, heard.base()), (40, 40));
        positions.read(spy, Channel::Trades, 41);
        assert!(!positions.last(spy, Channel::Trades).expect("known").is_exact);
        positions.heard(spy, Channel::Quotes, 7);
        positions.were_deaf();
        assert_eq!(positions.last(spy, Channel::Quotes).expect("known").base(), 7 + JUMP);
    }
}
