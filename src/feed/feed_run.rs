//! One feed on the ingest thread: polled, numbered, made into bars, and offered to the shards.

mod taking;

pub(super) use taking::HISTORY_WAIT_NS;

use super::bars::Bars;
use super::feed_counters::{FeedCondition, FeedCounters};
use super::log_limit::LogLimit;
use super::numbering::{Numbering, Refusal};
use super::outlet::{Outlet, TickQueue};
use super::retry::Retry;
use super::sequences::{Member, Sequences};
use super::source::{Next, Source};
use super::spec::Pace;
use crate::market::{FeedState, Record, Tick, TickBody};
use crate::panics;
use crossbeam::utils::CachePadded;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Records that one poll may give: a turn stays below a millisecond (a record costs about one
/// microsecond to parse and number), so that no feed waits long for another.
const POLL_RECORDS: usize = 256;

/// What a feed's turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// There is more to do at once.
    None,
    /// Nothing before this time, ns since the Unix epoch.
    Until(i64),
    /// A shard's queue is full, and the feed waits for it.
    Blocked,
    /// Nothing until another thread unparks.
    Wake,
}

/// A feed and all that belongs to it alone.
pub struct FeedRun {
    member: Member,
    /// What the log calls it.
    name: String,
    /// `None` once it has ended, or failed in a way that it cannot be opened again after.
    source: Option<Box<dyn Source>>,
    retry: Retry,
    /// A record is being numbered: what feeds share is being changed.
    taking: bool,
    is_live: bool,
    /// Its source's, and whether that is its line's.
    epoch: Option<String>,
    is_current: bool,
    /// Numbers are its source's.
    takes_numbers: bool,
    /// How often it had been cut off when its epoch began, and whether it was since.
    cuts_before: u64,
    was_cut: bool,
    /// A trade was held in this poll: others are missing before it.
    found_hole: bool,
    state: FeedState,
    /// By its source, which heard it from who publishes.
    told_state: Option<FeedState>,
    /// Ingest time of the newest record, and of the start before the first.
    last_ns: i64,
    stale_ns: i64,
    bars: Bars,
    /// Ticks of a waiting feed that not every shard has yet; no more is polled until all have.
    backlog: Vec<Tick>,
    /// How much of the backlog each outlet has.
    sent: Vec<usize>,
    batch: Vec<Tick>,
    warnings: LogLimit,
    records_count: u64,
    refused_count: u64,
    duplicates_count: u64,
    counters: Arc<CachePadded<FeedCounters>>,
}

/// What the feeds of one ingest thread share.
pub struct Shared<Q> {
    pub numbering: Numbering,
    pub sequences: Sequences,
    pub outlets: Vec<(Outlet, Q)>,
}

impl FeedRun {
    pub fn new(
        member: Member,
        source: Box<dyn Source>,
        sequences: &mut Sequences,
        stale_ns: i64,
        now_ns: i64,
    ) -> FeedRun {
        // The state before the first tick is "stale", and says so with no time of a tick.
        let (feed, state, last_ns) = (member.feed, FeedState::Stale, 0);
        let begin = sequences.set_state(member, state);
        let begin = begin.map(|state| Tick::new(TickBody::FeedState { feed, state, last_ns }));
        let counters = FeedCounters { nats: source.nats(), ..FeedCounters::default() };
        FeedRun {
            member,
            name: member.number.to_string(),
            // Of two lines one would overtake the other where one waits.
            is_live: source.is_live() || member.has_partner,
            epoch: None,
            is_current: true,
            takes_numbers: source.line().is_some(),
            cuts_before: 0,
            was_cut: false,
            found_hole: false,
            told_state: None,
            source: Some(source),
            retry: Retry::default(),
            taking: false,
            state,
            last_ns: now_ns,
            stale_ns,
            bars: Bars::default(),
            backlog: Vec::new(),
            sent: Vec::new(),
            batch: begin.into_iter().collect(),
            warnings: LogLimit::default(),
            records_count: 0,
            refused_count: 0,
            duplicates_count: 0,
            counters: Arc::new(CachePadded::new(counters)),
        }
    }

    /// What the log calls it from now on; until then, by its number.
    pub fn set_name(&mut self, name: String) {
        self.name = name;
    }

    /// When it is started again after its death.
    pub fn set_retry(&mut self, retry: Retry) {
        self.retry = retry;
    }

    pub fn set_waits(&mut self, first_ms: u64, longest_ms: u64) {
        self.retry.set_waits(first_ms, longest_ms);
    }

