//! The rules that every stream is held to.
//!
//! Each connection is checked by itself, item by item, whatever the others got. Sound rules only:
//! a server that keeps the protocol never breaks one, however slow the client or the shard is.
//!
//! * `sq` grows per symbol and channel. On trades it grows by one, or a `gap` says what is lost.
//! * A gap begins with the next number and does not end before it; without `from` it begins there.
//! * A snapshot item comes before the first update of its symbol and channel, never after it, and
//!   trades have none.
//! * A symbol that had a value when the connection asked comes with a snapshot item first. That
//!   it had one is known where any connection of this run got an item of it
//!   [`KNOWN_FOR_NS`] or longer before; a first item with `sq` 1 is never missing one.
//! * Nothing comes that was not asked for; the greeting comes first; a heartbeat's `n` is the
//!   number of items that came before it.
//!
//! Jumps of `sq` on quotes and bars are merged updates: allowed, and counted.

use super::digest::{Digest, Entry, Item, Rare};
use super::findings::{Findings, Violation};
use super::interest::{Interest, OwnSymbols};
use super::symbols::SymbolTable;
use crate::limits::SESSION_SYMBOLS_MAX;
use crate::market::Channel;

/// Shards learn a tick at slightly different times: a value that one client got may be unknown
/// for a moment on the shard of another. A second is beyond any lag that is not itself a failure.
pub const KNOWN_FOR_NS: u64 = 1_000_000_000;

/// Sequence numbers above this are taken for garbage; the rest leaves room for two flags.
const SQ_MAX: u64 = u64::MAX >> 2;

/// The rules that a stream is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// All of Tapecast's protocol.
    Protocol,
    /// `sq` grows by one per symbol and channel, from whatever number it begins with.
    Sequence,
}

/// What is known of symbols over all connections: when an item first came, per channel.
#[derive(Debug, Default)]
pub struct FirstSeen {
    ns: Vec<u64>,
    /// Set by an `epoch` event: what was known then says nothing about the new epoch.
    is_void: bool,
}

/// What all connections share while their streams are checked.
#[derive(Debug)]
pub struct Ledger {
    pub symbols: SymbolTable,
    pub interest: Interest,
    pub terms: Terms,
    pub first_seen: FirstSeen,
    pub findings: Findings,
}

/// State of one connection: 8 bytes per symbol and channel, allocated as symbols appear.
#[derive(Debug, Default)]
pub struct StreamCheck {
    slots: Vec<Slot>,
    /// Where the connection drew its symbols by itself.
    own: Option<OwnSymbols>,
    item_count: u64,
    is_greeted: bool,
}

/// Who sent the frame that is checked, and when (monotonic ns of the run).
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub connection: usize,
    /// Not later than the moment when the subscription was asked for.
    pub asked_ns: u64,
    pub now_ns: u64,
}

/// Last `sq`, shifted, above two flags; all zeros: nothing was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot(u64);

impl Slot {
    /// An item came that was not of a snapshot.
    const UPDATED: u64 = 1;
    /// A gap without an end: any larger number may be next.
    const OPEN: u64 = 2;

    fn last(self) -> u64 {
        self.0 >> 2
    }

    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    fn is_unseen(self) -> bool {
        self.0 == 0
    }

    fn at(sq: u64, flags: u64) -> Slot {
        Slot(sq << 2 | flags)
    }
}

impl FirstSeen {
    /// Whether the symbol's channel had a value well before `asked_ns`; notes that it has one now.
    fn was_known(&mut self, symbol: u32, channel: Channel, origin: Origin) -> bool {
        let index = symbol as usize * 3 + channel as usize;
        if self.ns.len() <= index {
            self.ns.resize(index + 1, u64::MAX);
        }
        let first = &mut self.ns[index];
        *first = origin.now_ns.min(*first);
        !self.is_void && first.saturating_add(KNOWN_FOR_NS) < origin.asked_ns
    }
}

impl StreamCheck {
    pub fn new(own: Option<OwnSymbols>) -> StreamCheck {
        StreamCheck { own, ..StreamCheck::default() }
    }

    pub fn own(&self) -> Option<&OwnSymbols> {
        self.own.as_ref()
    }

    /// Takes one frame's entries in order; what is wrong goes to the ledger's findings.
    pub fn apply(&mut self, digest: &Digest, origin: Origin, ledger: &mut Ledger) {
        if !self.is_greeted && ledger.terms == Terms::Protocol {
            self.greet(digest, origin, ledger);
        }
        for entry in &digest.entries {
            match entry {
                Entry::Item(item) => {
                    self.item_count += 1;
                    self.item(item, origin, ledger);
                }
                Entry::Rare(rare) => self.rare(rare, origin, ledger),
            }
        }
    }

    fn greet(&mut self, digest: &Digest, origin: Origin, ledger: &mut Ledger) {
        self.is_greeted = true;
        let is_greeting =
            matches!(digest.entries.first(), Some(Entry::Rare(r)) if **r == Rare::Greeting);
        if !is_greeting {
            let why = "the first event is not the greeting".to_string();
            ledger.findings.report(Violation::Greeting, origin.connection, why);
        }
    }

    #[inline]
    fn slot_index(&self, symbol: u32, channel: Channel, ledger: &Ledger) -> Option<usize> {
        ledger.interest.slot_index(self.own.as_ref(), symbol, channel)
    }

