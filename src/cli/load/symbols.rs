//! Numbers for symbol names, shared by all connections of a load run.

use crate::limits::SYMBOLS_MAX;
use rustc_hash::FxHashMap;

/// Numbers are given in order of first appearance, so names interned first are the lowest ones.
#[derive(Debug, Default)]
pub struct SymbolTable {
    ids: FxHashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    /// So many symbols from the first on are called S00001, S00002 and so on.
    numbered: u32,
}

impl SymbolTable {
    /// `None` where the table is full: no server of ours knows more than [`SYMBOLS_MAX`].
    pub fn intern(&mut self, name: &str) -> Option<u32> {
        self.intern_bytes(name.as_bytes())
    }

    /// `None` also where the name is not UTF-8.
    #[inline]
    pub fn intern_bytes(&mut self, name: &[u8]) -> Option<u32> {
        match self.number_in(name) {
            Some(number) => Some(number - 1),
            None => self.look_up(std::str::from_utf8(name).ok()?),
        }
    }

    fn look_up(&mut self, name: &str) -> Option<u32> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        if self.names.len() == SYMBOLS_MAX {
            return None;
        }
        let id = self.names.len() as u32;
        self.ids.insert(name.into(), id);
        self.names.push(name.into());
        Some(id)
    }

    /// Interns the first `count` numbered symbols, which are then found without a look-up.
    pub fn intern_numbered(&mut self, count: u32) {
        assert_eq!(self.count(), 0, "their numbers in the table follow from their names");
        for number in 1..=count {
            self.look_up(&format!("S{number:05}"));
        }
        self.numbered = count;
    }

    /// The number in a numbered name of five digits; longer ones are looked up.
    #[inline]
    fn number_in(&self, name: &[u8]) -> Option<u32> {
        let [b'S', digits @ ..] = name else { return None };
        let digits: &[u8; 5] = digits.try_into().ok()?;
        let mut number = 0;
        for digit in digits {
            let value = digit.wrapping_sub(b'0');
            if value > 9 {
                return None;
            }
            number = number * 10 + u32::from(value);
        }
        (1..=self.numbered).contains(&number).then_some(number)
    }

    pub fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    pub fn count(&self) -> u32 {
        self.names.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_names_are_the_lowest_and_others_follow() {
        let mut table = SymbolTable::default();
        table.intern_numbered(100_000);
        assert_eq!(table.intern("S00001"), Some(0));
        assert_eq!(table.intern("S99999"), Some(99_998));
        assert_eq!(table.intern("S100000"), Some(99_999));
        assert_eq!(table.name(41), "S00042");
        assert_eq!(table.intern("AAPL"), None, "the table is full");

        let mut table = SymbolTable::default();
        table.intern_numbered(3);
        for (name, number) in [("S00004", 3), ("S00000", 4), ("S0000x", 5), ("S00003", 2)] {
            assert_eq!(table.intern(name), Some(number), "{name}");
        }
    }
}
