//! Trades that came before others of lower numbers: kept until those come, or until nobody waits
//! for them any more.

use crate::market::{Channel, SymbolId, Tick, TickBody};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The holes of one sequence. Their number is bounded by who fills them.
#[derive(Debug, Default)]
pub(super) struct Holes {
    symbols: FxHashMap<SymbolId, Behind>,
    count: usize,
}

/// What stands behind the holes of a symbol, by its first number: trades, and ranges that one line
/// has lost and another may still give.
type Behind = BTreeMap<u64, Held>;

#[derive(Debug, Clone, Copy)]
struct Held {
    tick: Tick,
    /// The hole before it is waited for until then, ns since the Unix epoch.
    due_ns: i64,
    /// Somebody's history has been asked for what is missing before it.
    is_asked: bool,
}

impl Holes {
    pub fn has(&self, symbol: SymbolId, seq: u64) -> bool {
        let held = self.symbols.get(&symbol).and_then(|behind| behind.get(&seq));
        held.is_some_and(|held| !held.tick.is_loss())
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `first` is the tick's number, or that with which its range begins. A trade takes the place
    /// of a range that begins with it; what else is lost of that shows as a hole.
    pub fn hold(&mut self, first: u64, tick: Tick, due_ns: i64) {
        let behind = self.symbols.entry(tick.symbol()).or_default();
        if tick.is_loss() && behind.contains_key(&first) {
            return;
        }
        // Without a hole of its own it waits for another's.
        let before = behind.range(..first).next_back();
        let is_asked = before.is_some_and(|(_, before)| before.tick.seq() + 1 == first);
        let held = Held { tick, due_ns, is_asked };
        self.count += usize::from(behind.insert(first, held).is_none());
    }

    /// When the next hole is waited for no more.
    pub fn next_due_ns(&self) -> Option<i64> {
        let firsts = self.symbols.values().filter_map(|behind| behind.values().next());
        firsts.map(|held| held.due_ns).min()
    }

    /// A clock that was set back does not keep a hole open: none is waited for beyond this.
    pub fn wait_at_most_until(&mut self, due_ns: i64) {
        self.all().for_each(|held| held.due_ns = held.due_ns.min(due_ns));
    }

    /// Whether any hole has not been asked for.
    pub fn is_any_new(&mut self) -> bool {
        self.all().any(|held| !held.is_asked)
    }

    /// Those that were not asked for before are asked for now, and waited for until then.
    pub fn asked(&mut self, due_ns: i64) {
        for held in self.all().filter(|held| !held.is_asked) {
            (held.is_asked, held.due_ns) = (true, held.due_ns.max(due_ns));
        }
    }

    /// Those that nobody was asked for are due at once.
    pub fn give_up_new(&mut self) {
        self.all().filter(|held| !held.is_asked).for_each(|held| held.due_ns = i64::MIN);
    }

    pub fn symbols(&self) -> Vec<SymbolId> {
        let mut symbols: Vec<SymbolId> = self.symbols.keys().copied().collect();
        symbols.sort_unstable();
        symbols
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
        while let Some((first, held)) = behind.first_key_value().map(|(first, h)| (*first, *h)) {
            let is_overtaken = held.tick.is_loss() && first <= last;
            // A range that one line has lost is waited for as a hole is.
            let waits = first > last + 1 || held.tick.is_loss();
            if waits && !is_overtaken && held.due_ns > due_ns {
                break;
            }
            behind.remove(&first);
            self.count -= 1;
            if is_overtaken && held.due_ns > due_ns {
                // What is left of it; a trade that is there already comes before it.
                if held.tick.seq() > last && !behind.contains_key(&(last + 1)) {
                    behind.insert(last + 1, held);
                    self.count += 1;
                }
                continue;
            }
            if first > last + 1 {
                out.push(loss(symbol, last + 1, first - 1, now_ns));
                last = first - 1;
            }
            let next = behind.first_key_value().map_or(u64::MAX, |(next, _)| *next);
            // Within a lost range, trades of the other line may be held.
            let to = held.tick.seq().min(next - 1);
            match held.tick.is_loss() {
                true if to > last => out.push(loss(symbol, last + 1, to, now_ns)),
                false if first > last => out.push(held.tick),
                _ => continue,
            }
            last = to;
        }
        if behind.is_empty() {
            self.symbols.remove(&symbol);
        }
        last
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Held> {
        self.symbols.values_mut().flat_map(BTreeMap::values_mut)
    }
}

/// Trades that will not come, both ends included.
pub(super) fn loss(symbol: SymbolId, from: u64, to: u64, ingest_ns: i64) -> Tick {
    let channel = Channel::Trades;
    Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns })
}