    /// Whether it is stale is judged by it from the next turn on.
    pub fn set_stale(&mut self, stale_ns: i64) {
        self.stale_ns = stale_ns;
    }

    pub fn set_pace(&mut self, pace: Pace) {
        if let Some(source) = &mut self.source {
            source.set_pace(pace);
        }
    }

    /// The state of its line, for a shard that has lost it.
    pub fn state(&self, sequences: &Sequences) -> Tick {
        let last_ns = if self.records_count > 0 { self.last_ns } else { 0 };
        let (feed, state) = (self.member.feed, sequences.state(self.member.feed));
        Tick::new(TickBody::FeedState { feed, state, last_ns })
    }

    pub fn counters(&self) -> Arc<CachePadded<FeedCounters>> {
        Arc::clone(&self.counters)
    }

    /// Takes what is due and offers it to every shard.
    pub fn turn<Q: TickQueue>(&mut self, now_ns: i64, shared: &mut Shared<Q>) -> Rest {
        if !self.send(shared) {
            return Rest::Blocked;
        }
        let rest = self.poll(now_ns, shared);
        self.count();
        if !self.send(shared) {
            return Rest::Blocked;
        }
        rest
    }

    fn poll<Q>(&mut self, now_ns: i64, shared: &mut Shared<Q>) -> Rest {
        let Some(mut source) = self.source.take() else { return Rest::Wake };
        if let Some(due_ns) = self.retry.due_ns(now_ns) {
            if now_ns < due_ns {
                self.source = Some(source);
                return Rest::Until(due_ns);
            }
            match source.reopen() {
                Some(Ok(())) => self.started_again(now_ns),
                Some(Err(why)) => return self.die(source, &why, now_ns),
                None => {
                    let feed = self.name.as_str();
                    tracing::error!(feed, "feed stays down: it has no second start");
                    return Rest::Wake;
                }
            }
        }
        // Nothing waits for a shard now, so what may wait can change.
        self.is_live = source.is_live() || self.member.has_partner;
        self.follow_epoch(&*source, now_ns, shared);
        self.follow_state(&*source, shared);
        let next = self.poll_source(&mut *source, now_ns, shared);
        self.fill_holes(&mut *source, now_ns, &mut shared.numbering);
        self.counters.bad_lines.store(source.bad_lines_count(), Ordering::Relaxed);
        self.counters.reconnects.store(source.reconnects_count(), Ordering::Relaxed);
        self.counters.filtered.store(source.filtered_count(), Ordering::Relaxed);
        if let Some(counts) = source.intake() {
            self.counters.intake.set(counts);
        }
        let rest = match next {
            Next::More => Rest::None,
            Next::Again => {
                self.bars.end(now_ns, &mut self.batch);
                Rest::None
            }
            Next::At(at_ns) => self.idle(Some(at_ns), now_ns, shared),
            Next::Wake => self.idle(None, now_ns, shared),
            Next::Ended => {
                tracing::info!(feed = self.name.as_str(), "feed ended");
                self.end(now_ns, shared);
                return Rest::Wake;
            }
            Next::Failed(why) => {
                self.end(now_ns, shared);
                return self.die(source, &why, now_ns);
            }
        };
        self.source = Some(source);
        rest
    }

