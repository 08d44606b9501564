//! What the ingest thread asks of a feed.

use super::spec::Pace;
use crate::market::Record;
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

/// Where records come from. Polled by the ingest thread alone, in turn with other sources, so a
/// poll gives at most `budget` records and never blocks longer than a local file's read.
pub trait Source: Send {
    /// Gives the records that are due at `now_ns` (ns since the Unix epoch; a clock that is set
    /// can go back) to `sink`. Not called again after `Ended`, and after `Failed` only
    /// where [`Source::reopen`] succeeded.
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut dyn FnMut(Record<'_>)) -> Next;

    /// A live source never waits for a shard; another is polled only when every shard took what
    /// it gave before.
    fn is_live(&self) -> bool;

    /// Starts the source again after it failed or panicked, behind what it gave. `None`: that
    /// cannot be done. The error says what keeps it, for now.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        None
    }

    /// Lets `{"T":"fault"}` among its lines panic: for staging and tests.
    fn enable_faults(&mut self) {}

    /// From now on its records come at this pace, where it makes them itself.
    fn set_pace(&mut self, _pace: Pace) {}

    /// The epoch in which the numbers of its records count, where they are to be taken over;
    /// `None`: numbers are given here. It changes only between polls.
    fn epoch(&self) -> Option<&str> {
        None
    }

    /// How often it has connected anew by itself, so far.
    fn reconnects_count(&self) -> u64 {
        0
    }

    /// Lines that were no records, so far.
    fn bad_lines_count(&self) -> u64 {
        0
    }
}
