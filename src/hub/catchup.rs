//! The next frame for one who is behind: a session, or a cohort with a rate.
//!
//! One mechanism serves snapshot, conflation, resume and rate limit. What is owed is worked out
//! when it can be sent, from arrival numbers: a session whose socket is full costs nothing while
//! ticks go on.

use super::book::Book;
use super::interest::Interest;
use super::lines::{Lines, Span};
use crate::market::{Channel, ChannelSet, TickBody};
use crate::session::Lag;
use crate::wire::{Encoding, frame};

/// Tape entries looked at for one frame; the rest comes with the next. Half a millisecond at
/// 60 ns an entry that is somebody else's.
const TAPE_SCAN_MAX: u64 = 8_192;

/// What one frame took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composed {
    /// Trades, quotes and bars in it.
    pub items: u64,
    /// Gaps in it.
    pub gaps: u64,
    /// Quotes and bars that were replaced by newer ones since the last look.
    pub conflated: u64,
    /// Nothing is owed any more, up to now.
    pub done: bool,
}

/// Appends at most one frame to `out` (none where nothing is owed) and moves `lag` past it.
/// `taken` gets the bits of `lag.pending` that the frame cleared, in order.
pub fn compose(
    book: &Book,
    lines: &mut Lines,
    interest: &Interest,
    encoding: Encoding,
    lag: &mut Lag,
    taken: &mut Vec<u32>,
    out: &mut Vec<u8>,
) -> Composed {
    let conflated = look_again(book, interest, lag);
    let mut draft = Draft { encoding, spans: Vec::new(), bytes: 0, items: 0 };
    let gaps_left = lag.gaps > 0 && !take_gaps(book, lines, interest, lag, taken, &mut draft);
    let wants_trades = interest.any().has(Channel::Trades);
    if !wants_trades {
        lag.advance(book.tape.head());
    }
    let trades_wait = lag.cursor < book.tape.head();
    // While trades wait too, quotes may fill a half: some quote always fits it.
    let limit = lines.frame_bytes();
    let share = if trades_wait { limit / 2 } else { limit };
    take_conflated(book, lines, interest, lag, taken, &mut draft, share);
    if trades_wait && !gaps_left {
        take_trades(book, lines, interest, lag, &mut draft);
        take_conflated(book, lines, interest, lag, taken, &mut draft, limit);
    }
    if !draft.spans.is_empty() {
        let elements = draft.spans.iter().map(|span| lines.bytes(*span));
        frame::write_array(encoding, draft.spans.len(), draft.bytes, elements, out);
    }
    let done = lag.pending.is_empty() && lag.cursor == book.tape.head();
    if done {
        lag.pending.reset();
        lag.fresh.reset();
    }
    // Every line that is no item is a gap.
    let gaps = draft.spans.len() as u64 - draft.items;
    Composed { items: draft.items, gaps, conflated, done }
}

/// A frame in the making: whole lines, within the limit.
struct Draft {
    encoding: Encoding,
    spans: Vec<Span>,
    bytes: usize,
    items: u64,
}

impl Draft {
    /// Takes a line if the payload stays within `limit`.
    fn take(&mut self, span: Span, limit: usize) -> bool {
        let (count, bytes) = (self.spans.len() + 1, self.bytes + span.len());
        if frame::array_payload_len(self.encoding, count, bytes) > limit {
            return false;
        }
        self.spans.push(span);
        self.bytes = bytes;
        true
    }
}

