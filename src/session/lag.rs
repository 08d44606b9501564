//! What a session that is behind its cohort remembers: marks, not messages.

use super::Bits;

/// Everything that a session which is behind costs beside its unfinished frame.
///
/// `mark` and `cursor` alone describe a session whose socket is full: they do not change while
/// ticks go on. The bitsets hold something only between two frames of one catch-up.
#[derive(Debug, Default)]
pub struct Lag {
    /// Conflated updates with an arrival number up to this one are delivered or in `pending`.
    pub mark: u64,
    /// Lossless ticks below this tape position are delivered or announced as a gap.
    pub cursor: u64,
    /// One bit per cohort entry and channel; see `Interest::bit`. The trades' bit means that a
    /// gap is due.
    pub pending: Bits,
    /// How many bits of `pending` are gaps.
    pub gaps: u32,
    /// Those of `pending` that the client has never had: they carry the snapshot flag.
    pub fresh: Bits,
    /// Where the next catch-up frame goes on in `pending`, so that no symbol starves.
    pub next_bit: u32,
    /// It joined at `mark` and has nothing yet: every quote and bar is owed, marked or not.
    pub owes_snapshot: bool,
    /// Waits for its cohort's next flush to come into step.
    pub waiting: bool,
    pub floors: Option<Box<Floors>>,
}

/// Where a session's trades begin, if not at its cursor: after a resume, or for symbols that it
/// added while it was behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Floors {
    /// For symbols that are not named: the tape's head when this was made, which no named floor
    /// exceeds. A cursor that has reached it makes the whole obsolete.
    pub base: u64,
    /// (symbol, first tape position that is the client's), ascending by symbol.
    pub named: Vec<(u32, u64)>,
}

impl Floors {
    pub fn of(&self, symbol: u32) -> u64 {
        match self.named.binary_search_by_key(&symbol, |(s, _)| *s) {
            Ok(at) => self.named[at].1,
            Err(_) => self.base,
        }
    }
}

impl Lag {
    /// A session that has everything up to here.
    pub fn at(mark: u64, cursor: u64) -> Lag {
        Lag { mark, cursor, ..Lag::default() }
    }

    /// The first tape position of `symbol` that is still owed.
    pub fn first_owed(&self, symbol: u32) -> u64 {
        self.floors.as_ref().map_or(self.cursor, |f| f.of(symbol).max(self.cursor))
    }

    /// Moves the cursor, and forgets floors that it has passed.
    pub fn advance(&mut self, cursor: u64) {
        debug_assert!(cursor >= self.cursor, "a tape cursor only grows");
        self.cursor = cursor;
        if self.floors.as_ref().is_some_and(|f| f.base <= cursor) {
            self.floors = None;
        }
    }

    pub fn heap_bytes(&self) -> usize {
        let floors = self.floors.as_ref().map_or(0, |f| f.named.capacity() * 16 + 32);
        size_of::<Lag>() + self.pending.heap_bytes() + self.fresh.heap_bytes() + floors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_hold_until_the_cursor_has_passed_them() {
        let floors = Floors { base: 100, named: vec![(3, 40), (9, 60)] };
        let mut lag = Lag { floors: Some(Box::new(floors)), ..Lag::at(0, 40) };
        assert_eq!([3, 9, 5].map(|s| lag.first_owed(s)), [40, 60, 100]);
        lag.advance(70);
        assert_eq!([3, 9, 5].map(|s| lag.first_owed(s)), [70, 70, 100]);
        lag.advance(100);
        assert!(lag.floors.is_none());
        assert_eq!(lag.first_owed(5), 100);
    }
}
