//! The last lossless ticks (trades, and records of what was lost), in order.

use crate::market::Tick;

/// No earlier tick of the same symbol.
const NONE: u64 = u64::MAX;

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// A trade or a loss; its symbol is the hub's number.
    pub tick: Tick,
    pub arrival: u64,
    /// Position of the symbol's tick before this one.
    previous: u64,
}

/// Per symbol: where its newest tick is, and what has left the ring.
#[derive(Debug, Clone, Copy)]
struct Trail {
    last: u64,
    last_seq: u64,
    /// One past the position of the last evicted tick; 0 for none.
    evicted_end: u64,
    /// Where nothing was evicted: the number behind which the symbol's ticks begin here.
    evicted_seq: u64,
}

const NO_TRAIL: Trail = Trail { last: NONE, last_seq: 0, evicted_end: 0, evicted_seq: 0 };

/// A ring with positions that only grow: `tail()..head()` are retained.
#[derive(Debug)]
pub struct Tape {
    ring: Vec<Entry>,
    capacity: usize,
    head: u64,
    trails: Vec<Trail>,
}

impl Tape {
    /// Memory is taken as ticks come, up to `capacity` entries of 80 bytes.
    pub fn new(capacity: usize) -> Tape {
        assert!(capacity > 0, "the configuration refuses a tape without room");
        Tape { ring: Vec::new(), capacity, head: 0, trails: Vec::new() }
    }

    /// The position that the next tick gets.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The oldest retained position.
    pub fn tail(&self) -> u64 {
        self.head - self.ring.len() as u64
    }

    pub fn push(&mut self, symbol: u32, tick: Tick, arrival: u64) {
        self.grow(symbol);
        let trail = &mut self.trails[symbol as usize];
        let entry = Entry { tick, arrival, previous: trail.last };
        (trail.last, trail.last_seq) = (self.head, tick.seq());
        if self.ring.len() < self.capacity {
            self.ring.push(entry);
        } else {
            let slot = (self.head % self.capacity as u64) as usize;
            let old = std::mem::replace(&mut self.ring[slot], entry);
            let gone = &mut self.trails[old.tick.symbol().0 as usize];
            gone.evicted_end = self.head - self.capacity as u64 + 1;
            gone.evicted_seq = old.tick.seq();
        }
        self.head += 1;
    }

    /// Forgets all. The numbers of these symbols start again; of the others what was is evicted.
    /// Positions go on growing.
    pub fn clear(&mut self, start_again: impl Fn(u32) -> bool) {
        self.ring.clear();
        for (symbol, trail) in self.trails.iter_mut().enumerate() {
            let last_seq = if start_again(symbol as u32) { 0 } else { trail.last_seq };
            *trail = Trail { last_seq, evicted_seq: last_seq, ..NO_TRAIL };
        }
        // Where an empty ring begins to be filled.
        self.head = self.head.next_multiple_of(self.capacity as u64);
    }

    /// The tick at a retained position.
    #[inline]
    pub fn at(&self, position: u64) -> &Entry {
        debug_assert!((self.tail()..self.head).contains(&position));
        &self.ring[(position % self.capacity as u64) as usize]
    }

    /// The symbol's newest sequence number; 0 before its first tick.
    pub fn last_seq(&self, symbol: u32) -> u64 {
        self.trail(symbol).last_seq
    }

    /// Sequence number of the symbol's last evicted tick, if that stood at `position` or later:
    /// then a gap is due to who has read up to `position`.
    #[inline]
    pub fn evicted_since(&self, symbol: u32, position: u64) -> Option<u64> {
        let trail = self.trail(symbol);
        (trail.evicted_end > position).then_some(trail.evicted_seq)
    }

    /// As [`Tape::evicted_since`], by sequence number.
    pub fn evicted_after_seq(&self, symbol: u32, seq: u64) -> Option<u64> {
        let trail = self.trail(symbol);
        (trail.evicted_seq > seq).then_some(trail.evicted_seq)
    }

