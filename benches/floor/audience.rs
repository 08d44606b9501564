//! Who gets what: clients with the same set share their bytes, and an index leads from a symbol to
//! the sets that have it. A set of one client is gathered for that client alone, by the same index.

use std::os::fd::RawFd;

use rustc_hash::FxHashMap;
use tapecast::limits::FRAME_PAYLOAD_BYTES_MAX;
use tapecast::market::{Channel, ChannelSet, Symbol, SymbolId};
use tapecast::wire::frame::{array_payload_len, write_array};
use tapecast::wire::{Format, Item, Subject};

use crate::market::Market;

#[derive(Clone, Copy)]
pub struct Member {
    pub fd: RawFd,
    pub slot: u32,
}

/// All clients that asked for the same.
pub struct Cohort {
    format: Format,
    pub members: Vec<Member>,
    /// Indices of the burst's events.
    window: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Watch {
    cohort: u32,
    channels: ChannelSet,
}

#[derive(Default)]
pub struct Audience {
    pub cohorts: Vec<Cohort>,
    by_key: FxHashMap<(Format, Vec<Item>), u32>,
    /// Own numbers of symbols, since clients name symbols that the feed has not sent yet.
    numbers: FxHashMap<Symbol, u32>,
    watches: Vec<Vec<Watch>>,
    stars: Vec<Watch>,
    /// The own number of each symbol of the feed.
    of_feed: Vec<u32>,
}

impl Audience {
    /// The cohort of all who ask for these items.
    pub fn cohort(&mut self, format: Format, mut items: Vec<Item>) -> u32 {
        items.sort_unstable();
        items.dedup();
        let key = (format, items);
        if let Some(cohort) = self.by_key.get(&key) {
            return *cohort;
        }
        let cohort = self.cohorts.len() as u32;
        for item in &key.1 {
            let watch = Watch { cohort, channels: ChannelSet::of(item.channel) };
            let list = match item.subject {
                Subject::All => &mut self.stars,
                Subject::Name(symbol) => {
                    let number = self.number(symbol);
                    &mut self.watches[number as usize]
                }
            };
            match list.last_mut().filter(|last| last.cohort == cohort) {
                Some(last) => last.channels = last.channels.with(watch.channels),
                None => list.push(watch),
            }
        }
        self.cohorts.push(Cohort { format, members: Vec::new(), window: Vec::new() });
        self.by_key.insert(key, cohort);
        cohort
    }

    /// The member's place in its cohort.
    pub fn join(&mut self, cohort: u32, member: Member) -> u32 {
        let members = &mut self.cohorts[cohort as usize].members;
        members.push(member);
        members.len() as u32 - 1
    }

    /// Another member may take the place: its slot.
    pub fn leave(&mut self, cohort: u32, place: u32) -> Option<u32> {
        let members = &mut self.cohorts[cohort as usize].members;
        members.swap_remove(place as usize);
        members.get(place as usize).map(|moved| moved.slot)
    }

    /// Gives each cohort its part of the burst, and `dirty` those that have one.
    pub fn mark(&mut self, market: &Market, dirty: &mut Vec<u32>) {
        for symbol in &market.symbols()[self.of_feed.len()..] {
            let number = self.number(*symbol);
            self.of_feed.push(number);
        }
        for (index, (symbol, channel)) in market.burst().enumerate() {
            self.note(index as u32, symbol, channel, dirty);
        }
    }

    fn note(&mut self, index: u32, symbol: SymbolId, channel: Channel, dirty: &mut Vec<u32>) {
        let number = self.of_feed[symbol.0 as usize] as usize;
        for watch in self.watches[number].iter().chain(&self.stars) {
            let cohort = &mut self.cohorts[watch.cohort as usize];
            if !watch.channels.has(channel) || cohort.members.is_empty() {
                continue;
            }
            if cohort.window.last() == Some(&index) {
                // It has both the name and `*`.
                continue;
            }
            if cohort.window.is_empty() {
                dirty.push(watch.cohort);
            }
            cohort.window.push(index);
        }
    }

    fn number(&mut self, symbol: Symbol) -> u32 {
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(symbol).or_insert(next);
        if number == next {
            self.watches.push(Vec::new());
        }
        number
    }
}

impl Cohort {
    /// Appends the frames of its window, cut where the server cuts them, and empties it.
    pub fn encode(&mut self, market: &mut Market, out: &mut Vec<u8>) {
        let (format, encoding) = (self.format, self.format.encoding);
        market.encode(format);
        let (mut first, mut bytes) = (0, 0);
        for end in 1..=self.window.len() {
            bytes += market.line(format, self.window[end - 1]).len();
            let next = self.window.get(end).map(|next| bytes + market.line(format, *next).len());
            let count = end - first;
            let fits = |bytes| array_payload_len(encoding, count + 1, bytes);
            if next.is_some_and(|bytes| fits(bytes) <= FRAME_PAYLOAD_BYTES_MAX) {
                continue;
            }
            let lines = self.window[first..end].iter().map(|at| market.line(format, *at));
            write_array(encoding, count, bytes, lines, out);
            (first, bytes) = (end, 0);
        }
        self.window.clear();
    }
}
