//! Numbers for symbol names, shared by all connections of a load run.

use crate::limits::SYMBOLS_MAX;
use rustc_hash::FxHashMap;

/// Numbers are given in order of first appearance, so names interned first are the lowest ones.
#[derive(Debug, Default)]
pub struct SymbolTable {
    ids: FxHashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

impl SymbolTable {
    /// `None` where the table is full: no server of ours knows more than [`SYMBOLS_MAX`].
    pub fn intern(&mut self, name: &str) -> Option<u32> {
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

    pub fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    pub fn count(&self) -> u32 {
        self.names.len() as u32
    }
}
