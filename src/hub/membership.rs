//! How sessions move between cohorts.

use super::Hub;
use super::catchup::look_again;
use super::cohort::{APART, CohortKey};
use super::interest::Interest;
use super::joining::owe_all;
use crate::market::{Channel, ChannelSet};
use crate::session::{Floors, Lag, Place};
use crate::wire::{Event, Format, LineEncoder, frame};

/// What a client says it has of a symbol, and by that wants no more of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resume {
    pub symbol: u32,
    /// By channel; `None` where it says nothing.
    pub seqs: [Option<u64>; 3],
    /// Its numbers are of this epoch.
    pub valid: bool,
}

/// A gap that a resume has shown.
type Gap = (u32, Option<u64>, Option<u64>);

impl Hub {
    /// Takes a session out of its cohort's members in step. Gives what it has, where it was one.
    pub(super) fn step_out(&mut self, slot: u32) -> Option<Lag> {
        let session = self.sessions.at_mut(slot)?;
        let Place::InStep(index) = session.place else { return None };
        let (id, index) = (session.cohort, index as usize);
        let cohort = self.cohorts.at_mut(id).expect("a member's cohort lives");
        let unserved = self.flush.unserved(id, index);
        let (has, missed) = unserved.unwrap_or_else(|| (cohort.has(&self.book), 0));
        session.items = session.items.wrapping_add(cohort.items).wrapping_sub(missed);
        self.counters.items_out -= missed;
        session.place = Place::Apart;
        let mut hole = index;
        if let Some(moved) = self.flush.shrink(id, index) {
            cohort.in_step.swap(hole, moved);
            self.renumber(id, hole);
            hole = moved;
        }
        let cohort = self.cohorts.at_mut(id).expect("just seen");
        cohort.in_step.swap_remove(hole);
        self.renumber(id, hole);
        Some(Lag::at(has.0, has.1))
    }

    /// The member list of a cohort has another session at `index` now.
    fn renumber(&mut self, cohort: u32, index: usize) {
        let cohort = self.cohorts.at(cohort).expect("its caller has just seen it");
        let Some(slot) = cohort.in_step.get(index).copied() else { return };
        let session = self.sessions.at_mut(slot).expect("a member is a session");
        if let Place::InStep(at) = &mut session.place {
            *at = index as u32;
        }
    }

    /// Takes a session out of its cohort altogether. Gives the cohort's interest and what the
    /// session has, where it had a cohort.
    pub(super) fn leave(&mut self, slot: u32) -> Option<(Interest, Lag)> {
        let in_step = self.step_out(slot);
        let session = self.sessions.at_mut(slot)?;
        if session.cohort == APART {
            return None;
        }
        let place = std::mem::replace(&mut session.place, Place::Apart);
        let lag = match place {
            Place::Behind(lag) => *lag,
            _ => in_step.expect("who has a cohort is in step or behind"),
        };
        let id = std::mem::replace(&mut session.cohort, APART);
        let interest = self.cohorts.at(id).expect("a member's cohort lives").key.interest.clone();
        self.cohorts.dismiss(id, &mut self.book.symbols);
        self.subscribed -= 1;
        Some((interest, lag))
    }

    /// Puts a session that wants `interest` into the cohort for it, and marks what it is owed.
    pub(super) fn change(&mut self, slot: u32, interest: Interest, resume: &[Resume]) {
        let here = self.book.here();
        // The new names are held while the old cohort, which may be their last, is left.
        for (symbol, _) in interest.named() {
            self.book.symbols.acquire(*symbol);
        }
        let before = self.leave(slot);
        let (old, mut had) =
            before.unwrap_or_else(|| (Interest::default(), Lag::at(here.0, here.1)));
        if had.owes_snapshot {
            owe_all(&self.book, &old, &mut had);
        }
        look_again(&self.book, &old, &mut had);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if !interest.is_empty() {
            let mut lag = self.carry_over(&old, &interest, had);
            let gaps = self.add_new(&old, &interest, resume, &mut lag);
            let session = self.sessions.at_mut(slot).expect("just seen");
            let (format, rate) = (session.format, session.rate);
            let key = CohortKey { interest: interest.clone(), format, rate };
            session.cohort = self.cohorts.enroll(key, &mut self.book.symbols, here);
            session.place = Place::Behind(Box::new(lag));
            self.subscribed += 1;
            self.counters.gaps_out += gaps.len() as u64;
            self.write_gaps(slot, &gaps, format);
        } else {
            session.place = Place::Apart;
        }
        for (symbol, _) in interest.named() {
            self.book.symbols.release(*symbol);
        }
        self.enqueue(slot);
    }

