//! The names that the hub knows: symbols from feeds and from subscriptions, and the feeds' codes.

use crate::limits::{SYMBOLS_MAX, SYMBOLS_UNFED_MAX};
use crate::market::{Feed, Name, Symbol, SymbolId, TickBody};
use rustc_hash::FxHashMap;

#[derive(Debug)]
pub(super) struct Row {
    /// `None` where the row is free.
    pub(super) name: Option<Symbol>,
    /// The feed that sends it; `None` until it does.
    pub(super) feed: Option<Feed>,
    /// Cohorts that name it.
    pub(super) references: u32,
}

/// Numbers symbols for this hub. A client may name a symbol that no feed has sent yet: it has a
/// number from then on, and loses it with the last cohort that names it unless a feed came.
#[derive(Debug, Default)]
pub struct Symbols {
    pub(super) rows: Vec<Row>,
    pub(super) free: Vec<u32>,
    pub(super) numbers: FxHashMap<Symbol, u32>,
    /// Named by clients only. Bounded apart, so that made-up names never shut a feed's out.
    unfed: usize,
    /// The hub's number by the ingest thread's.
    by_id: Vec<u32>,
    codes: Vec<Option<Name>>,
    conditions: Vec<Option<Name>>,
}

/// A row, its number by name in a table that is half full, and the index's list for it.
const ROW_BYTES: usize = size_of::<Row>() + 2 * size_of::<(Symbol, u32)>() + size_of::<Vec<u64>>();

impl Symbols {
    /// What symbols cost that only clients have named, in bytes.
    pub fn unfed_bytes(&self) -> u64 {
        (self.unfed * ROW_BYTES) as u64
    }

    /// One more than the highest number in use.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn name(&self, symbol: u32) -> &str {
        let name = self.rows[symbol as usize].name.as_ref();
        name.expect("a number is given out for named rows only").as_str()
    }

    pub fn feed(&self, symbol: u32) -> Option<Feed> {
        self.rows[symbol as usize].feed
    }

    /// The number of a name, if it has one.
    pub fn find(&self, name: &Symbol) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Gives a name that a client wants a number; `None` where clients have named too many that
    /// no feed sends.
    pub fn number(&mut self, name: Symbol) -> Option<u32> {
        if let Some(number) = self.find(&name) {
            return Some(number);
        }
        if self.unfed >= SYMBOLS_UNFED_MAX {
            return None;
        }
        self.unfed += 1;
        Some(self.insert(name))
    }

    fn insert(&mut self, name: Symbol) -> u32 {
        let row = Row { name: Some(name), feed: None, references: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.rows[number as usize] = row;
                number
            }
            None => {
                let most = SYMBOLS_MAX + SYMBOLS_UNFED_MAX;
                assert!(self.rows.len() < most, "the ingest and `number` keep to their shares");
                self.rows.push(row);
                self.rows.len() as u32 - 1
            }
        };
        self.numbers.insert(name, number);
        number
    }

    pub fn acquire(&mut self, symbol: u32) {
        self.rows[symbol as usize].references += 1;
    }

    pub fn release(&mut self, symbol: u32) {
        self.rows[symbol as usize].references -= 1;
        self.forget_if_unused(symbol);
    }

    /// Frees a number that nobody names and no feed sends.
    pub fn forget_if_unused(&mut self, symbol: u32) {
        let row = &mut self.rows[symbol as usize];
        if row.references == 0
            && row.feed.is_none()
            && let Some(name) = row.name.take()
        {
            self.numbers.remove(&name);
            self.free.push(symbol);
            self.unfed -= 1;
        }
    }

    /// A feed's definition: gives its symbol a number, which it keeps for good.
    pub fn define(&mut self, id: SymbolId, name: Symbol, feed: Feed) -> u32 {
        let number = match self.find(&name) {
            Some(number) => {
                self.unfed -= usize::from(self.rows[number as usize].feed.is_none());
                number
            }
            None => self.insert(name),
        };
        self.rows[number as usize].feed = Some(feed);
        let at = id.0 as usize;
        if at >= self.by_id.len() {
            self.by_id.resize(at + 1, u32::MAX);
        }
        self.by_id[at] = number;
        number
    }

    /// The hub's number of a symbol that a feed has defined.
    #[inline]
    pub fn by_id(&self, id: SymbolId) -> Option<u32> {
        self.by_id.get(id.0 as usize).copied().filter(|number| *number != u32::MAX)
    }

    /// Frees every number that nobody names and no feed sends: after a subscription that panicked.
    pub fn forget_all_unused(&mut self) {
        (0..self.rows.len() as u32).for_each(|symbol| self.forget_if_unused(symbol));
    }

    /// All that feeds have defined, in the order of its numbers.
    pub fn definitions(&self) -> impl Iterator<Item = TickBody> {
        let symbols = self.by_id.iter().enumerate().filter_map(|(id, number)| {
            let row = self.rows.get(*number as usize)?;
            let id = SymbolId(id as u32);
            Some(TickBody::Symbol { id, name: row.name?, feed: row.feed? })
        });
        let codes =
            self.codes.iter().enumerate().filter_map(|(code, name)| {
                Some(TickBody::Code { code: code as u8, name: (*name)? })
            });
        let conditions = self.conditions.iter().enumerate().filter_map(|(list, joined)| {
            Some(TickBody::Conditions { list: list as u16, joined: (*joined)? })
        });
        symbols.chain(codes).chain(conditions)
    }

    pub fn define_code(&mut self, code: u8, name: Name) {
        put(&mut self.codes, usize::from(code), name);
    }

    pub fn define_conditions(&mut self, list: u16, joined: Name) {
        put(&mut self.conditions, usize::from(list), joined);
    }

    /// The text of an exchange or tape code; empty for "absent".
    pub fn code(&self, code: u8) -> &str {
        text(&self.codes, usize::from(code))
    }

    /// Conditions joined by commas; empty for "absent".
    pub fn conditions(&self, list: u16) -> &str {
        text(&self.conditions, usize::from(list))
    }
}

