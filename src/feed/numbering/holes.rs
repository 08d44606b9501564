//! Trades that came before others of lower numbers: kept until those come, or until nobody waits
//! for them any more.

use crate::limits::HELD_TICKS_MAX;
use crate::market::{Channel, SymbolId, Tick, TickBody};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The holes of one sequence. Bounded: with `HELD_TICKS_MAX` ticks held, the holes of the symbol
/// that would hold another are lost at once.
#[derive(Debug, Default)]
pub(super) struct Holes {
    symbols: FxHashMap<SymbolId, Behind>,
    count: usize,
}

/// The trades that stand behind the holes of a symbol, by number.
type Behind = BTreeMap<u64, Held>;

#[derive(Debug)]
struct Held {
    tick: Tick,
    /// The hole before it is waited for until then, ns since the Unix epoch.
    due_ns: i64,
}

impl Holes {
    pub fn has(&self, symbol: SymbolId, seq: u64) -> bool {
        self.symbols.get(&symbol).is_some_and(|behind| behind.contains_key(&seq))
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn is_full(&self) -> bool {
        self.count >= HELD_TICKS_MAX
    }

    pub fn hold(&mut self, tick: Tick, due_ns: i64) {
        let behind = self.symbols.entry(tick.symbol()).or_default();
        self.count += usize::from(behind.insert(tick.seq(), Held { tick, due_ns }).is_none());
    }

    /// When the next hole is waited for no more.
    pub fn next_due_ns(&self) -> Option<i64> {
        let firsts = self.symbols.values().filter_map(|behind| behind.values().next());
        firsts.map(|held| held.due_ns).min()
    }

    /// All holes are waited for at least until then.
    pub fn wait_until(&mut self, due_ns: i64) {
        let all = self.symbols.values_mut().flat_map(BTreeMap::values_mut);
        all.for_each(|held| held.due_ns = held.due_ns.max(due_ns));
    }

    pub fn symbols(&self) -> Vec<SymbolId> {
        let mut symbols: Vec<SymbolId> = self.symbols.keys().copied().collect();
        symbols.sort_unstable();
        symbols
    }

    pub fn clear(&mut self) {
        *self = Holes::default();
    }

    /// Appends what follows the number `last` without a hole, or behind holes that are due by
    /// `due_ns`, with their loss before it. Gives the new last number.
    pub fn drain(
        &mut self,
        symbol: SymbolId,
        mut last: u64,
        due_ns: i64,
        now_ns: i64,
        out: &mut Vec<Tick>,
    ) -> u64 {
        let Some(behind) = self.symbols.get_mut(&symbol) else { return last };
        while let Some(entry) = behind.first_entry() {
            let seq = *entry.key();
            if seq > last + 1 && entry.get().due_ns > due_ns {
                break;
            }
            let held = entry.remove();
            self.count -= 1;
            if seq > last + 1 {
                out.push(loss(symbol, last + 1, seq - 1, now_ns));
            }
            if seq > last {
                out.push(held.tick);
                last = seq;
            }
        }
        if behind.is_empty() {
            self.symbols.remove(&symbol);
        }
        last
    }
}

/// Trades that will not come, both ends included.
pub(super) fn loss(symbol: SymbolId, from: u64, to: u64, ingest_ns: i64) -> Tick {
    let channel = Channel::Trades;
    Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns })
}
