//! Feeds that publishers bring: `tcp:`, `unix:` and `api`.
//!
//! One thread of its own (`feed-intake`, with a tokio runtime) accepts and reads all connections of
//! a feed; what it reads crosses to the ingest thread in a short queue a connection, and a full
//! queue stops the reading, so that TCP holds the publisher up. The ingest thread takes lines from
//! all connections in rotation ([`Publisher`]) and leaves its answers in a bounded place
//! ([`Replies`]): it never waits for a socket. Must not know shards, nor what becomes of a record.

mod accepting;
mod connection;
mod control;
mod listening;
mod publisher;
mod reception;
mod replies;

pub use control::Control;
pub use listening::{ListenError, Listening};
pub use reception::{Closed, Reception};
pub use replies::Report;

use super::log_limit::LogLimit;
use super::source::{Next, Sink, Source};
use accepting::Accepting;
use publisher::{Progress, Publisher};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Lines that one connection gives before the next one's turn: so many that the turn costs little
/// beside them, and few enough that in one poll four connections are served.
const TURN_LINES: usize = 64;

/// How one feed takes its publishers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Connections at once.
    pub connections: usize,
    /// Lines a second of one connection; `None`: as fast as they are taken.
    pub lines_per_second: Option<u32>,
    /// A connection that is silent for so long is ended; `None`: never.
    pub idle_s: Option<u32>,
}

/// What a feed's publishers have sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IntakeCounts {
    /// Open now.
    pub connections: u64,
    /// Connections that were one too many.
    pub turned_away: u64,
    pub bytes: u64,
    pub lines: u64,
}

/// The same, written by the ingest thread alone and read by anyone.
#[derive(Debug, Default)]
pub struct IntakeCounters {
    pub connections: AtomicU64,
    pub turned_away: AtomicU64,
    pub bytes: AtomicU64,
    pub lines: AtomicU64,
}

impl IntakeCounters {
    pub fn set(&self, counts: IntakeCounts) {
        self.connections.store(counts.connections, Ordering::Relaxed);
        self.turned_away.store(counts.turned_away, Ordering::Relaxed);
        self.bytes.store(counts.bytes, Ordering::Relaxed);
        self.lines.store(counts.lines, Ordering::Relaxed);
    }
}

/// What a feed with so many connections may hold in the process and in the kernel, in bytes.
pub fn memory_bytes(connections: usize) -> usize {
    let kernel_bytes = 2 * (listening::RECEIVE_BUFFER_BYTES + listening::SEND_BUFFER_BYTES);
    connections * (connection::CONNECTION_BYTES + kernel_bytes)
}

/// Descriptors of a feed that listens with so many connections: these, those that are being turned
/// away, and its socket (twice), epoll, eventfd and what a runtime holds beside them.
pub fn descriptors(connections: usize) -> usize {
    connections + accepting::TURNED_AWAY_MAX + 8
}

/// Lines of many publishers as one source. Live: it never waits for a shard.
pub struct Intake {
    /// What the log calls it: the feed's text without its options.
    name: String,
    reception: Arc<Reception>,
    listening: Option<Listening>,
    limits: IntakeLimits,
    /// Only while it runs.
    accepting: Option<Accepting>,
    /// The one whose turn is next is in front.
    publishers: VecDeque<Publisher>,
    /// Have given everything, and are told so in the next poll: until then it is on its way.
    ended: Vec<Publisher>,
    lines: LineRules,
    counts: IntakeCounts,
    bad_lines_count: u64,
    epoch: Option<String>,
}

/// What holds for the lines of every publisher of a feed.
pub struct LineRules {
    pub takes_faults: bool,
    /// A line may begin a new epoch.
    pub takes_epochs: bool,
    /// Of the whole feed: many connections fill the log no faster than one.
    pub warnings: LogLimit,
}

impl Intake {
    /// `listening` is `None` where publishers come by the reception alone.
    pub fn new(name: String, listening: Option<Listening>, limits: IntakeLimits) -> Intake {
        let (takes_faults, takes_epochs, warnings) = (false, false, LogLimit::default());
        Intake {
            name,
            reception: Arc::new(Reception::new(limits.connections)),
            listening,
            limits,
            accepting: None,
            publishers: VecDeque::new(),
            ended: Vec::new(),
            lines: LineRules { takes_faults, takes_epochs, warnings },
            counts: IntakeCounts::default(),
            bad_lines_count: 0,
            epoch: None,
        }
    }

