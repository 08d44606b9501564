//! All the state of one shard: the market's tables, the cohorts, the sessions.
//!
//! Pure and deterministic: the same calls give the same bytes. No socket, clock, thread or random
//! source; `now` is an argument, sockets are slots, and what is to be done with them comes out as
//! [`Send`]s and [`Effect`]s. The main type is [`Hub`]; its run loop, which the shard drives and
//! the simulation imitates, is in ten lines:
//!
//! ```text
//! hub.receive(slot, bytes, now)            what sockets gave
//! hub.tick(&tick)                          what the feed gave, a bounded number
//! while hub.next_batch(now) {              who is owed something gets it
//!     results = send each of hub.batch()
//!     hub.sent(&results, now)
//! }
//! hub.timers(now)                          deadlines
//! for effect in hub.take_effects() { … }   shut, send the rest, drop
//! sleep until hub.next_ms()
//! ```

pub mod accounts;
pub mod admission;
mod admit;
pub mod batch;
pub mod book;
mod boundary;
pub mod breaker;
mod catchup;
mod check;
mod closing;
pub mod cohort;
mod commands;
mod deadlines;
mod epoch;
mod feeds;
mod flush;
mod greeting;
mod holding;
pub mod interest;
mod joining;
pub mod lag_meter;
mod latest;
mod lines;
mod membership;
mod own;
pub mod pacing;
mod proxied;
mod receive;
mod reload;
#[cfg(test)]
mod rig;
mod salvage;
mod sessions;
pub mod settings;
mod shedding;
pub mod symbols;
mod tape;
mod view;
mod welcomes;
mod wheel;

pub use accounts::{MemorySettings, Used};
pub use admission::{Admission, AdmissionLimits, Alerts, Hint, Limited, Refused, Told};
pub use batch::{Batch, Effect, Send};
pub use boundary::Torn;
pub use breaker::{Breaker, Pressure, PressureChange};
pub use pacing::{LagSettings, PaceChange, Pacing, Turn};
pub use salvage::in_place_of;
pub use settings::HubSettings;
pub use view::{SessionState, SessionView};

use crate::limits::{FRAME_PAYLOAD_BYTES_MAX, FRAME_PAYLOAD_BYTES_MIN};
use crate::market::{Feed, Name, Tick, TickBody};
use crate::session::{CloseReason, Now, Phase, Place, Session};
use crate::wire::{Encoding, Format, Queries, TimeStyle};
use accounts::Accounts;
use book::Book;
use boundary::Boundary;
use cohort::Cohorts;
use flush::Flush;
use greeting::Greetings;
use holding::Holding;
use joining::Joins;
use lines::Lines;
use receive::Decoders;
use sessions::Sessions;
use shedding::Shedding;
use std::collections::VecDeque;
use welcomes::Welcomes;
use wheel::Wheel;

/// What a hub counts, since it began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub ticks_in: u64,
    /// Items put into frames for clients: one per client and tick.
    pub items_out: u64,
    /// Frames with market events for clients, one per client and frame.
    pub frames_out: u64,
    /// Times that a client's quote or bar was replaced by a newer one before it was sent.
    pub conflated: u64,
    /// Gaps put into frames for clients: trades that they do not get.
    pub gaps_out: u64,
    pub frames_cut: u64,
    pub flushes: u64,
    pub commands: u64,
    pub commands_refused: u64,
    /// Times that a client was not read from for a while, because it sent too fast.
    pub intake_pauses: u64,
    pub opened: u64,
    pub upgraded: u64,
    /// Closed for want of memory; `closed` has them too, as `overload`.
    pub shed: u64,
    /// Connections that did not become sessions, by `Refused`, and how they were told, by `Told`.
    pub refused: [u64; Refused::ALL.len()],
    pub told: [u64; Told::ALL.len()],
    /// By `CloseReason::counter`.
    pub closed: [u64; CloseReason::ALL.len()],
}

/// See the module's text.
#[derive(Debug)]
pub struct Hub {
    settings: HubSettings,
    /// Sequence numbers hold within it.
    epoch: String,
    /// As the feeds say it: a hub that lost its tables has an epoch of its own within it.
    feeds_epoch: String,
    /// The one that begins, with a feed's numbers, when all that came before has gone out.
    next_epoch: Option<(Feed, Name)>,
    book: Book,
    /// By `Format::index`.
    lines: [Lines; Format::COUNT],
    cohorts: Cohorts,
    sessions: Sessions,
    admission: Admission,
    decoders: Decoders,
    queries: Queries,
    joins: Joins,
    greetings: Greetings,
    welcomes: Welcomes,
    flush: Flush,
    holding: Holding,
    /// Slot and generation of sessions that have something of their own to be composed.
    queue: VecDeque<(u32, u32)>,
    batch: Batch,
    wheel: Wheel,
    effects: Vec<Effect>,
    counters: Counters,
    accounts: Accounts,
    breaker: Breaker,
    shedding: Shedding,
    pacing: Pacing,
    boundary: Boundary,
    /// How far the return of those who are drained is spread; set by the drain.
    drain_jitter_ms: Option<u64>,
    /// Sessions that hold a subscription, for feeds that wait for them.
    subscribed: usize,
}