    /// A source that panics is that feed's failure and not the thread's, but where the panic was in
    /// what feeds share: numbers that were half given would be lost without a gap.
    fn poll_source<Q>(
        &mut self,
        source: &mut dyn Source,
        now_ns: i64,
        shared: &mut Shared<Q>,
    ) -> Next {
        let mut sink = |record: Record<'_>| {
            self.taking = true;
            let taken = self.take(&record, now_ns, shared);
            self.taking = false;
            taken
        };
        match panics::catch(|| source.poll(now_ns, POLL_RECORDS, &mut sink)) {
            Ok(next) => next,
            Err(caught) => {
                let why = format!("its source panicked: {}", caught.message);
                panics::report(&format!("feed {} ends", self.name), None, caught);
                assert!(!self.taking, "a panic while numbers were being given: {why}");
                Next::Failed(why)
            }
        }
    }

    fn die(&mut self, source: Box<dyn Source>, why: &str, now_ns: i64) -> Rest {
        let due_ns = self.retry.died(now_ns);
        let wait_ms = (due_ns - now_ns) / 1_000_000;
        let feed = self.name.as_str();
        tracing::error!(feed, "feed failed: {why}; started again in {wait_ms} ms");
        self.source = Some(source);
        Rest::Until(due_ns)
    }

    fn started_again(&mut self, now_ns: i64) {
        tracing::info!(feed = self.name.as_str(), "feed started again");
        self.retry.started(now_ns);
        self.counters.restarts.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&mut self, refusal: &Refusal, now_ns: i64) {
        self.refused_count += 1;
        if let Some(suppressed) = self.warnings.admit(now_ns) {
            let feed = self.name.as_str();
            tracing::warn!(feed, suppressed, "record refused: {refusal}");
        }
    }

    /// Nothing is due: the clock goes on for bars and for the state.
    fn idle<Q>(&mut self, at_ns: Option<i64>, now_ns: i64, shared: &mut Shared<Q>) -> Rest {
        if now_ns < self.last_ns {
            // The clock was set back; the feed is not older than that.
            self.last_ns = now_ns;
        }
        let stale_at_ns = self.last_ns.saturating_add(self.stale_ns);
        if self.state == FeedState::Ok && now_ns >= stale_at_ns {
            self.enter(FeedState::Stale, self.last_ns, &mut shared.sequences);
        }
        if self.is_live {
            self.bars.advance(now_ns, now_ns, &mut self.batch);
        }
        let close_ns = if self.is_live { self.bars.next_close_ns() } else { None };
        let stale_ns = (self.state == FeedState::Ok).then_some(stale_at_ns);
        let earliest = [at_ns, close_ns, stale_ns].into_iter().flatten().min();
        earliest.map_or(Rest::Wake, Rest::Until)
    }

    fn end<Q>(&mut self, now_ns: i64, shared: &mut Shared<Q>) {
        self.bars.end(now_ns, &mut self.batch);
        let last_ns = if self.records_count > 0 { self.last_ns } else { 0 };
        self.enter(FeedState::Down, last_ns, &mut shared.sequences);
    }

    fn enter(&mut self, state: FeedState, last_ns: i64, sequences: &mut Sequences) {
        self.state = state;
        if let Some(state) = sequences.set_state(self.member, state) {
            let feed = self.member.feed;
            self.batch.push(Tick::new(TickBody::FeedState { feed, state, last_ns }));
        }
    }

    fn count(&self) {
        self.counters.records.store(self.records_count, Ordering::Relaxed);
        self.counters.refused.store(self.refused_count, Ordering::Relaxed);
        self.counters.duplicates.store(self.duplicates_count, Ordering::Relaxed);
        self.counters.late_trades.store(self.bars.late_count(), Ordering::Relaxed);
        let last_ns = if self.records_count > 0 { self.last_ns } else { 0 };
        self.counters.last_ns.store(last_ns, Ordering::Relaxed);
        self.counters.condition.store(self.condition() as u8, Ordering::Relaxed);
    }

    fn condition(&self) -> FeedCondition {
        match (&self.source, self.state) {
            (None, _) => FeedCondition::Ended,
            (Some(_), _) if self.retry.is_waiting() => FeedCondition::Retrying,
            (Some(_), FeedState::Ok) => FeedCondition::Live,
            (Some(_), FeedState::Stale | FeedState::Down) => FeedCondition::Stale,
        }
    }

    /// Gives the batch to the shards. False: a waiting feed has ticks that a shard did not take.
    fn send<Q: TickQueue>(&mut self, shared: &mut Shared<Q>) -> bool {
        if self.is_live {
            for (outlet, queue) in &mut shared.outlets {
                for tick in &self.batch {
                    outlet.offer(*tick, queue);
                }
            }
            self.batch.clear();
            return true;
        }
        self.send_or_wait(shared)
    }

    fn send_or_wait<Q: TickQueue>(&mut self, shared: &mut Shared<Q>) -> bool {
        for tick in self.batch.drain(..) {
            if !tick.is_definition() {
                self.backlog.push(tick);
                continue;
            }
            // Definitions go ahead: another feed may use the same code, and would not wait.
            for (outlet, queue) in &mut shared.outlets {
                outlet.offer(tick, queue);
            }
        }
        self.sent.resize(shared.outlets.len(), 0);
        let mut all_sent = true;
        for ((outlet, queue), sent) in shared.outlets.iter_mut().zip(&mut self.sent) {
            let unsent = &self.backlog[*sent..];
            let taken = unsent.iter().take_while(|t| outlet.try_send(**t, queue).is_ok()).count();
            *sent += taken;
            all_sent &= *sent == self.backlog.len();
        }
        if all_sent {
            self.backlog.clear();
            self.sent.fill(0);
        }
        all_sent
    }
}

#[cfg(test)]
mod tests;