    #[inline]
    fn item(&mut self, item: &Item, origin: Origin, ledger: &mut Ledger) {
        let Item { symbol, channel, is_snapshot, sq, .. } = *item;
        let Some(index) = self.slot_index(symbol, channel, ledger) else {
            return ledger.blame(Violation::NotAsked, origin, symbol, channel, || {
                format!("sq {sq} came and was not asked for")
            });
        };
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        let slot = self.slots[index];
        if sq <= slot.last() || sq > SQ_MAX {
            return ledger.blame(Violation::Order, origin, symbol, channel, || {
                format!("sq {sq} came after {}", slot.last())
            });
        }
        let is_next = sq == slot.last() + 1;
        match channel {
            _ if ledger.terms == Terms::Sequence => {
                if !is_next && !slot.is_unseen() {
                    ledger.lost(sq - slot.last() - 1, origin, symbol, channel, slot.last());
                }
            }
            Channel::Trades => {
                if is_snapshot {
                    ledger.blame(Violation::Snapshot, origin, symbol, channel, || {
                        format!("sq {sq} is marked as a snapshot, which trades do not have")
                    });
                }
                if !is_next && !slot.is_unseen() && !slot.has(Slot::OPEN) {
                    ledger.lost(sq - slot.last() - 1, origin, symbol, channel, slot.last());
                }
            }
            Channel::Quotes | Channel::Bars => {
                if is_snapshot || slot.is_unseen() {
                    snapshot_rules(slot, item, origin, ledger);
                } else if !is_next {
                    ledger.findings.merged(sq - slot.last() - 1);
                }
            }
        }
        let updated = slot.has(Slot::UPDATED) || !is_snapshot;
        self.slots[index] = Slot::at(sq, if updated { Slot::UPDATED } else { 0 });
    }

    fn rare(&mut self, rare: &Rare, origin: Origin, ledger: &mut Ledger) {
        match rare {
            Rare::Greeting | Rare::Other => {}
            Rare::Gap { symbol, channel, from, to } => {
                self.gap(*symbol, *channel, *from, *to, origin, ledger);
            }
            Rare::Heartbeat { item_count } => {
                ledger.findings.heartbeat_count += 1;
                if *item_count != self.item_count {
                    let why = format!("n is {item_count}, {} items came", self.item_count);
                    ledger.findings.report(Violation::Count, origin.connection, why);
                }
            }
            Rare::Epoch => {
                self.slots.clear();
                ledger.first_seen.is_void = true;
            }
            Rare::Error { code, message } => ledger.findings.error(*code, message),
            Rare::Shutdown => ledger.findings.shutdown_count += 1,
            Rare::Malformed(why) => {
                ledger.findings.report(Violation::Format, origin.connection, why.clone());
            }
        }
    }

    fn gap(
        &mut self,
        symbol: u32,
        channel: Channel,
        from: Option<u64>,
        to: Option<u64>,
        origin: Origin,
        ledger: &mut Ledger,
    ) {
        let Some(index) = self.slot_index(symbol, channel, ledger) else {
            return ledger.blame(Violation::NotAsked, origin, symbol, channel, || {
                "a gap came and the channel was not asked for".to_string()
            });
        };
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::default());
        }
        let slot = self.slots[index];
        let last = slot.last();
        let starts_right =
            from.is_none_or(|from| slot.is_unseen() || slot.has(Slot::OPEN) || from == last + 1);
        let ends_right = to.is_none_or(|to| to > last && to <= SQ_MAX && from <= Some(to));
        if !starts_right || !ends_right {
            return ledger.blame(Violation::Gap, origin, symbol, channel, || {
                format!("a gap from {from:?} to {to:?} came after {last}")
            });
        }
        let first = from.or((!slot.is_unseen()).then_some(last + 1));
        ledger.findings.gap(first.zip(to).map_or(0, |(first, to)| to - first + 1));
        self.slots[index] = match to {
            Some(to) => Slot::at(to, Slot::UPDATED),
            None => Slot::at(last, Slot::UPDATED | Slot::OPEN),
        };
    }
}

/// For an item of quotes or bars that is of a snapshot, or the first of its symbol and channel.
fn snapshot_rules(slot: Slot, item: &Item, origin: Origin, ledger: &mut Ledger) {
    let Item { symbol, channel, is_snapshot, sq, .. } = *item;
    // Asked before anything else, since it also notes that the value is known from now on.
    let was_known = slot.is_unseen() && ledger.first_seen.was_known(symbol, channel, origin);
    if is_snapshot && slot.has(Slot::UPDATED) {
        ledger.blame(Violation::Snapshot, origin, symbol, channel, || {
            format!("snapshot item {sq} came after the update {}", slot.last())
        });
    } else if !is_snapshot && was_known && sq > 1 {
        ledger.blame(Violation::Snapshot, origin, symbol, channel, || {
            format!("the update {sq} came first, though a value was known before")
        });
    }
}

impl Ledger {
    /// How many are expected; with `*` that is not known before they come.
    pub fn symbol_count(&self) -> usize {
        match self.symbols.count() {
            0 => SESSION_SYMBOLS_MAX,
            count => count as usize,
        }
    }

    /// Sequence numbers after `last` that did not come and were not announced as lost.
    #[cold]
    fn lost(&mut self, count: u64, origin: Origin, symbol: u32, channel: Channel, last: u64) {
        self.findings.unannounced_count += count;
        self.blame(Violation::Loss, origin, symbol, channel, || {
            format!("sq {} came after {last} and no gap was announced", last + count + 1)
        });
    }

    /// Not inlined: the checker's hot path is the stream that breaks no rule.
    #[cold]
    fn blame(
        &mut self,
        violation: Violation,
        origin: Origin,
        symbol: u32,
        channel: Channel,
        why: impl Fn() -> String,
    ) {
        let what = format!("{} {}: {}", self.symbols.name(symbol), channel.name(), why());
        self.findings.report(violation, origin.connection, what);
    }
}

#[cfg(test)]
mod tests;
