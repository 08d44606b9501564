//! Channels: the kinds of event that a client asks for by name, and the state of a feed.

/// What a client can ask for of a symbol. Sequence numbers count per symbol and channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Channel {
    /// Lossless: every trade, or a gap that is announced.
    Trades = 0,
    /// Conflated: the latest is what counts.
    Quotes = 1,
    /// Conflated one-minute bars.
    Bars = 2,
}

impl Channel {
    pub const ALL: [Channel; 3] = [Channel::Trades, Channel::Quotes, Channel::Bars];

    /// The name in commands, URLs and gaps.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Trades => "trades",
            Channel::Quotes => "quotes",
            Channel::Bars => "bars",
        }
    }

    pub fn from_name(name: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// A set of channels, as three bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ChannelSet(u8);

impl ChannelSet {
    pub const NONE: ChannelSet = ChannelSet(0);
    pub const ALL: ChannelSet = ChannelSet(0b111);

    pub const fn of(channel: Channel) -> ChannelSet {
        ChannelSet(1 << channel as u8)
    }

    pub const fn has(self, channel: Channel) -> bool {
        self.0 & (1 << channel as u8) != 0
    }

    #[must_use]
    pub const fn with(self, other: ChannelSet) -> ChannelSet {
        ChannelSet(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: ChannelSet) -> ChannelSet {
        ChannelSet(self.0 & !other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The three bits, bit `channel as u8` each; the inverse is [`ChannelSet::from_bits`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    pub const fn from_bits(bits: u8) -> ChannelSet {
        ChannelSet(bits & 0b111)
    }

    pub fn iter(self) -> impl Iterator<Item = Channel> {
        Channel::ALL.into_iter().filter(move |c| self.has(*c))
    }
}

/// What clients are told of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum FeedState {
    /// Ticks arrive.
    Ok = 0,
    /// Connected, or not begun yet, but no tick within the stale time.
    Stale = 1,
    /// Ended or failed.
    Down = 2,
}

impl FeedState {
    pub fn name(self) -> &'static str {
        match self {
            FeedState::Ok => "ok",
            FeedState::Stale => "stale",
            FeedState::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_sets_are_sets() {
        let set = ChannelSet::of(Channel::Quotes).with(ChannelSet::of(Channel::Bars));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Channel::Quotes, Channel::Bars]);
        assert!(set.without(set).is_empty() && !set.has(Channel::Trades));
        assert_eq!(Channel::from_name("bars"), Some(Channel::Bars));
    }
}
