//! Messages that JetStream has not acknowledged yet.

use super::batch::Message;
use super::positions::JUMP;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// At most so many messages wait for their acks: at 20,000 messages a second, the stream may take
/// 200 ms for one.
const MESSAGES_MAX: usize = 4_096;

/// At most so many lines do.
const LINES_MAX: usize = 16_384;

/// Numbers of one symbol and channel that may be given in one epoch above the last that is stored.
pub const UNSTORED_MAX: u64 = 25_000;

// Who reads the stream alone continues JUMP above it: never below a number that was given. Twice,
// since the numbers of an epoch begin where those of the one before ended.
const _: () = assert!(2 * (UNSTORED_MAX + LINES_MAX as u64) < JUMP);

/// How it ended for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// At this sequence of the stream.
    Stored(u64),
    /// It went out live, and the stream does not have it.
    Failed,
}

/// The window between what was sent and what is acknowledged, in the order of sending.
///
/// A message keeps its number ([`Flight::push`]) when it is sent again, and its identity for the
/// stream, so that it is stored once.
#[derive(Debug)]
pub struct Flight {
    sent: VecDeque<Sent>,
    /// Number of the front.
    first: u64,
    lines: usize,
    stored_seq: u64,
}

#[derive(Debug)]
struct Sent {
    flying: Flying,
    at: Instant,
    outcome: Option<Outcome>,
}

/// A message with the epoch in which it got its numbers.
#[derive(Debug, Clone)]
pub struct Flying {
    pub epoch: Arc<str>,
    pub message: Message,
}

impl Flight {
    pub fn new() -> Flight {
        Flight { sent: VecDeque::new(), first: 0, lines: 0, stored_seq: 0 }
    }

    pub fn has_room(&self) -> bool {
        self.sent.len() < MESSAGES_MAX && self.lines < LINES_MAX
    }

    /// That the next message will have: by it its ack is known.
    pub fn next_number(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    /// The message was sent, with the next number.
    pub fn push(&mut self, flying: Flying, at: Instant) -> u64 {
        let number = self.next_number();
        self.lines += flying.message.lines;
        self.sent.push_back(Sent { flying, at, outcome: None });
        number
    }

    /// An ack came. `None`: for a message that has one, or was given up, already.
    pub fn settle(&mut self, number: u64, outcome: Outcome) -> Option<&Flying> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let sent = self.sent.get_mut(at).filter(|sent| sent.outcome.is_none())?;
        sent.outcome = Some(outcome);
        self.lines -= sent.flying.message.lines;
        Some(&self.sent[at].flying)
    }

    /// Forgets the messages at the front that are settled; to be called after acks.
    pub fn advance(&mut self) {
        while let Some(outcome) = self.sent.front().and_then(|sent| sent.outcome) {
            self.sent.pop_front();
            self.first += 1;
            if let Outcome::Stored(seq) = outcome {
                self.stored_seq = self.stored_seq.max(seq);
            }
        }
    }

    /// Gives up the messages that have waited for longer than `patience`; says how many.
    pub fn give_up(&mut self, now: Instant, patience: Duration) -> Vec<Flying> {
        let mut given_up = Vec::new();
        for sent in &mut self.sent {
            if now.duration_since(sent.at) < patience {
                break;
            }
            if sent.outcome.is_none() {
                sent.outcome = Some(Outcome::Failed);
                self.lines -= sent.flying.message.lines;
                given_up.push(sent.flying.clone());
            }
        }
        self.advance();
        given_up
    }

    /// Those without an ack, to be sent again; their time begins anew.
    pub fn again(&mut self, now: Instant) -> Vec<(u64, Flying)> {
        let first = self.first;
        let unsettled = self.sent.iter_mut().enumerate().filter(|(_, s)| s.outcome.is_none());
        unsettled
            .map(|(at, sent)| {
                sent.at = now;
                (first + at as u64, sent.flying.clone())
            })
            .collect()
    }

    /// Somebody else leads, and gives these numbers anew: says how many messages were dropped.
    pub fn drop_all(&mut self) -> usize {
        let count = self.sent.iter().filter(|sent| sent.outcome.is_none()).count();
        self.first += self.sent.len() as u64;
        self.sent.clear();
        self.lines = 0;
        count
    }

    /// The stream's end as a new leader finds it.
    pub fn begin_at(&mut self, stream_seq: u64) {
        self.stored_seq = self.stored_seq.max(stream_seq);
    }

    /// A sequence of the stream up to which all is stored that was sent before, or has failed.
    pub fn stored_seq(&self) -> u64 {
        self.stored_seq
    }

    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Channel, Symbol};
    use bytes::Bytes;

    fn flying(sq: u64, lines: usize) -> Flying {
        let symbol = Symbol::parse("SPY").expect("a symbol");
        let (channel, payload) = (Channel::Trades, Bytes::new());
        let message = Message { symbol, channel, from: sq, to: sq, lines, payload };
        Flying { epoch: Arc::from("e"), message }
    }

    /// Method: acks come out of order, twice, and not at all.
    #[test]
    fn what_is_stored_is_known_from_the_front_on() {
        let (mut flight, began) = (Flight::new(), Instant::now());
        flight.begin_at(100);
        let numbers: Vec<u64> = (1..=4).map(|sq| flight.push(flying(sq, 1), began)).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert!(flight.settle(1, Outcome::Stored(102)).is_some());
        flight.advance();
        assert_eq!((flight.stored_seq(), flight.sent.len()), (100, 4));
        assert!(flight.settle(0, Outcome::Stored(101)).is_some());
        assert!(flight.settle(0, Outcome::Stored(101)).is_none());
        flight.advance();
        assert_eq!((flight.stored_seq(), flight.sent.len()), (102, 2));
        assert!(
            flight.settle(1, Outcome::Failed).is_none()
                && flight.settle(9, Outcome::Failed).is_none()
        );
        let again: Vec<_> = flight.again(began).iter().map(|(n, f)| (*n, f.message.from)).collect();
        assert_eq!(again, [(2, 3), (3, 4)]);
        let patience = Duration::from_secs(5);
        assert_eq!(flight.give_up(began + Duration::from_secs(4), patience).len(), 0);
        assert_eq!(flight.give_up(began + patience, patience).len(), 2);
        assert!(flight.is_empty() && flight.stored_seq() == 102);
        assert_eq!(flight.push(flying(5, 1), began), 4);
        assert_eq!(flight.drop_all(), 1);
        assert_eq!(flight.push(flying(6, 1), began), 5);
    }

    #[test]
    fn the_window_is_bounded_in_messages_and_lines() {
        let (mut flight, now) = (Flight::new(), Instant::now());
        while flight.has_room() {
            flight.push(flying(1, 1), now);
        }
        assert_eq!(flight.sent.len(), MESSAGES_MAX);
        flight.drop_all();
        while flight.has_room() {
            flight.push(flying(1, 256), now);
        }
        assert_eq!(flight.sent.len(), LINES_MAX / 256);
    }
}