/// Marks what has changed since the last look, and the gaps that the tape has torn since. Gives
/// how many quotes and bars were replaced by newer ones before they were sent.
pub(super) fn look_again(book: &Book, interest: &Interest, lag: &mut Lag) -> u64 {
    let mut replaced = 0;
    let conflated = ChannelSet::of(Channel::Quotes).with(ChannelSet::of(Channel::Bars));
    let mark_quotes = lag.mark < book.arrivals() && interest.any().bits() & conflated.bits() != 0;
    let mark_gaps = lag.cursor < book.tape.tail() && interest.any().has(Channel::Trades);
    if mark_quotes || mark_gaps {
        for (symbol, channels) in interest.entries(book.symbols.len()) {
            for channel in channels.iter() {
                let due = match channel {
                    Channel::Trades => {
                        let owed = lag.first_owed(symbol);
                        mark_gaps && book.tape.evicted_since(symbol, owed).is_some()
                    }
                    _ => book.latest.arrival(symbol, channel) > lag.mark,
                };
                let bit = interest.bit(symbol, channel).expect("it is an entry");
                if due && !lag.pending.has(bit) {
                    lag.pending.set(bit);
                    lag.gaps += u32::from(channel == Channel::Trades);
                    let before = book.latest.previous_arrival(symbol, channel);
                    replaced += u64::from(before > lag.mark);
                } else if due && channel != Channel::Trades {
                    replaced += 1;
                }
            }
        }
    }
    lag.mark = book.arrivals();
    if mark_gaps {
        lag.advance(book.tape.tail());
    }
    replaced
}

/// Announces gaps; `false` where some are left. They come before any later trade of the symbol.
fn take_gaps(
    book: &Book,
    lines: &mut Lines,
    interest: &Interest,
    lag: &mut Lag,
    taken: &mut Vec<u32>,
    draft: &mut Draft,
) -> bool {
    let mut from = 0;
    while let Some(bit) = lag.pending.next(from) {
        from = bit + 1;
        let (symbol, channel) = interest.at(bit);
        if channel != Channel::Trades {
            continue;
        }
        let to = book.tape.evicted_since(symbol, 0);
        let span = lines.gap(book, symbol, None, to);
        if !draft.take(span, lines.frame_bytes()) {
            return false;
        }
        lag.pending.clear(bit);
        lag.gaps -= 1;
        taken.push(bit as u32);
    }
    true
}

/// Takes pending quotes and bars, going round from where the last frame stopped.
fn take_conflated(
    book: &Book,
    lines: &mut Lines,
    interest: &Interest,
    lag: &mut Lag,
    taken: &mut Vec<u32>,
    draft: &mut Draft,
    limit: usize,
) {
    let start = lag.next_bit as usize;
    let (mut from, mut wrapped) = (start, false);
    loop {
        let Some(bit) = lag.pending.next(from).filter(|bit| !wrapped || *bit < start) else {
            if wrapped || start == 0 {
                lag.next_bit = 0;
                return;
            }
            (from, wrapped) = (0, true);
            continue;
        };
        from = bit + 1;
        let (symbol, channel) = interest.at(bit);
        if channel == Channel::Trades {
            continue;
        }
        let line = lines.latest(book, symbol, channel, lag.fresh.has(bit));
        if let Some(span) = line {
            if !draft.take(span, limit) {
                lag.next_bit = bit as u32;
                return;
            }
            draft.items += 1;
        }
        lag.pending.clear(bit);
        lag.fresh.clear(bit);
        taken.push(bit as u32);
    }
}

/// Replays the tape from the cursor.
fn take_trades(
    book: &Book,
    lines: &mut Lines,
    interest: &Interest,
    lag: &mut Lag,
    draft: &mut Draft,
) {
    let end = book.tape.head().min(lag.cursor + TAPE_SCAN_MAX);
    let mut position = lag.cursor;
    while position < end {
        let tick = &book.tape.at(position).tick;
        let symbol = tick.symbol().0;
        let wanted = interest.channels(symbol).has(Channel::Trades);
        if wanted && position >= lag.first_owed(symbol) {
            let span = lines.tape(book, position);
            if !draft.take(span, lines.frame_bytes()) {
                break;
            }
            draft.items += u64::from(matches!(tick.body(), TickBody::Trade(..)));
        }
        position += 1;
    }
    lag.advance(position);
}
