//! Numbers for the codes and condition lists of a feed.

use crate::limits::{CODES_MAX, CONDITION_LISTS_MAX, NAME_BYTES_MAX};
use crate::market::Name;
use rustc_hash::FxHashMap;

/// Numbers for texts, from 1; 0 is "absent". Bounded: past the limit a text is absent, counted.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: FxHashMap<Box<str>, u16>,
    pub(super) dropped_count: u64,
}

impl Interner {
    pub(super) fn names(&self) -> impl Iterator<Item = (u16, Name)> {
        self.numbers.iter().filter_map(|(text, number)| Some((*number, Name::new(text)?)))
    }

    /// The text's number, and its name where the number is new. `count_max` is at most `u16::MAX`.
    pub(super) fn number(&mut self, text: &str, count_max: usize) -> (u16, Option<Name>) {
        if text.is_empty() {
            return (0, None);
        }
        // Nothing longer than a name is in the table: no hash of a long text is worth its time.
        if text.len() <= NAME_BYTES_MAX
            && let Some(&number) = self.numbers.get(text)
        {
            return (number, None);
        }
        let fits = self.numbers.len() < count_max;
        let Some(name) = Name::new(text).filter(|_| fits) else {
            self.dropped_count += 1;
            return (0, None);
        };
        let number = self.numbers.len() as u16 + 1;
        self.numbers.insert(text.into(), number);
        (number, Some(name))
    }
}

const _: () = assert!(CODES_MAX <= u8::MAX as usize, "a code is one byte in a tick");
const _: () = assert!(CONDITION_LISTS_MAX <= u16::MAX as usize, "a list is two bytes in a tick");
