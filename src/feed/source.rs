//! What the ingest thread asks of a feed.

use super::intake::{IntakeCounts, Reception};
use super::nats::NatsCounters;
use super::numbering::Refusal;
use super::spec::Pace;
use crate::market::{FeedState, Record};
use std::sync::Arc;

/// Sessions that have subscribed to something so far: what `replay:…,wait=N` waits for.
pub type Subscribed = Arc<dyn Fn() -> u64 + Send + Sync>;

/// When a source wants to be polled next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// At once: the budget ended before the records did.
    More,
    /// At once, and what follows starts over from the beginning: event times may go back.
    Again,
    /// At this time, ns since the Unix epoch.
    At(i64),
    /// When another thread unparks the ingest thread.
    Wake,
    /// Never: all records were given.
    Ended,
    /// Not before it was opened again: the text says what happened to what.
    Failed(String),
}

/// Takes a record. The error says why it became nothing, be it that a line of the same sequence has
/// given it before.
pub type Sink<'a> = dyn FnMut(Record<'_>) -> Result<(), Refusal> + 'a;

/// Where records come from. Polled by the ingest thread alone, in turn with other sources, so a
/// poll gives at most `budget` records and never blocks longer than a local file's read.
pub trait Source: Send {
    /// Gives the records that are due at `now_ns` (ns since the Unix epoch; a clock that is set
    /// can go back) to `sink`. Not called again after `Ended`, and after `Failed` only
    /// where [`Source::reopen`] succeeded.
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next;

    /// A live source never waits for a shard; another is polled only when every shard took what
    /// it gave before.
    fn is_live(&self) -> bool;

    /// Starts the source again after it failed or panicked, behind what it gave. `None`: that
    /// cannot be done. The error says what keeps it, for now.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        None
    }

    /// The name of its line: sources of one line give the same records with the same numbers, as
    /// the redundant lines of an exchange do. `None`: it stands alone.
    fn line(&self) -> Option<&str> {
        None
    }

    /// The epoch in which the numbers of its records ([`Record::seq`]) count, where they are to be
    /// taken over; `None`: numbers are given here. It changes only between polls.
    fn epoch(&self) -> Option<&str> {
        None
    }

    /// Trades were found missing in the last poll. True: the source asks its history for them, so
    /// they may still come among its records.
    fn recover(&mut self) -> bool {
        false
    }

    /// How the feed is doing, where the source is told by who publishes it; `None`: its ticks say
    /// all.
    fn state(&self) -> Option<FeedState> {
        None
    }

    /// What a connection to NATS counts, where it has one.
    fn nats(&self) -> Option<Arc<NatsCounters>> {
        None
    }
    /// Lets `{"T":"epoch","epoch":"…"}` among its lines begin an epoch: it is of a line.
    fn enable_epochs(&mut self) {}

    /// Lets `{"T":"fault"}` among its lines panic: for staging and tests.
    fn enable_faults(&mut self) {}

    /// From now on its records come at this pace, where it makes them itself.
    fn set_pace(&mut self, _pace: Pace) {}

    /// How often it has connected anew by itself, so far.
    fn reconnects_count(&self) -> u64 {
        0
    }

    /// Lines that were no records, so far.
    fn bad_lines_count(&self) -> u64 {
        0
    }

    /// What its publishers have sent, where it has any.
    fn intake(&self) -> Option<IntakeCounts> {
        None
    }

    /// Where bodies of lines are given to it, if it takes any.
    fn reception(&self) -> Option<Arc<Reception>> {
        None
    }

    /// Records of symbols that the feed's options leave out, so far.
    fn filtered_count(&self) -> u64 {
        0
    }
}