    /// Begins to accept, from the thread that is to be woken. The error is the text for `Failed`.
    fn begin(&mut self) -> Result<(), String> {
        self.reception.wakes(thread::current());
        let Some(listening) = &self.listening else { return Ok(()) };
        match &self.accepting {
            Some(accepting) if accepting.has_ended() => {
                self.accepting = None;
                Err(format!("{}: the thread that accepts its publishers has ended", self.name))
            }
            Some(_) => Ok(()),
            None => {
                let accepting = Accepting::begin(listening, self.limits, &self.reception);
                let why = |why| format!("{}: cannot accept: {why}", self.name);
                self.accepting = Some(accepting.map_err(why)?);
                tracing::info!("feed listens on {}", listening.address());
                Ok(())
            }
        }
    }

    /// Takes lines from the publisher in front. Gives how many, and whether to go on with others.
    fn turn(&mut self, budget: usize, now_ns: i64, sink: &mut Sink<'_>) -> (usize, Turned) {
        let Some(publisher) = self.publishers.front_mut() else { return (0, Turned::Idle(None)) };
        let before = publisher.counts();
        let (used, progress) = publisher.turn(budget, now_ns, &mut self.lines, sink);
        let after = publisher.counts();
        self.counts.lines += after.lines - before.lines;
        self.counts.bytes += publisher.take_bytes();
        self.bad_lines_count += after.bad - before.bad;
        let turned = match progress {
            Progress::More => Turned::On,
            Progress::Idle { again_ns } => Turned::Idle(again_ns),
            Progress::Ended => {
                self.ended.extend(self.publishers.pop_front());
                return (used, Turned::On);
            }
            Progress::Epoch(epoch) => {
                self.epoch = Some(epoch);
                Turned::Epoch
            }
        };
        self.publishers.rotate_left(1);
        (used, turned)
    }
}

/// What a publisher's turn came to.
enum Turned {
    On,
    /// It has nothing; it has to be looked at again at this time.
    Idle(Option<i64>),
    /// What follows is of a new epoch.
    Epoch,
}

impl Source for Intake {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        if let Err(why) = self.begin() {
            return Next::Failed(why);
        }
        self.ended.drain(..).for_each(Publisher::finish);
        self.publishers.extend(self.reception.newcomers(self.publishers.len()));
        let (mut left, mut idle, mut again_ns) = (budget, 0, None);
        while idle < self.publishers.len() {
            if left == 0 {
                return Next::More;
            }
            let (used, turned) = self.turn(left.min(TURN_LINES), now_ns, sink);
            left -= used;
            match turned {
                Turned::On => idle = 0,
                Turned::Epoch => return Next::More,
                Turned::Idle(at_ns) => {
                    idle += 1;
                    again_ns = [again_ns, at_ns].into_iter().flatten().min();
                }
            }
        }
        match again_ns {
            _ if !self.ended.is_empty() => Next::More,
            Some(at_ns) => Next::At(at_ns),
            None => Next::Wake,
        }
    }

    fn is_live(&self) -> bool {
        true
    }

    /// Connections outlive a panic over a line of one of them.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        Some(Ok(()))
    }

    fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    fn enable_epochs(&mut self) {
        self.lines.takes_epochs = true;
    }

    fn enable_faults(&mut self) {
        self.lines.takes_faults = true;
    }

    fn bad_lines_count(&self) -> u64 {
        self.bad_lines_count
    }

    fn intake(&self) -> Option<IntakeCounts> {
        let (connections, turned_away) =
            (self.publishers.len() as u64, self.reception.turned_away());
        Some(IntakeCounts { connections, turned_away, ..self.counts })
    }

    fn reception(&self) -> Option<Arc<Reception>> {
        self.listening.is_none().then(|| Arc::clone(&self.reception))
    }
}

#[cfg(test)]
mod tests;
