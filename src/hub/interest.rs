//! What a cohort asks for: symbols and, of each, channels.

use crate::market::{Channel, ChannelSet};

/// Bits of one entry in a pending bitset, one per channel.
const CHANNELS: usize = Channel::ALL.len();

/// A set of (symbol, channel) pairs. Symbols are the hub's own numbers.
///
/// `*` is an item of its own: `all` holds its channels. An interest with `*` has every symbol of
/// the hub as its entry list, in the hub's order, so that a new symbol is the next entry without
/// anything being changed here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Interest {
    all: ChannelSet,
    /// Ascending by symbol; no entry is without a channel.
    named: Box<[(u32, ChannelSet)]>,
}

impl Interest {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.named.is_empty()
    }

    /// The channels of `*`.
    pub fn all(&self) -> ChannelSet {
        self.all
    }

    pub fn named(&self) -> &[(u32, ChannelSet)] {
        &self.named
    }

    /// Every channel that is asked for of any symbol.
    pub fn any(&self) -> ChannelSet {
        self.named.iter().fold(self.all, |set, (_, channels)| set.with(*channels))
    }

    /// What is asked for of `symbol`, by name or by `*`.
    pub fn channels(&self, symbol: u32) -> ChannelSet {
        if self.named.is_empty() {
            return self.all;
        }
        match self.find(symbol) {
            Ok(at) => self.all.with(self.named[at].1),
            Err(_) => self.all,
        }
    }

    /// The place of a pair in a pending bitset; `None` where the symbol is no entry.
    pub fn bit(&self, symbol: u32, channel: Channel) -> Option<usize> {
        let entry = if self.all.is_empty() { self.find(symbol).ok()? } else { symbol as usize };
        Some(entry * CHANNELS + channel as usize)
    }

    /// The pair at a place; the inverse of [`Interest::bit`].
    pub fn at(&self, bit: usize) -> (u32, Channel) {
        let (entry, channel) = (bit / CHANNELS, Channel::ALL[bit % CHANNELS]);
        match self.all.is_empty() {
            true => (self.named[entry].0, channel),
            false => (entry as u32, channel),
        }
    }

    /// Every entry with its channels, where the hub knows `symbols` symbols.
    pub fn entries(&self, symbols: usize) -> impl Iterator<Item = (u32, ChannelSet)> + '_ {
        let whole = if self.all.is_empty() { 0 } else { symbols as u32 };
        let mut named = self.named.iter().copied().peekable();
        let every = (0..whole).map(move |symbol| {
            let own = named.next_if(|(s, _)| *s == symbol).map_or(ChannelSet::NONE, |(_, c)| c);
            (symbol, self.all.with(own))
        });
        let only_named = if self.all.is_empty() { &self.named[..] } else { &[] };
        every.chain(only_named.iter().copied())
    }

    /// Adds pairs; `None` stands for `*`.
    #[must_use]
    pub fn with(&self, items: impl Iterator<Item = (Option<u32>, Channel)>) -> Interest {
        self.changed(items, ChannelSet::with)
    }

    /// Removes pairs; `*` and names are removed each by itself.
    #[must_use]
    pub fn without(&self, items: impl Iterator<Item = (Option<u32>, Channel)>) -> Interest {
        self.changed(items, ChannelSet::without)
    }

    fn changed(
        &self,
        items: impl Iterator<Item = (Option<u32>, Channel)>,
        change: fn(ChannelSet, ChannelSet) -> ChannelSet,
    ) -> Interest {
        let mut all = self.all;
        let mut named: std::collections::BTreeMap<_, _> = self.named.iter().copied().collect();
        for (symbol, channel) in items {
            let channel = ChannelSet::of(channel);
            match symbol {
                None => all = change(all, channel),
                Some(symbol) => {
                    let entry = named.entry(symbol).or_insert(ChannelSet::NONE);
                    *entry = change(*entry, channel);
                }
            }
        }
        named.retain(|_, channels| !channels.is_empty());
        Interest { all, named: named.into_iter().collect() }
    }

    fn find(&self, symbol: u32) -> Result<usize, usize> {
        self.named.binary_search_by_key(&symbol, |(s, _)| *s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Bars, Quotes, Trades};

    fn interest(items: &[(Option<u32>, Channel)]) -> Interest {
        Interest::default().with(items.iter().copied())
    }

    #[test]
    fn names_and_star_are_added_and_removed_each_by_itself() {
        let both = interest(&[(Some(7), Quotes), (None, Quotes), (Some(7), Trades)]);
        assert_eq!(both.channels(7).iter().collect::<Vec<_>>(), [Trades, Quotes]);
        assert_eq!(both.channels(8), ChannelSet::of(Quotes));
        let named = both.without([(None, Quotes)].into_iter());
        assert_eq!(named, interest(&[(Some(7), Trades), (Some(7), Quotes)]));
        assert!(named.without([(Some(7), Quotes), (Some(7), Trades)].into_iter()).is_empty());
    }

    #[test]
    fn bits_and_pairs_are_inverse() {
        for set in [interest(&[(Some(3), Quotes), (Some(9), Bars)]), interest(&[(None, Bars)])] {
            for (symbol, _) in set.entries(12) {
                for channel in Channel::ALL {
                    let bit = set.bit(symbol, channel).expect("it is an entry");
                    assert_eq!(set.at(bit), (symbol, channel));
                }
            }
        }
        assert_eq!(interest(&[(Some(3), Quotes)]).bit(4, Quotes), None);
    }

    #[test]
    fn star_lists_every_symbol_once_with_its_own_channels_too() {
        let set = interest(&[(None, Quotes), (Some(1), Trades)]);
        let entries: Vec<_> = set.entries(3).map(|(s, c)| (s, c.bits())).collect();
        assert_eq!(entries, [(0, 0b010), (1, 0b011), (2, 0b010)]);
    }
}
