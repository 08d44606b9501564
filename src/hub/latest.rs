//! The newest tick of each symbol and conflated channel.

use crate::market::{Channel, Tick};

/// `arrival` numbers count every market event of the hub, from 1, and order all updates of all
/// symbols: "what changed since" is a comparison. They lie apart from the ticks because a
/// catch-up looks at many of them and needs few of the ticks.
#[derive(Debug, Default)]
pub struct Latest {
    arrivals: Vec<[Arrivals; 2]>,
    /// Arrival numbers of the first ones.
    firsts: Vec<[u64; 2]>,
    quotes: Vec<Option<Tick>>,
    bars: Vec<Option<Bar>>,
}

/// Of the newest one and of the one before it, in one place, since each tick changes both.
#[derive(Debug, Clone, Copy, Default)]
struct Arrivals {
    newest: u64,
    previous: u64,
}

/// The two records of a bar.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    pub prices: Tick,
    pub totals: Tick,
}

impl Latest {
    pub fn set_quote(&mut self, symbol: u32, tick: Tick, arrival: u64) {
        self.grow(symbol);
        self.note(symbol, 0, arrival);
        self.quotes[symbol as usize] = Some(tick);
    }

    pub fn set_bar(&mut self, symbol: u32, bar: Bar, arrival: u64) {
        self.grow(symbol);
        self.note(symbol, 1, arrival);
        self.bars[symbol as usize] = Some(bar);
    }

    /// There is nothing of the symbol.
    pub fn forget(&mut self, symbol: u32) {
        let at = symbol as usize;
        if at < self.arrivals.len() {
            (self.arrivals[at], self.firsts[at]) = ([Arrivals::default(); 2], [0; 2]);
            (self.quotes[at], self.bars[at]) = (None, None);
        }
    }

    pub fn quote(&self, symbol: u32) -> Option<&Tick> {
        self.quotes.get(symbol as usize)?.as_ref()
    }

    pub fn bar(&self, symbol: u32) -> Option<&Bar> {
        self.bars.get(symbol as usize)?.as_ref()
    }

    /// When the newest arrived; 0 where there is none, and always for trades.
    #[inline]
    pub fn arrival(&self, symbol: u32, channel: Channel) -> u64 {
        let Some(arrivals) = self.arrivals.get(symbol as usize) else { return 0 };
        match channel {
            Channel::Trades => 0,
            Channel::Quotes => arrivals[0].newest,
            Channel::Bars => arrivals[1].newest,
        }
    }

    /// When the one before the newest arrived; 0 where there is none, and always for trades.
    #[inline]
    pub fn previous_arrival(&self, symbol: u32, channel: Channel) -> u64 {
        let Some(arrivals) = self.arrivals.get(symbol as usize) else { return 0 };
        match channel {
            Channel::Trades => 0,
            Channel::Quotes => arrivals[0].previous,
            Channel::Bars => arrivals[1].previous,
        }
    }

    /// When the first one arrived; 0 where there is none, and always for trades.
    pub fn first_arrival(&self, symbol: u32, channel: Channel) -> u64 {
        let Some(firsts) = self.firsts.get(symbol as usize) else { return 0 };
        match channel {
            Channel::Trades => 0,
            Channel::Quotes => firsts[0],
            Channel::Bars => firsts[1],
        }
    }

    /// The newest sequence number; 0 where there is none, and always for trades.
    pub fn seq(&self, symbol: u32, channel: Channel) -> u64 {
        match channel {
            Channel::Trades => 0,
            Channel::Quotes => self.quote(symbol).map_or(0, Tick::seq),
            Channel::Bars => self.bar(symbol).map_or(0, |bar| bar.totals.seq()),
        }
    }

    fn note(&mut self, symbol: u32, at: usize, arrival: u64) {
        let arrivals = &mut self.arrivals[symbol as usize][at];
        *arrivals = Arrivals { newest: arrival, previous: arrivals.newest };
        let first = &mut self.firsts[symbol as usize][at];
        if *first == 0 {
            *first = arrival;
        }
    }

    fn grow(&mut self, symbol: u32) {
        let rows = symbol as usize + 1;
        if rows > self.arrivals.len() {
            self.arrivals.resize(rows, [Arrivals::default(); 2]);
            self.firsts.resize(rows, [0; 2]);
            self.quotes.resize(rows, None);
            self.bars.resize(rows, None);
        }
    }
}