    /// Sequence number of the symbol's last evicted tick.
    pub fn evicted_seq(&self, symbol: u32) -> Option<u64> {
        let trail = self.trail(symbol);
        (trail.evicted_seq > 0).then_some(trail.evicted_seq)
    }

    /// The symbol's ticks up to this number were never to come here: who has less is to be told,
    /// who has nothing has missed nothing. Only before its first tick.
    pub fn begin_after(&mut self, symbol: u32, seq: u64) {
        self.grow(symbol);
        let trail = &mut self.trails[symbol as usize];
        if trail.last_seq == 0 {
            (trail.last_seq, trail.evicted_seq) = (seq, seq);
        }
    }

    /// An empty tape learns what an earlier one had evicted. Its positions begin where they would
    /// be after as many ticks as it holds, so that all of them are above the evicted ones.
    pub fn note_evicted(&mut self, symbol: u32, seq: u64) {
        debug_assert!(self.ring.is_empty(), "what is evicted was there before what is retained");
        self.head = self.capacity as u64;
        self.grow(symbol);
        let (last_seq, evicted_end, evicted_seq) = (seq, self.head, seq);
        self.trails[symbol as usize] = Trail { last: NONE, last_seq, evicted_end, evicted_seq };
    }

    /// Position of the symbol's first retained tick with a sequence number above `seq`; the head
    /// where there is none. Walks the symbol's own ticks back, so it costs what was missed.
    pub fn first_after_seq(&self, symbol: u32, seq: u64) -> u64 {
        let (mut first, mut position) = (self.head, self.trail(symbol).last);
        let tail = self.tail();
        while position != NONE && position >= tail && self.at(position).tick.seq() > seq {
            first = position;
            position = self.at(position).previous;
        }
        first
    }

    fn grow(&mut self, symbol: u32) {
        if symbol as usize >= self.trails.len() {
            self.trails.resize(symbol as usize + 1, NO_TRAIL);
        }
    }

    fn trail(&self, symbol: u32) -> Trail {
        self.trails.get(symbol as usize).copied().unwrap_or(NO_TRAIL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Head, SymbolId, TickBody, Trade};

    fn trade(symbol: u32, seq: u64) -> Tick {
        let head = Head {
            symbol: SymbolId(symbol),
            seq,
            event_ns: 0,
            ingest_ns: 0,
            price_scale: 2,
            size_scale: 0,
        };
        let (price, size, exchange, tape, conditions) = (1, 1, 0, 0, 0);
        Tick::new(TickBody::Trade(
            head,
            Trade { id: None, price, size, exchange, tape, conditions },
        ))
    }

    /// Method: a ring of four, two symbols in turn; each answer is worked out by hand.
    #[test]
    fn remembers_what_it_dropped() {
        let mut tape = Tape::new(4);
        for seq in 1..=3 {
            tape.push(0, trade(0, seq), 0);
            tape.push(1, trade(1, seq), 0);
        }
        assert_eq!((tape.tail(), tape.head()), (2, 6));
        assert_eq!(tape.evicted_since(0, 0), Some(1), "position 0 is gone");
        assert_eq!(tape.evicted_since(0, 1), None, "who had read position 0 misses nothing");
        assert_eq!(tape.evicted_since(1, 1), Some(1));
        assert_eq!(tape.first_after_seq(0, 1), 2);
        assert_eq!(tape.first_after_seq(0, 2), 4);
        assert_eq!(tape.first_after_seq(0, 3), 6);
        assert_eq!(tape.first_after_seq(0, 0), 2, "only what is retained");
        assert_eq!(tape.evicted_after_seq(0, 0), Some(1));
        assert_eq!(tape.evicted_after_seq(0, 1), None);
        assert_eq!((tape.last_seq(1), tape.last_seq(9)), (3, 0));
        assert_eq!(tape.at(5).tick, trade(1, 3));
    }
}
