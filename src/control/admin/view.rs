//! What the admin port sees of the process.

use super::history::History;
use crate::control::{LogLevel, StopAsker};
use crate::feed::{FeedCondition, FeedCounters, IngestCounters, Inlet, Reception};
use crate::market::Symbol;
use crate::shard::{ShardCounters, ShardPort, Step};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How the process stands, as the main thread knows it.
#[derive(Debug)]
pub struct RunState {
    draining: AtomicBool,
    /// By shard; written by the watchdog.
    stuck: Arc<[AtomicBool]>,
}

impl RunState {
    pub fn new(stuck: Arc<[AtomicBool]>) -> RunState {
        RunState { draining: AtomicBool::new(false), stuck }
    }

    pub fn mark_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// One shard, to be looked at.
#[derive(Debug)]
pub struct ShardView {
    pub core: usize,
    pub counters: Arc<ShardCounters>,
    pub inlet: Arc<Inlet>,
    pub port: ShardPort,
}

/// One feed.
#[derive(Debug)]
pub struct FeedView {
    /// Its kind, with its number where another has the same.
    pub name: String,
    /// It begins only when sessions have subscribed, so until then nothing is missing.
    pub waits_for_sessions: bool,
    /// Others bring its lines.
    pub takes_publishers: bool,
}

/// Everything that is looked at.
#[derive(Debug)]
pub struct View {
    pub began: Instant,
    pub stream: SocketAddr,
    pub shards: Vec<ShardView>,
    /// In the order of the feeds' numbers.
    pub feeds: Vec<FeedView>,
    pub ingest: Arc<IngestCounters>,
    /// Where posted lines go.
    pub reception: Option<Arc<Reception>>,
    pub state: Arc<RunState>,
    pub log_addresses: bool,
    pub log: LogLevel,
    pub stop: StopAsker,
    pub notes: Notes,
}

/// What the admin port keeps for itself. The locks are of its thread's tasks alone.
#[derive(Debug, Default)]
pub struct Notes {
    pub(super) history: History,
    pub(super) names: Mutex<Vec<Symbol>>,
}

/// What a shard does, from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShardState {
    Turning,
    Sleeping,
    Stuck,
    Ended,
}

impl ShardState {
    pub const ALL: [ShardState; 4] =
        [ShardState::Turning, ShardState::Sleeping, ShardState::Stuck, ShardState::Ended];

    pub fn word(self) -> &'static str {
        match self {
            ShardState::Turning => "turning",
            ShardState::Sleeping => "sleeping",
            ShardState::Stuck => "stuck",
            ShardState::Ended => "ended",
        }
    }
}

impl View {
    pub(super) fn shard_state(&self, shard: usize) -> ShardState {
        let counters = &self.shards[shard].counters;
        let is_stuck = self.state.stuck.get(shard).is_some_and(|s| s.load(Ordering::Relaxed));
        match counters.progress().1 {
            _ if counters.has_ended() || counters.is_exhausted() => ShardState::Ended,
            _ if is_stuck => ShardState::Stuck,
            Step::Sleeping => ShardState::Sleeping,
            _ => ShardState::Turning,
        }
    }

    /// Every feed with its counters.
    pub(super) fn feeds(&self) -> impl Iterator<Item = (&FeedView, &FeedCounters)> {
        self.feeds.iter().zip(self.ingest.feeds.iter().map(|counters| &***counters))
    }

    /// Whether some feed gives what it should, or waits for the sessions that it was told to.
    pub(super) fn has_live_feed(&self) -> bool {
        self.feeds().any(|(feed, counters)| {
            let waits = feed.waits_for_sessions && counters.last_ns().is_none();
            let is_open = counters.condition() != FeedCondition::Ended;
            counters.condition() == FeedCondition::Live || (waits && is_open)
        })
    }

    /// Ticks of all feeds, as the shard that has had most of them counts.
    pub(super) fn ticks_in(&self) -> u64 {
        self.shards.iter().map(|shard| shard.counters.ticks_in()).max().unwrap_or(0)
    }

    pub(super) fn sum(&self, of: impl Fn(&ShardCounters) -> u64) -> u64 {
        self.shards.iter().map(|shard| of(&shard.counters)).sum()
    }
}

/// How long ago a feed's newest record was taken in, in ms.
pub fn age_ms(counters: &FeedCounters) -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let last_ns = u128::try_from(counters.last_ns()?).unwrap_or(0);
    Some((since.as_nanos().saturating_sub(last_ns) / 1_000_000) as u64)
}
