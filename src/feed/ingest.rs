//! The ingest thread: the one place where ticks are made.

use super::feed_counters::FeedCounters;
use super::feed_run::{FeedRun, HISTORY_WAIT_NS, Rest, Shared};
use super::inlet::Inlet;
use super::numbering::Numbering;
use super::outlet::Outlet;
use super::retry::Retry;
use super::sequences::{Sequences, members};
use super::source::Source;
use super::spec::Pace;
use crate::limits::FEEDS_MAX;
use crate::market::{Feed, Name, Symbol, Tick, TickBody};
use crossbeam::channel::{self, Receiver, RecvTimeoutError};
use crossbeam::queue::{ArrayQueue, SegQueue};
use crossbeam::utils::CachePadded;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How soon a full queue is tried again. Nothing tells the ingest thread that a shard made room:
/// a shard takes some hundred ticks in this time, so a queue of ordinary length never runs empty.
const RETRY: Duration = Duration::from_micros(200);

/// The longest sleep, so that a clock that is set has an end to its effect.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Polls every source in turn, numbers what they give and offers it to every shard.
///
/// A turn is: what waits for a shard goes first; then each feed gives at most a bounded number of
/// records; then each shard that got something is rung, once. Between turns the thread sleeps
/// until the earliest time that a feed asked for.
pub struct Ingest {
    feeds: Vec<FeedRun>,
    shared: Shared<Arc<Inlet>>,
    counters: Arc<IngestCounters>,
    tunings: Arc<ArrayQueue<Tuning>>,
    /// As the counters have it.
    epoch: Name,
    /// Losses, and what stood behind them; kept for its memory.
    expired: Vec<Tick>,
}

/// What may change while the feeds run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    pub stale_ms: u64,
    pub retry_ms: u64,
    pub retry_ms_max: u64,
    /// By feed, in their order; `None` where a feed has none.
    pub paces: Vec<Option<Pace>>,
}

/// Readable by anyone at any time; written by the ingest thread alone.
#[derive(Debug)]
pub struct IngestCounters {
    /// In the order of the feeds.
    pub feeds: Vec<Arc<CachePadded<FeedCounters>>>,
    /// In the order of the shards.
    pub shards: Vec<CachePadded<ShardFeedCounters>>,
    /// Codes and condition lists that a tick had to go without.
    pub codes_dropped: AtomicU64,
    pub symbols: AtomicU64,
    /// The ingest thread holds the lock only to change it.
    epoch: Mutex<Name>,
    /// Every symbol once, to be taken by one reader; bounded, since symbols are.
    pub names: SegQueue<Symbol>,
    /// Times that every feed was polled and every shard offered what came of it.
    pub turns: AtomicU64,
}

/// How one shard keeps up with the feeds.
#[derive(Debug, Default)]
pub struct ShardFeedCounters {
    /// Lossless ticks that its full queue turned into lost ranges.
    pub lost: AtomicU64,
    /// Merged ticks that wait for room in its queue.
    pub waiting: AtomicU64,
}

/// Stops the thread and reads what it counts. Dropping it leaves the thread running.
#[derive(Debug)]
pub struct IngestHandle {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    counters: Arc<IngestCounters>,
    /// At most one, the newest: what it replaces need not be seen.
    tunings: Arc<ArrayQueue<Tuning>>,
    /// Disconnected when the thread has ended.
    ended: Receiver<Infallible>,
}

/// Why the ingest thread cannot start.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("--feed is given {0} times; {FEEDS_MAX} feeds are the most")]
    TooManyFeeds(usize),
    #[error("cannot start the ingest thread: {0}; raise the limit of threads")]
    Thread(#[from] io::Error),
}

