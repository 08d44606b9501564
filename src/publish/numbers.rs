//! From the numbers of this process to those of the epoch.
//!
//! The ingest thread numbers from 1 with every start. A record of a feed that brings its own
//! numbers keeps them, and is passed over where somebody published it already. Any other gets the
//! number behind the last one of its symbol and channel ([`Positions`]).

use super::positions::{Position, Positions};
use crate::market::{Channel, Feed, Symbol, SymbolId, Tick, TickBody};

/// By symbol and channel: what was published last, and how our numbers become the epoch's.
#[derive(Debug, Default)]
pub struct Numbers {
    /// By feed, where lines of one sequence are one: whether its records bring their numbers.
    sequenced: Vec<bool>,
    /// By their [`SymbolId`].
    symbols: Vec<Numbered>,
}

#[derive(Debug, Clone)]
struct Numbered {
    name: Symbol,
    is_sequenced: bool,
    channels: [Count; 3],
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// What is added to a number of this process, wrapping; `None` before the first of a term.
    offset: Option<u64>,
    /// The last that was given.
    last: u64,
    /// The first half of a bar went out, so its second is to follow.
    has_prices: bool,
}

/// What becomes of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// Somebody published it already.
    Known,
    /// The tick with its number in the epoch; before it, where numbers are skipped, the loss.
    Next { loss: Option<Tick>, tick: Tick },
}

impl Numbers {
    /// `sequenced`: by feed, whether its records bring their numbers.
    pub fn new(sequenced: Vec<bool>) -> Numbers {
        Numbers { sequenced, symbols: Vec::new() }
    }

    /// A symbol appears.
    pub fn define(&mut self, id: SymbolId, name: Symbol, feed: Feed) {
        let is_sequenced = self.is_sequenced(feed);
        let numbered = Numbered { name, is_sequenced, channels: [Count::default(); 3] };
        let at = id.0 as usize;
        if at == self.symbols.len() {
            self.symbols.push(numbered);
        } else if let Some(known) = self.symbols.get_mut(at) {
            // Told once more; its counts go on.
            (known.name, known.is_sequenced) = (name, is_sequenced);
        }
    }

    fn is_sequenced(&self, feed: Feed) -> bool {
        self.sequenced.get(usize::from(feed.0)).copied().unwrap_or(false)
    }

    /// The feeds bring an epoch: in it, all numbers stay as they are.
    pub fn keep_all(&mut self) {
        self.sequenced.fill(true);
        self.symbols.iter_mut().for_each(|numbered| numbered.is_sequenced = true);
    }

    /// The term begins: what is published next continues where `positions` are.
    pub fn begin_term(&mut self) {
        for numbered in &mut self.symbols {
            numbered.channels = [Count::default(); 3];
        }
    }

    /// The term ends: what was given in it is known exactly.
    pub fn end_term(&self, positions: &mut Positions) {
        for numbered in &self.symbols {
            for channel in Channel::ALL {
                let count = numbered.channels[channel as usize];
                if count.offset.is_some() {
                    positions.heard(numbered.name, channel, count.last);
                }
            }
        }
    }

    /// Gives a market tick its number in the epoch.
    ///
    /// `None` where `tick` is of a symbol that was never defined, or no market tick.
    pub fn number(&mut self, tick: Tick, positions: &Positions) -> Option<Numbering> {
        let channel = tick.channel()?;
        let numbered = self.symbols.get_mut(tick.symbol().0 as usize)?;
        let (name, is_sequenced) = (numbered.name, numbered.is_sequenced);
        let count = &mut numbered.channels[channel as usize];
        let mut skipped = None;
        if count.offset.is_none() {
            let last = positions.last(name, channel);
            let first = first_of(&tick);
            count.offset = Some(match last {
                _ if is_sequenced => 0,
                None => 0_u64.wrapping_sub(first).wrapping_add(1),
                Some(last) => last.base().wrapping_sub(first).wrapping_add(1),
            });
            count.last = last.map_or(0, |last| if is_sequenced { last.sq } else { last.base() });
            skipped = last.filter(|last| !is_sequenced && last.base() > last.sq);
        }
        let tick = tick.renumbered(count.offset.expect("it was set right above"));
        let tick = count.take(tick)?;
        let Some(tick) = tick else { return Some(Numbering::Known) };
        let loss = skipped.filter(|_| channel == Channel::Trades).map(|last| skip(&tick, last));
        Some(Numbering::Next { loss, tick })
    }

    /// Whether the tick would begin the numbers of its symbol and channel, with nothing known of
    /// any before.
    pub fn begins(&self, tick: &Tick, positions: &Positions) -> bool {
        let numbered = self.symbols.get(tick.symbol().0 as usize);
        let (Some(numbered), Some(channel)) = (numbered, tick.channel()) else { return false };
        !numbered.is_sequenced
            && numbered.channels[channel as usize].offset.is_none()
            && positions.last(numbered.name, channel).is_none()
    }

    pub fn brings_numbers(&self, symbol: SymbolId) -> bool {
        self.symbols.get(symbol.0 as usize).is_some_and(|numbered| numbered.is_sequenced)
    }
}

impl Count {
    /// The tick, or what of a loss is new; inner `None`: it was given already. Outer `None`: no
    /// market tick.
    fn take(&mut self, tick: Tick) -> Option<Option<Tick>> {
        Some(match tick.body() {
            TickBody::Lost { symbol, channel, from, to, ingest_ns } => {
                let from = from.max(self.last.saturating_add(1));
                (to >= from).then(|| {
                    self.last = to;
                    Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns })
                })
            }
            TickBody::BarTotals(head, _) => {
                let is_due = std::mem::take(&mut self.has_prices) && head.seq == self.last;
                is_due.then_some(tick)
            }
            TickBody::Trade(head, _) | TickBody::Quote(head, _) | TickBody::BarPrices(head, _) => {
                let is_new = head.seq > self.last;
                self.has_prices = is_new;
                is_new.then(|| {
                    self.last = head.seq;
                    tick
                })
            }
            _ => return None,
        })
    }
}

/// The first number that a tick has.
fn first_of(tick: &Tick) -> u64 {
    match tick.body() {
        TickBody::Lost { from, .. } => from,
        _ => tick.seq(),
    }
}

/// What is announced as lost before `tick`: the numbers that nobody may have given.
fn skip(tick: &Tick, last: Position) -> Tick {
    let (symbol, channel, ingest_ns) = (tick.symbol(), Channel::Trades, tick.ingest_ns());
    let (from, to) = (last.sq + 1, last.base());
    Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns })
}

#[cfg(test)]
mod tests;