fn put(table: &mut Vec<Option<Name>>, at: usize, name: Name) {
    if at >= table.len() {
        table.resize(at + 1, None);
    }
    table[at] = Some(name);
}

fn text(table: &[Option<Name>], at: usize) -> &str {
    table.get(at).and_then(Option::as_ref).map_or("", Name::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).expect("a test's symbol is valid")
    }

    #[test]
    fn a_number_lives_as_long_as_a_cohort_or_a_feed_needs_it() {
        let mut symbols = Symbols::default();
        let wanted = symbols.number(symbol("WANTED")).expect("room");
        symbols.acquire(wanted);
        let fed = symbols.define(SymbolId(5), symbol("FED"), Feed(0));
        assert_eq!((symbols.by_id(SymbolId(5)), symbols.by_id(SymbolId(4))), (Some(fed), None));
        symbols.acquire(fed);
        symbols.release(fed);
        assert_eq!(symbols.find(&symbol("FED")), Some(fed), "a feed sends it");
        symbols.release(wanted);
        assert_eq!(symbols.find(&symbol("WANTED")), None);
        assert_eq!(symbols.number(symbol("NEXT")), Some(wanted), "the number is used again");
    }

    #[test]
    fn made_up_names_never_shut_a_feed_out() {
        let mut symbols = Symbols::default();
        for count in 0..SYMBOLS_UNFED_MAX {
            assert!(symbols.number(symbol(&format!("M{count}"))).is_some());
        }
        assert_eq!(symbols.number(symbol("ONE.MORE")), None);
        let fed = symbols.define(SymbolId(0), symbol("FED"), Feed(0));
        assert_eq!(symbols.number(symbol("FED")), Some(fed), "what a feed sends is always known");
        symbols.define(SymbolId(1), symbol("M7"), Feed(0));
        assert!(symbols.number(symbol("ONE.MORE")).is_some(), "a name that is fed makes room");
    }
}