impl Ingest {
    /// Starts the thread. `sources` are numbered in this order, and called in the log as `names`
    /// has it; `inlets` are the shards' in theirs.
    /// Numbers that are given here count in `epoch`, of at most 32 bytes. A feed without a tick for
    /// `stale_ms` is told to be stale; one that died is started again as `retry` says.
    pub fn spawn(
        names: Vec<String>,
        sources: Vec<Box<dyn Source>>,
        inlets: Vec<Arc<Inlet>>,
        epoch: &str,
        stale_ms: u64,
        retry: Retry,
    ) -> Result<IngestHandle, IngestError> {
        if sources.len() > FEEDS_MAX {
            return Err(IngestError::TooManyFeeds(sources.len()));
        }
        assert_eq!(names.len(), sources.len(), "every feed has a name");
        let mut ingest = Ingest::new(sources, inlets, epoch, stale_ms, wall_ns());
        for (feed, name) in ingest.feeds.iter_mut().zip(&names) {
            feed.set_name(name.clone());
            feed.set_retry(retry);
        }
        ingest.shared.numbering.feed_names = names;
        let (counters, stop) = (Arc::clone(&ingest.counters), Arc::new(AtomicBool::new(false)));
        let (stopped, tunings) = (Arc::clone(&stop), Arc::clone(&ingest.tunings));
        let builder = thread::Builder::new().name("ingest".into());
        let (running, ended) = channel::bounded::<Infallible>(0);
        let thread = builder.spawn(move || {
            ingest.run(&stopped);
            // Sources end first, and then whoever waits for that is told.
            drop(ingest);
            drop(running);
        })?;
        Ok(IngestHandle { thread, stop, counters, tunings, ended })
    }

    fn new(
        sources: Vec<Box<dyn Source>>,
        inlets: Vec<Arc<Inlet>>,
        epoch: &str,
        stale_ms: u64,
        now_ns: i64,
    ) -> Ingest {
        let stale_ns = stale_ns(stale_ms);
        let members = members(&sources);
        let mut sequences = Sequences::new(epoch, &members);
        let feed =
            |(member, source)| FeedRun::new(member, source, &mut sequences, stale_ns, now_ns);
        let feeds: Vec<FeedRun> = members.into_iter().zip(sources).map(feed).collect();
        let counters = feeds.iter().map(FeedRun::counters).collect();
        let counters = IngestCounters::new(counters, inlets.len(), sequences.current());
        let outlets = inlets.into_iter().map(|inlet| (Outlet::default(), inlet)).collect();
        let shared = Shared { numbering: Numbering::default(), sequences, outlets };
        let tunings = Arc::new(ArrayQueue::new(1));
        let epoch = shared.sequences.current();
        Ingest { feeds, shared, counters: Arc::new(counters), tunings, epoch, expired: Vec::new() }
    }

