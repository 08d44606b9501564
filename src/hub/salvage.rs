//! A hub that begins anew: the market's tables rebuilt from those of one that panicked.
//!
//! Memory is sound after a panic, but what the tables mean together is not known. So nothing is
//! taken over as it is: every definition and every tick is entered again, in the order in which it
//! came. Sessions are not salvaged.

use super::Hub;
use super::book::Book;
use crate::market::{Channel, SymbolId, Tick, TickBody};
use crate::session::{CloseReason, Now};

/// Ticks of an old book, by arrival number.
type Arrived = Vec<(u64, Tick)>;

impl Hub {
    /// A new hub with the market as `old` had it; the epoch goes on. May panic where `old` is torn
    /// beyond that: then [`Hub::renewed_empty`] is left.
    ///
    /// `entering` is a tick that was on its way in: it is entered where it had not arrived.
    pub fn renewed(old: &Hub, entering: Option<&Tick>, now: Now) -> Hub {
        let mut hub = Hub::renewed_empty(old, old.epoch.clone(), now);
        hub.book = rebuild(&old.book, hub.settings.tape_ticks);
        if let Some(tick) = entering.filter(|tick| !has(&hub.book, tick)) {
            hub.tick(tick);
            hub.book.settle(hub.book.arrivals());
        }
        hub
    }

    /// A new hub that knows no symbol. `epoch` must be a new one: what clients have cannot be
    /// told from what they missed.
    pub fn renewed_empty(old: &Hub, epoch: String, now: Now) -> Hub {
        let mut hub = Hub::new(old.settings.clone(), epoch, now);
        hub.counters = old.counters.clone();
        hub.feeds_epoch.clone_from(&old.feeds_epoch);
        hub.next_epoch = old.next_epoch;
        let cut = old.sessions.iter().filter(|(_, session)| session.is_listening()).count();
        hub.counters.closed[CloseReason::Internal.counter()] += cut as u64;
        hub
    }

    pub fn epoch(&self) -> &str {
        &self.epoch
    }
}

fn rebuild(old: &Book, tape_ticks: usize) -> Book {
    let mut book = Book::new(tape_ticks);
    let mut ids = vec![None; old.symbols.len()];
    for definition in old.symbols.definitions() {
        match definition {
            TickBody::Symbol { id, name, feed } => {
                let number = old.symbols.by_id(id).expect("it was listed by its id");
                ids[number as usize] = Some(id);
                book.symbols.define(id, name, feed);
            }
            TickBody::Code { code, name } => book.symbols.define_code(code, name),
            TickBody::Conditions { list, joined } => book.symbols.define_conditions(list, joined),
            _ => unreachable!("definitions are of three kinds"),
        }
    }
    for (number, id) in ids.iter().enumerate() {
        let evicted = old.tape.evicted_seq(number as u32);
        if let (Some(id), Some(seq)) = (id, evicted) {
            let number = book.symbols.by_id(*id).expect("it was defined above");
            book.tape.note_evicted(number, seq);
        }
    }
    for (_, tick) in arrived(old) {
        let Some(Some(id)) = ids.get(tick.symbol().0 as usize) else { continue };
        book.enter(&tick.with_symbol(*id));
        if book.is_full() {
            book.settle(book.arrivals());
        }
    }
    book.settle(book.arrivals());
    for (index, view) in old.feeds().iter().enumerate() {
        book.restore_feed(index, *view);
    }
    book
}

/// All that the old tables hold, oldest first. A bar is two ticks, of which the first is one
/// arrival earlier; a half that waits for its second comes last.
fn arrived(old: &Book) -> Arrived {
    let mut arrived = Arrived::new();
    for position in old.tape.tail()..old.tape.head() {
        let entry = old.tape.at(position);
        arrived.push((entry.arrival, entry.tick));
    }
    for symbol in 0..old.symbols.len() as u32 {
        if let Some(quote) = old.latest.quote(symbol) {
            arrived.push((old.latest.arrival(symbol, Channel::Quotes), *quote));
        }
        if let Some(bar) = old.latest.bar(symbol) {
            let at = old.latest.arrival(symbol, Channel::Bars);
            arrived.push((at.saturating_sub(1), bar.prices));
            arrived.push((at, bar.totals));
        }
    }
    // Stable: what shares a number keeps the order of above.
    arrived.sort_by_key(|(arrival, _)| *arrival);
    arrived.extend(old.halves().map(|half| (u64::MAX, *half)));
    arrived
}

/// Whether a market event has arrived already. Definitions and states may come twice.
fn has(book: &Book, tick: &Tick) -> bool {
    let Some(symbol) = book.symbols.by_id(tick.symbol()) else { return false };
    match tick.body() {
        TickBody::Trade(..) | TickBody::Lost { .. } => book.tape.last_seq(symbol) >= tick.seq(),
        TickBody::Quote(..) => book.latest.seq(symbol, Channel::Quotes) >= tick.seq(),
        TickBody::BarTotals(..) => book.latest.seq(symbol, Channel::Bars) >= tick.seq(),
        _ => false,
    }
}

/// What stands on the tape for a tick that cannot be entered: a trade is announced as lost, and
/// everything else is followed by a newer one.
pub fn in_place_of(tick: &Tick) -> Option<Tick> {
    let TickBody::Trade(head, _) = tick.body() else { return None };
    let (from, to, ingest_ns) = (head.seq, head.seq, head.ingest_ns);
    let (symbol, channel): (SymbolId, _) = (head.symbol, Channel::Trades);
    Some(Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns }))
}

#[cfg(test)]
mod tests;