    /// What a session that leaves `old` is still owed of what it also wants in `new`.
    fn carry_over(&self, old: &Interest, new: &Interest, had: Lag) -> Lag {
        let mut lag = Lag::at(had.mark, had.cursor);
        for bit in had.pending.iter() {
            let (symbol, channel) = old.at(bit);
            if !new.channels(symbol).has(channel) {
                continue;
            }
            let place = new.bit(symbol, channel).expect("who has channels is an entry");
            lag.pending.set(place);
            lag.gaps += u32::from(channel == Channel::Trades);
            if had.fresh.has(bit) {
                lag.fresh.set(place);
            }
        }
        let begins = |symbol: u32| had.first_owed(symbol);
        lag.floors = self.floors(old, new, had.cursor, &begins);
        lag
    }

    /// Where trades begin for a session that was behind in `old`: for what is new, at the head.
    fn floors(
        &self,
        old: &Interest,
        new: &Interest,
        cursor: u64,
        begins: &dyn Fn(u32) -> u64,
    ) -> Option<Box<Floors>> {
        let head = self.book.tape.head();
        if cursor == head {
            return None;
        }
        let kept = old.entries(self.book.symbols.len());
        let trades = kept.filter(|(symbol, channels)| {
            channels.has(Channel::Trades) && new.channels(*symbol).has(Channel::Trades)
        });
        let named = trades.map(|(symbol, _)| (symbol, begins(symbol))).collect();
        Some(Box::new(Floors { base: head, named }))
    }

    /// Marks the pairs that `new` has and `old` had not: snapshot, or what changed since.
    fn add_new(
        &self,
        old: &Interest,
        new: &Interest,
        resume: &[Resume],
        lag: &mut Lag,
    ) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut begins: Vec<(u32, u64)> = Vec::new();
        for (symbol, channels) in new.entries(self.book.symbols.len()) {
            let added = channels.without(old.channels(symbol));
            let since =
                resume.binary_search_by_key(&symbol, |r| r.symbol).ok().map(|at| &resume[at]);
            for channel in added.without(ChannelSet::of(Channel::Trades)).iter() {
                let bit = new.bit(symbol, channel).expect("it is an entry");
                self.mark_conflated(symbol, channel, bit, since, lag);
            }
            let seq = since.and_then(|s| s.seqs[Channel::Trades as usize]);
            if let (true, Some(seq), Some(since)) = (added.has(Channel::Trades), seq, since) {
                let last = self.book.tape.last_seq(symbol);
                // A number above it came from another server, which is ahead: nothing is missing.
                if !since.valid {
                    gaps.push((symbol, None, (last > 0).then_some(last)));
                    continue;
                }
                if let Some(to) = self.book.tape.evicted_after_seq(symbol, seq) {
                    gaps.push((symbol, Some(seq + 1), Some(to)));
                }
                begins.push((symbol, self.book.tape.first_after_seq(symbol, seq)));
            }
        }
        self.begin_at(&begins, old, new, lag);
        gaps
    }

    fn mark_conflated(
        &self,
        symbol: u32,
        channel: Channel,
        bit: usize,
        since: Option<&Resume>,
        lag: &mut Lag,
    ) {
        let last = self.book.latest.seq(symbol, channel);
        let has = since.filter(|s| s.valid).and_then(|s| s.seqs[channel as usize]);
        match has {
            _ if last == 0 => {}
            // Above it: another server, which is ahead, gave it a newer one.
            Some(seq) if seq >= last => {}
            Some(_) => lag.pending.set(bit),
            None => {
                lag.pending.set(bit);
                lag.fresh.set(bit);
            }
        }
    }

    /// Lets the trades of resumed symbols begin where the client stopped.
    fn begin_at(&self, begins: &[(u32, u64)], old: &Interest, new: &Interest, lag: &mut Lag) {
        let head = self.book.tape.head();
        let Some(first) = begins.iter().map(|(_, position)| *position).min() else { return };
        if first >= head {
            return;
        }
        let had = lag.cursor;
        let mut floors = match lag.floors.take() {
            Some(floors) => floors,
            None => {
                let kept = old.entries(self.book.symbols.len());
                let trades = kept.filter(|(symbol, channels)| {
                    channels.has(Channel::Trades) && new.channels(*symbol).has(Channel::Trades)
                });
                let named = trades.map(|(symbol, _)| (symbol, had)).collect();
                Box::new(Floors { base: head, named })
            }
        };
        floors.named.extend_from_slice(begins);
        floors.named.sort_unstable();
        lag.floors = Some(floors);
        lag.cursor = had.min(first);
    }

    /// Gaps that a resume has shown go out before what follows them, as frames of its own.
    fn write_gaps(&mut self, slot: u32, gaps: &[Gap], format: Format) {
        if gaps.is_empty() {
            return;
        }
        let mut encoder = LineEncoder::new(format);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        for (symbol, from, to) in gaps {
            let symbol = crate::market::SymbolId(*symbol);
            let event = Event::Gap { symbol, channel: Channel::Trades, from: *from, to: *to };
            let mut line = Vec::new();
            encoder.encode(&event, false, &self.book.symbols, &mut line);
            let elements = std::iter::once(&line[..]);
            frame::write_array(format.encoding, 1, line.len(), elements, session.personal());
        }
    }
}
