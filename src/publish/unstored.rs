//! How far what was published has run ahead of what is stored.

use super::batch::Message;
use super::flight::UNSTORED_MAX;
use crate::market::{Channel, Symbol};
use rustc_hash::FxHashMap;

/// The last stored number of each symbol and channel of the epoch, as far as it was published here.
///
/// Where the stream cannot store for long (its disk is full) live goes on, and the numbers run
/// away from what a later publisher would find in the stream. Before they are further than what it
/// jumps over, the epoch must change, so that no number is given twice in one.
#[derive(Debug, Default)]
pub struct Unstored {
    stored: FxHashMap<(Symbol, Channel), u64>,
}

impl Unstored {
    /// It is about to be sent.
    pub fn sends(&mut self, message: &Message) {
        let before = message.from.saturating_sub(1);
        self.stored.entry((message.symbol, message.channel)).or_insert(before);
    }

    pub fn is_stored(&mut self, message: &Message) {
        let stored = self.stored.entry((message.symbol, message.channel)).or_insert(message.to);
        *stored = message.to.max(*stored);
    }

    /// It was not stored. True: the epoch must end.
    pub fn failed(&self, message: &Message) -> bool {
        let stored = self.stored.get(&(message.symbol, message.channel));
        stored.is_some_and(|stored| message.to.saturating_sub(*stored) > UNSTORED_MAX)
    }

    /// A new epoch, or a new term.
    pub fn begin(&mut self) {
        self.stored.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(from: u64, to: u64) -> Message {
        let symbol = Symbol::parse("SPY").expect("a symbol");
        Message { symbol, channel: Channel::Trades, from, to, lines: 1, payload: Bytes::new() }
    }

    #[test]
    fn the_epoch_ends_before_numbers_run_away_from_the_stream() {
        let mut unstored = Unstored::default();
        unstored.sends(&message(11, 20));
        assert!(!unstored.failed(&message(11, 20)));
        unstored.is_stored(&message(11, 20));
        assert!(!unstored.failed(&message(21, 20 + UNSTORED_MAX)));
        assert!(unstored.failed(&message(21, 21 + UNSTORED_MAX)));
        unstored.begin();
        assert!(!unstored.failed(&message(21, 21 + UNSTORED_MAX)));
    }
}