impl Hub {
    pub fn new(settings: HubSettings, epoch: String, now: Now) -> Hub {
        let formats = [
            Format { encoding: Encoding::Json, times: TimeStyle::Rfc3339 },
            Format { encoding: Encoding::Json, times: TimeStyle::Nanos },
            Format { encoding: Encoding::MessagePack, times: TimeStyle::Rfc3339 },
            Format { encoding: Encoding::MessagePack, times: TimeStyle::Nanos },
        ];
        let frame_bytes = settings.frame_bytes;
        debug_assert!((FRAME_PAYLOAD_BYTES_MIN..=FRAME_PAYLOAD_BYTES_MAX).contains(&frame_bytes));
        debug_assert!(formats.iter().enumerate().all(|(index, f)| f.index() == index));
        Hub {
            book: Book::new(settings.tape_ticks),
            accounts: Accounts::new(&settings.memory),
            breaker: Breaker::new(settings.memory.budget_bytes),
            shedding: Shedding::default(),
            pacing: Pacing::new(settings.lag, settings.flush_ms, now.ms),
            admission: Admission::new(
                settings.admission.clone(),
                settings.retry_ms,
                settings.jitter_ms,
                now.ms,
            ),
            settings,
            feeds_epoch: epoch.clone(),
            epoch,
            next_epoch: None,
            lines: formats.map(|format| Lines::new(format, frame_bytes)),
            cohorts: Cohorts::default(),
            sessions: Sessions::default(),
            decoders: Decoders::new(),
            queries: Queries::default(),
            joins: Joins::default(),
            greetings: Greetings::default(),
            welcomes: Welcomes::default(),
            flush: Flush::default(),
            holding: Holding::default(),
            queue: VecDeque::new(),
            batch: Batch::new(),
            wheel: Wheel::new(now.ms),
            effects: Vec::new(),
            counters: Counters::default(),
            boundary: Boundary::default(),
            drain_jitter_ms: None,
            subscribed: 0,
        }
    }

    /// Takes one tick of the feed in. Cohorts note it; nothing is encoded or copied yet.
    pub fn tick(&mut self, tick: &Tick) {
        if tick.channel().is_none() {
            return self.take_notice(tick);
        }
        self.counters.ticks_in += 1;
        if let Some(entered) = self.book.enter(tick) {
            self.cohorts.note(entered.symbol, entered.channel, entered.stamp);
        }
    }

    /// What is no market event, and seldom.
    #[cold]
    fn take_notice(&mut self, tick: &Tick) {
        match tick.body() {
            TickBody::Symbol { id, name, feed } => {
                self.book.symbols.define(id, name, feed);
            }
            TickBody::Code { code, name } => self.book.symbols.define_code(code, name),
            TickBody::Conditions { list, joined } => {
                self.book.symbols.define_conditions(list, joined);
            }
            TickBody::FeedState { feed, state, .. } => {
                if self.book.set_feed_state(feed, state) {
                    self.announce_feed(feed);
                }
            }
            TickBody::Begins { symbol, after } => self.book.begin_after(symbol, after),
            TickBody::Epoch { feed, epoch } => self.end_epoch(feed, epoch),
            _ => unreachable!("a market event has a channel"),
        }
    }

    /// Whether ticks must wait for the end of a flush.
    pub fn is_full(&self) -> bool {
        self.book.is_full() || self.next_epoch.is_some()
    }

    /// What the last `next_batch` asks to be sent.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// What became of the batch's sends, in order: bytes taken, or a negated errno.
    pub fn sent(&mut self, results: &[i32], now: Now) {
        debug_assert_eq!(results.len(), self.batch.sends.len());
        match self.batch.source {
            batch::Source::Flush => self.flush_sent(results, now),
            batch::Source::Own => self.own_sent(results, now),
        }
    }

    /// Composes the next batch; `false` where nobody is owed anything that can be sent now.
    ///
    /// A flush and what sessions get for themselves take turns, so that a flush to very many
    /// does not hold up answers and pongs.
    pub fn next_batch(&mut self, now: Now) -> bool {
        self.begin_epoch();
        let own_first = self.batch.source == batch::Source::Flush;
        if own_first && self.next_own(now) {
            return true;
        }
        if self.next_flush(now) || self.next_own(now) {
            return true;
        }
        if self.begin_epoch() {
            return self.next_batch(now);
        }
        // A storm of snapshots without a tick has no flush that would bound the arena.
        if self.book.recent().is_empty() {
            self.lines.iter_mut().for_each(|lines| lines.settle(0));
        }
        false
    }

    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub fn session(&self, slot: u32) -> Option<&Session> {
        self.sessions.at(slot)
    }

    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub fn subscribed(&self) -> usize {
        self.subscribed
    }

    /// Sessions that are behind their cohorts.
    pub fn lagging(&self) -> usize {
        let behind = |(_, s): &(u32, &Session)| matches!(s.place, Place::Behind(_));
        self.sessions.iter().filter(behind).count()
    }

    /// Whether some cohorts have got their part of a flush and some have not.
    pub fn is_flushing(&self) -> bool {
        self.flush.is_running()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Looks at what was measured of the shard's lag, and does what follows.
    pub fn watch_lag(&mut self, now: Now) -> Option<PaceChange> {
        let change = self.pacing.look(now.ms);
        self.set_lag_pressure(self.pacing.refuses());
        change
    }

    /// How late this shard is, and what it does about it.
    pub fn pacing(&self) -> &Pacing {
        &self.pacing
    }

    pub fn pacing_mut(&mut self) -> &mut Pacing {
        &mut self.pacing
    }

    pub fn settings(&self) -> &HubSettings {
        &self.settings
    }

    /// How many different subscriptions there are.
    pub fn cohorts(&self) -> usize {
        self.cohorts.len()
    }

    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Puts a session into the queue of those that have something of their own to be composed.
    fn enqueue(&mut self, slot: u32) {
        if let Some(session) = self.sessions.at_mut(slot)
            && !session.queued
            && !session.is_unfinished()
            && !matches!(session.phase, Phase::Lingering(_) | Phase::Ended(_))
        {
            session.queued = true;
            self.queue.push_back((slot, session.generation));
        }
        self.account(slot); // who is put here has got something
    }
}

#[cfg(test)]
mod tests;