    fn run(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if let Some(tuning) = self.tunings.pop() {
                self.tune(&tuning);
            }
            let now_ns = wall_ns();
            match self.turn(now_ns) {
                Rest::None => {}
                Rest::Blocked => thread::park_timeout(RETRY),
                Rest::Wake => thread::park_timeout(SLEEP_MAX),
                Rest::Until(at_ns) => {
                    let sleep_ns = at_ns.saturating_sub(wall_ns()).max(0) as u64;
                    thread::park_timeout(Duration::from_nanos(sleep_ns).min(SLEEP_MAX));
                }
            }
        }
    }

    fn tune(&mut self, tuning: &Tuning) {
        for (index, feed) in self.feeds.iter_mut().enumerate() {
            feed.set_stale(stale_ns(tuning.stale_ms));
            feed.set_waits(tuning.retry_ms, tuning.retry_ms_max);
            if let Some(Some(pace)) = tuning.paces.get(index) {
                feed.set_pace(*pace);
            }
        }
    }

    /// One turn; says how long there is nothing to do after it.
    fn turn(&mut self, now_ns: i64) -> Rest {
        self.define_again();
        let mut rest = Rest::Wake;
        for feed in &mut self.feeds {
            rest = sooner(rest, feed.turn(now_ns, &mut self.shared));
        }
        rest = sooner(rest, self.expire_holes(now_ns));
        for ((outlet, inlet), counters) in self.shared.outlets.iter_mut().zip(&self.counters.shards)
        {
            if !outlet.drain(inlet) {
                rest = sooner(rest, Rest::Blocked);
            }
            if outlet.take_pushed() {
                inlet.bell().ring();
            }
            counters.lost.store(outlet.lost_count(), Ordering::Relaxed);
            counters.waiting.store(outlet.waiting_count() as u64, Ordering::Relaxed);
        }
        let Shared { numbering, sequences, .. } = &mut self.shared;
        let counters = &self.counters;
        // A reader may hold the lock: then in a later turn.
        if sequences.current() != self.epoch
            && let Ok(mut epoch) = counters.epoch.try_lock()
        {
            (*epoch, self.epoch) = (sequences.current(), sequences.current());
        }
        numbering.take_new_symbols().for_each(|symbol| counters.names.push(symbol));
        counters.codes_dropped.store(numbering.codes_dropped_count(), Ordering::Relaxed);
        counters.symbols.store(numbering.symbols_count() as u64, Ordering::Relaxed);
        counters.turns.fetch_add(1, Ordering::Release);
        rest
    }

    /// After every feed was polled, so that what lay unread counts: holes that nobody waits for any
    /// more are lost. Only live feeds leave holes open, and these never wait for a shard.
    fn expire_holes(&mut self, now_ns: i64) -> Rest {
        let Shared { numbering, outlets, .. } = &mut self.shared;
        let mut rest = Rest::Wake;
        for feed in (0..FEEDS_MAX as u8).map(Feed) {
            numbering.wait_at_most_until(feed, now_ns + HISTORY_WAIT_NS);
            numbering.expire(feed, now_ns, &mut self.expired);
            rest = sooner(rest, numbering.next_due_ns(feed).map_or(Rest::Wake, Rest::Until));
        }
        for tick in self.expired.drain(..) {
            outlets.iter_mut().for_each(|(outlet, inlet)| outlet.offer(tick, inlet));
        }
        rest
    }

    /// A shard that lost its tables gets what they need: every definition, and the feeds' states.
    fn define_again(&mut self) {
        let Shared { numbering, sequences, outlets } = &mut self.shared;
        for (outlet, inlet) in outlets {
            if !inlet.take_wants_definitions() {
                continue;
            }
            let states = self.feeds.iter().map(|feed| feed.state(sequences));
            // A shard that began in the first epoch learns which is in force.
            let (feed, epoch) = (Feed(0), sequences.current());
            let epoch = Tick::new(TickBody::Epoch { feed, epoch });
            let definitions = numbering.definitions();
            for tick in definitions.into_iter().chain([epoch]).chain(states) {
                outlet.offer(tick, inlet);
            }
        }
    }
}

impl IngestCounters {
    pub fn new(
        feeds: Vec<Arc<CachePadded<FeedCounters>>>,
        shards: usize,
        epoch: Name,
    ) -> IngestCounters {
        IngestCounters {
            feeds,
            shards: (0..shards).map(|_| CachePadded::default()).collect(),
            codes_dropped: AtomicU64::new(0),
            symbols: AtomicU64::new(0),
            epoch: Mutex::new(epoch),
            names: SegQueue::new(),
            turns: AtomicU64::new(0),
        }
    }

    /// The epoch that clients know.
    pub fn epoch(&self) -> Name {
        *self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IngestHandle {
    /// Asks the thread to end; it does so after its turn.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// Goes on with other parameters, from the thread's next turn on.
    pub fn tune(&self, tuning: Tuning) {
        self.tunings.force_push(tuning);
        self.thread.thread().unpark();
    }

    /// Waits for the thread's end. The error is the thread's panic.
    pub fn join(self) -> thread::Result<()> {
        self.thread.join()
    }

    /// Waits for the thread's end, but not longer than this; whether it came.
    pub fn join_within(self, longest: Duration) -> bool {
        // The thread never sends; its end is the sender's.
        let ended = self.ended.recv_timeout(longest) == Err(RecvTimeoutError::Disconnected);
        ended && self.thread.join().is_ok()
    }

    /// False before [`IngestHandle::stop`] only where the thread panicked.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    pub fn counters(&self) -> &Arc<IngestCounters> {
        &self.counters
    }
}

fn stale_ns(stale_ms: u64) -> i64 {
    i64::try_from(stale_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

/// The one of two rests that ends first.
fn sooner(a: Rest, b: Rest) -> Rest {
    match (a, b) {
        (Rest::None, _) | (_, Rest::None) => Rest::None,
        (Rest::Blocked, _) | (_, Rest::Blocked) => Rest::Blocked,
        (Rest::Until(a), Rest::Until(b)) => Rest::Until(a.min(b)),
        (Rest::Wake, other) | (other, Rest::Wake) => other,
    }
}

/// The one place in the feed folder that reads a clock.
pub(super) fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
