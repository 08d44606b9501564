//! Messages in the making: lines of one symbol and channel that go out together.

use crate::feed::LineOf;
use crate::market::{Channel, Symbol};
use bytes::Bytes;
use rustc_hash::FxHashMap;

/// The contract with the nodes: more lines, or more bytes, take a message of their own.
const LINES_MAX: usize = 256;
const BYTES_MAX: usize = 64 * 1024;

/// Lines of one subject, in order, and the numbers that they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub symbol: Symbol,
    pub channel: Channel,
    /// First and last number; a loss counts with its range.
    pub from: u64,
    pub to: u64,
    pub lines: usize,
    pub payload: Bytes,
}

/// The open messages, in the order of their first lines.
///
/// Bounded by who fills it: [`Batches::lines`] and [`Batches::bytes`] say when to stop.
#[derive(Debug, Default)]
pub struct Batches {
    open: FxHashMap<(Symbol, Channel), usize>,
    messages: Vec<Building>,
    lines: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Building {
    of: LineOf,
    lines: usize,
    payload: Vec<u8>,
}

impl Batches {
    /// Adds a line, with its newline.
    pub fn add(&mut self, of: LineOf, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len();
        if let Some(&at) = self.open.get(&(of.symbol, of.channel)) {
            let building = &mut self.messages[at];
            let fits = building.payload.len() + line.len() <= BYTES_MAX;
            if building.lines < LINES_MAX && fits {
                building.lines += 1;
                building.of.to = of.to;
                building.payload.extend_from_slice(line);
                return;
            }
        }
        self.open.insert((of.symbol, of.channel), self.messages.len());
        self.messages.push(Building { of, lines: 1, payload: line.to_vec() });
    }

    /// Takes all messages: those of one symbol and channel in the order of their numbers.
    pub fn take(&mut self) -> impl Iterator<Item = Message> {
        self.open.clear();
        (self.lines, self.bytes) = (0, 0);
        self.messages.drain(..).map(|building| Message {
            symbol: building.of.symbol,
            channel: building.of.channel,
            from: building.of.from,
            to: building.of.to,
            lines: building.lines,
            payload: Bytes::from(building.payload),
        })
    }

    /// Throws away what was not sent.
    pub fn clear(&mut self) {
        self.take().for_each(drop);
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn lines(&self) -> usize {
        self.lines
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(symbol: &str, channel: Channel, from: u64, to: u64) -> LineOf {
        LineOf { symbol: Symbol::parse(symbol).expect("a symbol"), channel, from, to }
    }

    #[test]
    fn lines_of_a_symbol_and_channel_travel_together_in_order() {
        let mut batches = Batches::default();
        batches.add(line("B", Channel::Trades, 1, 1), b"one\n");
        batches.add(line("A", Channel::Trades, 7, 7), b"seven\n");
        batches.add(line("B", Channel::Quotes, 1, 1), b"quote\n");
        batches.add(line("B", Channel::Trades, 2, 9), b"gap\n");
        assert_eq!((batches.lines(), batches.bytes()), (4, 20));
        let messages: Vec<Message> = batches.take().collect();
        let seen: Vec<_> = messages.iter().map(|m| (m.symbol.as_str(), m.from, m.to)).collect();
        assert_eq!(seen, [("B", 1, 9), ("A", 7, 7), ("B", 1, 1)]);
        assert_eq!((messages[0].lines, &messages[0].payload[..]), (2, &b"one\ngap\n"[..]));
        assert!(batches.is_empty() && batches.lines() == 0);
    }

    /// Method: one line more than fits, by number and by bytes.
    #[test]
    fn a_full_message_is_followed_by_another() {
        let mut batches = Batches::default();
        for sq in 1..=LINES_MAX as u64 + 1 {
            batches.add(line("A", Channel::Trades, sq, sq), b"x\n");
        }
        let messages: Vec<Message> = batches.take().collect();
        let numbers: Vec<_> = messages.iter().map(|m| (m.from, m.to, m.lines)).collect();
        assert_eq!(numbers, [(1, 256, 256), (257, 257, 1)]);
        let long = vec![b'y'; BYTES_MAX / 2 + 1];
        batches.add(line("A", Channel::Trades, 1, 1), &long);
        batches.add(line("A", Channel::Trades, 2, 2), &long);
        assert_eq!(batches.take().count(), 2);
    }
}
