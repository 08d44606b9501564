//! How late the last reader of each tick is.

use super::digest::{Digest, Entry, Item};
use super::interest::{Interest, OwnSymbols};
use super::tally::{Percentiles, new_histogram, percentiles};
use hdrhistogram::Histogram;

/// Ticks under way that are kept in all: 8 bytes each, so that with many symbols they stay in a
/// core's cache. Symbols share them evenly, so that few symbols with many ticks a second have as
/// much time as many with few.
const MARKS_MAX: usize = 1 << 17;

/// For one symbol at least, which is a cache line, and at most; powers of two.
const MARKS_EACH_MIN: usize = 8;
const MARKS_EACH_MAX: usize = 1024;

/// One tick is complete when as many readers got it as are subscribed to its symbol; only
/// complete ones count, so a tick that was merged away or came around the window's ends does not.
#[derive(Debug)]
pub struct LastReader {
    /// By the slot of symbol and channel, [`LastReader::marks_each`] each, allocated as they come.
    marks: Vec<Mark>,
    marks_each: usize,
    readers: Readers,
    latency: Histogram<u64>,
}

/// A tick that some readers got. Readers are fewer than the ports of an address.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// Its lowest 16 bits, which is more than are under way.
    sq: u16,
    reader_count: u16,
    latency_us_max: u32,
}

#[derive(Debug)]
enum Readers {
    /// All are subscribed to the same symbols.
    Same(u32),
    /// By symbol.
    Own(Vec<u32>),
}

impl LastReader {
    /// `symbol_count` is how many symbols are expected; more are taken.
    pub fn new(symbol_count: usize, is_own: bool) -> LastReader {
        let share = MARKS_MAX / symbol_count.max(1);
        let marks_each = share.clamp(MARKS_EACH_MIN, MARKS_EACH_MAX);
        LastReader {
            marks: Vec::new(),
            marks_each: 1 << marks_each.ilog2(),
            readers: match is_own {
                true => Readers::Own(vec![0; symbol_count]),
                false => Readers::Same(0),
            },
            latency: new_histogram(),
        }
    }

    /// A reader has come, or has gone.
    pub fn count(&mut self, own: Option<&OwnSymbols>, is_here: bool) {
        let change = |count: &mut u32| {
            *count = if is_here { *count + 1 } else { count.saturating_sub(1) };
        };
        match (&mut self.readers, own) {
            (Readers::Same(count), _) => change(count),
            (Readers::Own(counts), Some(own)) => {
                own.numbers().iter().for_each(|number| change(&mut counts[*number as usize]));
            }
            (Readers::Own(_), None) => unreachable!("each connection of such a run draws its own"),
        }
    }

    /// A reader got these items; `now_us` is when.
    #[inline]
    pub fn frame(&mut self, digest: &Digest, interest: &Interest, now_us: i64) {
        for entry in &digest.entries {
            if let Entry::Item(item) = entry
                && !item.is_snapshot
                && let Some(slot) = interest.slot_index(None, item.symbol, item.channel)
            {
                self.item(item, slot, now_us);
            }
        }
    }

    #[inline]
    fn item(&mut self, item: &Item, slot: usize, now_us: i64) {
        let at = slot * self.marks_each + (item.sq as usize & (self.marks_each - 1));
        if at >= self.marks.len() {
            self.marks.resize((slot + 1) * self.marks_each, Mark::default());
        }
        let mark = &mut self.marks[at];
        let latency_us = now_us.saturating_sub(item.event_us).clamp(1, i64::from(u32::MAX)) as u32;
        let sq = item.sq as u16;
        if mark.sq != sq {
            // A straggler's tick must not take the place of a later one.
            if mark.reader_count > 0 && sq.wrapping_sub(mark.sq) > u16::MAX / 2 {
                return;
            }
            *mark = Mark { sq, ..Mark::default() };
        }
        mark.reader_count = mark.reader_count.saturating_add(1);
        mark.latency_us_max = mark.latency_us_max.max(latency_us);
        let reader_count = match &self.readers {
            Readers::Same(count) => *count,
            Readers::Own(counts) => counts.get(item.symbol as usize).copied().unwrap_or(0),
        };
        if u32::from(mark.reader_count) == reader_count {
            self.latency.saturating_record(u64::from(mark.latency_us_max));
        }
    }

    pub fn latency(&self) -> Percentiles {
        percentiles(&self.latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::interest::Draw;
    use crate::market::{Channel, ChannelSet};

    fn digest(ticks: &[(u32, u64)]) -> Digest {
        let mut digest = Digest::default();
        for (symbol, sq) in ticks {
            let (channel, event_us) = (Channel::Quotes, 1_000_000);
            digest.push_item(Item {
                symbol: *symbol,
                channel,
                is_snapshot: false,
                sq: *sq,
                event_us,
            });
        }
        digest
    }

    #[test]
    fn a_tick_counts_when_the_last_has_it() {
        let interest = Interest::of(2, ChannelSet::of(Channel::Quotes));
        let mut last = LastReader::new(2, false);
        (0..3).for_each(|_| last.count(None, true));
        for (now_us, ticks) in [
            (1_000_100, &[(0, 1), (1, 1)][..]),
            (1_000_300, &[(0, 1)]),
            (1_000_200, &[(0, 1), (0, 2)]),
            (1_000_500, &[(0, 2)]),
        ] {
            last.frame(&digest(ticks), &interest, now_us);
        }
        assert_eq!((last.latency().count, last.latency().max), (1, 300));
        last.count(None, false);
        last.frame(&digest(&[(1, 1)]), &interest, 1_000_900);
        assert_eq!((last.latency().count, last.latency().max), (2, 900));
    }

    #[test]
    fn readers_with_symbols_of_their_own_are_counted_by_symbol() {
        let interest = Interest::of(3, ChannelSet::of(Channel::Quotes));
        let mut last = LastReader::new(3, true);
        let own = Draw { each: 2, of: 3, seed: 1, cohorts: u64::MAX }.symbols(0);
        last.count(Some(&own), true);
        let (asked, other) = (own.numbers()[0], (0..3).find(|n| own.place(*n).is_none()));
        let other = other.expect("two of three were drawn");
        last.frame(&digest(&[(asked, 5), (other, 5)]), &interest, 1_000_400);
        assert_eq!(last.latency().count, 1);
    }

    #[test]
    fn a_straggler_does_not_displace_what_came_later() {
        let interest = Interest::of(1, ChannelSet::of(Channel::Quotes));
        let mut last = LastReader::new(1, false);
        (0..2).for_each(|_| last.count(None, true));
        let later = 1 + MARKS_EACH_MAX as u64;
        last.frame(&digest(&[(0, 1)]), &interest, 1_000_100);
        last.frame(&digest(&[(0, later)]), &interest, 1_000_200);
        last.frame(&digest(&[(0, 1), (0, later)]), &interest, 1_000_700);
        assert_eq!((last.latency().count, last.latency().max), (1, 700));
    }
}
