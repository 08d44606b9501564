//! The outlet: the ingest thread's side of one shard's queue, and what happens where it is full.
//!
//! A live feed never waits for a shard. What a full queue does not take is kept here, merged to a
//! bounded amount, and goes out before anything newer does.

use crate::market::{Channel, Feed, SymbolId, Tick, TickBody};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Where an outlet puts ticks; gives one back that it has no room for.
pub trait TickQueue {
    fn push(&mut self, tick: Tick) -> Result<(), Tick>;
}

/// What of the merged ticks replaces what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// The newest quote of a symbol.
    Quote(SymbolId),
    /// The newest bar of a symbol: its two records stay together and in order.
    Bar(SymbolId),
    /// The range of sequence numbers of a lossless channel that were not delivered.
    Lost(SymbolId, Channel),
    /// The newest state of a feed.
    State(Feed),
}

/// What waits under a key. Only a bar has two records; one that went out already is `None`.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    first: Option<Tick>,
    second: Option<Tick>,
}

/// One shard's undelivered rest: the overlay of the design.
///
/// Bounded: a definition exists once for each symbol, code and condition list (`SYMBOLS_MAX`,
/// `CODES_MAX`, `CONDITION_LISTS_MAX`), the newest epoch beside them and, within it, for each
/// symbol where its trades begin; and three keys for each symbol and one for each feed.
#[derive(Debug, Default)]
pub struct Outlet {
    /// Never dropped, and sent before the ticks that need them.
    definitions: VecDeque<Tick>,
    /// Keys of `waiting`, in order of insertion; each is there once.
    order: VecDeque<Key>,
    waiting: FxHashMap<Key, Waiting>,
    lost_count: u64,
    pushed: bool,
}

impl Outlet {
    /// Sends `tick`, or keeps or merges it where the queue is full or older ticks wait.
    pub fn offer(&mut self, tick: Tick, queue: &mut impl TickQueue) {
        let refused = if self.drain(queue) { queue.push(tick) } else { Err(tick) };
        match refused {
            Ok(()) => self.pushed = true,
            Err(tick) => self.keep(tick),
        }
    }

    /// Sends `tick` where it can go out now, and otherwise gives it back and keeps nothing: for
    /// feeds that wait.
    pub fn try_send(&mut self, tick: Tick, queue: &mut impl TickQueue) -> Result<(), Tick> {
        if !self.drain(queue) {
            return Err(tick);
        }
        queue.push(tick).inspect(|()| self.pushed = true)
    }

    /// Sends what waits, oldest first, until the queue is full. True: nothing waits any more.
    pub fn drain(&mut self, queue: &mut impl TickQueue) -> bool {
        while let Some(tick) = self.definitions.front() {
            if queue.push(*tick).is_err() {
                return false;
            }
            self.pushed = true;
            self.definitions.pop_front();
        }
        while let Some(key) = self.order.front() {
            let waiting = self.waiting.get_mut(key).expect("every key in the order has its ticks");
            for part in [&mut waiting.first, &mut waiting.second] {
                if part.is_some_and(|tick| queue.push(tick).is_err()) {
                    return false;
                }
                self.pushed |= part.take().is_some();
            }
            self.waiting.remove(key);
            self.order.pop_front();
        }
        true
    }

    /// Whether nothing waits.
    pub fn is_clear(&self) -> bool {
        self.definitions.is_empty() && self.order.is_empty()
    }

    /// Definitions and keys that wait.
    pub fn waiting_count(&self) -> usize {
        self.definitions.len() + self.order.len()
    }

    /// Lossless ticks that were replaced by a lost range, ever.
    pub fn lost_count(&self) -> u64 {
        self.lost_count
    }

    /// Whether anything went out since this was last asked: then the bell is due.
    pub fn take_pushed(&mut self) -> bool {
        std::mem::take(&mut self.pushed)
    }

    fn keep(&mut self, tick: Tick) {
        match tick.body() {
            TickBody::Trade(head, _) => {
                let (from, to) = (head.seq, head.seq);
                self.lost_count += 1;
                self.keep_lost(head.symbol, Channel::Trades, from, to, head.ingest_ns);
            }
            TickBody::Lost { symbol, channel, from, to, ingest_ns } => {
                self.keep_lost(symbol, channel, from, to, ingest_ns);
            }
            TickBody::Quote(head, _) => self.slot(Key::Quote(head.symbol)).first = Some(tick),
            TickBody::BarPrices(head, _) => {
                // The totals that may wait belong to an older bar; these prices' own come next.
                let bar = Waiting { first: Some(tick), second: None };
                *self.slot(Key::Bar(head.symbol)) = bar;
            }
            TickBody::BarTotals(head, _) => self.slot(Key::Bar(head.symbol)).second = Some(tick),
            TickBody::FeedState { feed, .. } => {
                // Moved to the end: an old place could put "down" before the feed's last ticks.
                // The search is as rare as a change of state.
                self.order.retain(|key| *key != Key::State(feed));
                self.waiting.remove(&Key::State(feed));
                self.slot(Key::State(feed)).first = Some(tick);
            }
            // Once a symbol, and before its trades.
            TickBody::Begins { .. } => self.definitions.push_back(tick),
            TickBody::Epoch { .. } => {
                // What waits is of the epoch that ends here, but for other feeds' quotes, whose
                // next ones follow; this goes before all that follows. Only the newest counts.
                self.definitions.retain(Tick::is_definition);
                self.order.retain(|key| matches!(key, Key::State(_)));
                self.waiting.retain(|key, _| matches!(key, Key::State(_)));
                self.definitions.push_back(tick);
            }
            TickBody::Symbol { .. } | TickBody::Code { .. } | TickBody::Conditions { .. } => {
                self.definitions.push_back(tick);
            }
        }
    }

    fn keep_lost(&mut self, symbol: SymbolId, channel: Channel, from: u64, to: u64, at_ns: i64) {
        let slot = self.slot(Key::Lost(symbol, channel));
        let from = match slot.first.map(|tick| tick.body()) {
            Some(TickBody::Lost { from: earlier, .. }) => earlier,
            _ => from,
        };
        let lost = TickBody::Lost { symbol, channel, from, to, ingest_ns: at_ns };
        slot.first = Some(Tick::new(lost));
    }

    /// The key's place: where it was, or at the end.
    fn slot(&mut self, key: Key) -> &mut Waiting {
        self.waiting.entry(key).or_insert_with(|| {
            self.order.push_back(key);
            Waiting { first: None, second: None }
        })
    }
}

#[cfg(test)]
mod tests;
