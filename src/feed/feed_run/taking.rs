//! How a feed's records become ticks: numbered here, or under the numbers of their source.

use super::{FeedRun, Shared};
use crate::feed::nats::{Link, NatsCounters};
use crate::feed::numbering::{Hearing, Numbering, Outcome, Refusal};
use crate::feed::sequences::Member;
use crate::feed::source::Source;
use crate::market::{FeedState, Record, RecordBody, Tick, TickBody};
use std::sync::atomic::Ordering;

/// How long a missing trade is waited for: from another line of the sequence, whose records come
/// within milliseconds of each other; and from a source's history, which must be read.
const LINE_WAIT_NS: i64 = 500_000_000;
pub(in crate::feed) const HISTORY_WAIT_NS: i64 = 2_000_000_000;

/// How far ahead of our clock an event of a live feed may be. One that is further has a wrong time:
/// it would close the bars of all symbols, and leave what comes after it in none.
const AHEAD_MAX_NS: i64 = 60_000_000_000;

impl FeedRun {
    /// Its numbers count in another epoch than before.
    pub(super) fn follow_epoch<Q>(
        &mut self,
        source: &dyn Source,
        now_ns: i64,
        shared: &mut Shared<Q>,
    ) {
        let Shared { numbering, sequences, .. } = shared;
        let (feed, cuts) = (self.member.feed, cuts(source));
        if source.epoch() != self.epoch.as_deref() {
            self.epoch = source.epoch().map(str::to_string);
            self.cuts_before = cuts;
            self.takes_numbers = self.epoch.is_some() || source.line().is_some();
            // Bars that are open count among the numbers that were.
            self.bars.forget();
            if sequences.begin(self.member, source.epoch()) {
                numbering.begin_epoch(feed, now_ns, &mut self.batch);
                let epoch = sequences.current();
                self.batch.push(Tick::new(TickBody::Epoch { feed, epoch }));
                let (feed, epoch) = (self.name.as_str(), epoch.as_str());
                tracing::info!(feed, epoch, "a new epoch: its source's numbers begin anew");
            }
        }
        self.was_cut = cuts > self.cuts_before;
        self.is_current = sequences.epoch_of(feed) == self.epoch.as_deref();
    }

    /// What its publisher says is worse than what its ticks say.
    pub(super) fn follow_state<Q>(&mut self, source: &dyn Source, shared: &mut Shared<Q>) {
        self.told_state = source.state();
        if let Some(state) = self.told_state
            && self.is_told_bad()
            && state != self.state
        {
            let last_ns = if self.records_count > 0 { self.last_ns } else { 0 };
            self.enter(state, last_ns, &mut shared.sequences);
        }
    }

    fn is_told_bad(&self) -> bool {
        matches!(self.told_state, Some(FeedState::Stale | FeedState::Down))
    }

    /// Numbers a record, or takes over the number that it has, and adds its ticks to the batch.
    pub(super) fn take<Q>(
        &mut self,
        record: &Record<'_>,
        now_ns: i64,
        shared: &mut Shared<Q>,
    ) -> Result<(), Refusal> {
        let taken = match self.takes_numbers {
            true => self.take_over(record, now_ns, &mut shared.numbering),
            false => self.number(record, now_ns, &mut shared.numbering),
        };
        match &taken {
            // Of a feed alone, what it has said before is no sign of life.
            Err(Refusal::Duplicate(_)) if !self.member.has_partner => {}
            Ok(()) | Err(Refusal::Duplicate(_)) => {
                self.last_ns = now_ns;
                if self.state != FeedState::Ok && !self.is_told_bad() {
                    self.enter(FeedState::Ok, now_ns, &mut shared.sequences);
                }
            }
            Err(refusal) => self.refuse(refusal, now_ns),
        }
        taken
    }

    fn number(
        &mut self,
        record: &Record<'_>,
        now_ns: i64,
        numbering: &mut Numbering,
    ) -> Result<(), Refusal> {
        if matches!(record.body, RecordBody::Bar { .. } | RecordBody::Lost { .. }) {
            return Ok(()); // of a recording: both are made here
        }
        let symbol = numbering.number(self.member.feed, record, now_ns, &mut self.batch)?;
        self.records_count += 1;
        let is_ahead = self.is_live && record.event_ns > now_ns.saturating_add(AHEAD_MAX_NS);
        if !is_ahead {
            self.bars.advance(record.event_ns, now_ns, &mut self.batch);
        }
        match record.body {
            RecordBody::Trade { .. } if is_ahead => self.bars.leave_out(),
            RecordBody::Trade { price, size, .. } => {
                self.bars.trade(symbol, record.event_ns, price, size);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_over(
        &mut self,
        record: &Record<'_>,
        now_ns: i64,
        numbering: &mut Numbering,
    ) -> Result<(), Refusal> {
        if !self.is_current {
            return Err(Refusal::OtherEpoch(record.symbol));
        }
        let Member { feed, has_partner, .. } = self.member;
        let times = (now_ns, now_ns + LINE_WAIT_NS);
        let hearing = Hearing { has_partner, was_cut: self.was_cut };
        match numbering.take_over(feed, record, times, hearing, &mut self.batch)? {
            Outcome::Numbered => self.records_count += 1,
            Outcome::Held => (self.records_count, self.found_hole) = (self.records_count + 1, true),
            Outcome::Duplicate => {
                self.duplicates_count += 1;
                return Err(Refusal::Duplicate(record.symbol));
            }
            Outcome::Passed => {}
        }
        Ok(())
    }

    /// What is missing is asked for; where nobody has it, it is lost.
    pub(super) fn fill_holes(
        &mut self,
        source: &mut dyn Source,
        now_ns: i64,
        numbering: &mut Numbering,
    ) {
        let Member { feed, has_partner, .. } = self.member;
        if !std::mem::take(&mut self.found_hole) || !numbering.has_new_holes(feed) {
            return;
        }
        if source.recover() {
            numbering.wait_for_new_holes(feed, now_ns + HISTORY_WAIT_NS);
        } else if !has_partner {
            numbering.give_up_new_holes(feed, now_ns, &mut self.batch);
        }
    }
}

/// How often something of it may have been missed.
fn cuts(source: &dyn Source) -> u64 {
    let count = |counters: &NatsCounters| {
        let Link { connects, slow_consumer, .. } = &*counters.link;
        connects.load(Ordering::Relaxed) + slow_consumer.load(Ordering::Relaxed)
    };
    source.reconnects_count() + source.nats().as_deref().map_or(0, count)
}

#[cfg(test)]
mod tests;
