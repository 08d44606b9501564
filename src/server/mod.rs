//! Puts the parts of the process together: listeners, shards on cores, feeds; start and stop.
//!
//! Must not know arguments or what is printed. The main type is [`Server`].

mod budget;
mod cgroup;
pub mod descriptors;
mod failure;
mod fitness;
mod host;
mod kernel_memory;
mod listening;
mod memory;
mod placement;
mod plan;
#[cfg(test)]
mod test_files;
mod view;

pub use budget::Budget;
pub use failure::Failure;
pub use fitness::{Finding, Level, findings};
pub use host::Facts;
pub use kernel_memory::KernelMemory;
pub use memory::{MemoryBudget, MemorySource, TooLittleMemory};

use crate::config::Settings;
use crate::control::{RunState, Sight, Watchdog, age_ms};
use crate::feed::{
    FeedKind, FeedOpenError, FeedSpec, Ingest, IngestError, IngestHandle, Inlet, Reception, Retry,
    SpecError, Subscribed, Tuning,
};
use crate::limits::INLET_TICKS;
use crate::shard::{
    Door, ListenError, RingError, ShardCounters, ShardError, ShardHandle, ShardSettings, probe,
};
use listening::Listening;
use plan::Plan;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is cut after the drain's time is over is cut this much later at the latest.
const DRAIN_GRACE_MS: u64 = 500;

/// And so much later the process has ended, whatever a shard does.
pub const STOP_GRACE_MS: u64 = 900;

/// The last turn of the feeds takes about a millisecond.
const INGEST_END: Duration = Duration::from_millis(500);

/// Why the server does not start; the text names the input and the cure.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("--feed {0}")]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Feed(#[from] FeedOpenError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error("cannot read or raise the limit of open files: {0}")]
    Descriptors(io::Error),
    #[error(
        "the limit of {0} open files leaves no room for connections on {1} shards; raise it with \
         'ulimit -Hn' or LimitNOFILE, or start fewer --shards"
    )]
    TooFewDescriptors(u64, usize),
    #[error(
        "{sessions} sessions need a limit of {needed} open files, and it is {descriptors}; raise \
         it with 'ulimit -Hn {needed}' or LimitNOFILE={needed}, or give at most {room}"
    )]
    TooManySessions { sessions: usize, needed: u64, descriptors: u64, room: usize },
    #[error(
        "a shard without a share lets nobody in; give {key} at least one for each of the {shards} \
         shards"
    )]
    NoShare { key: &'static str, shards: usize },
    #[error(transparent)]
    Memory(#[from] TooLittleMemory),
    #[error("the listening socket has no address: {0}")]
    Address(io::Error),
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub budget: Budget,
    pub memory: MemoryBudget,
    /// What the kernel says of its memory for sockets.
    pub kernel_memory: KernelMemory,
    pub shards: Vec<ShardHandle>,
    ingest: IngestHandle,
    watchdog: Watchdog,
    state: Arc<RunState>,
    feeds: Vec<FeedSpec>,
    /// Of the feed whose lines are posted to the admin port.
    reception: Option<Arc<Reception>>,
    listening: Listening,
    /// Every feed is a replay.
    waits_for_readers: bool,
}

impl Server {
    /// Starts everything; when it returns, clients are served.
    pub fn start(settings: &Settings) -> Result<Server, StartError> {
        let specs = specs(settings)?;
        // First of all, so that an old kernel or a closed container is named as what it is.
        probe()?;
        let cores = placement::cores(settings.shards);
        let (_, descriptors) =
            descriptors::raise_descriptor_limit().map_err(StartError::Descriptors)?;
        let waits_for_readers = specs.iter().all(|spec| matches!(spec.kind, FeedKind::Replay(_)));
        let plan = Plan::new(settings, cores.len(), descriptors, waits_for_readers)?;
        let counters: Vec<_> = cores.iter().map(|_| Arc::new(ShardCounters::default())).collect();
        let mut sources = open_feeds(&specs, &counters)?;
        if settings.hub.fault_injection {
            sources.iter_mut().for_each(|source| source.enable_faults());
        }
        let reception = sources.iter().find_map(|source| source.reception());
        let has_live_feed = sources.iter().any(|source| source.is_live());
        let listening = Listening::begin(settings, &cores)?;
        let epoch = new_epoch();
        let doors = doors(&counters)?;
        let mut shards = Vec::with_capacity(cores.len());
        for (index, core) in cores.into_iter().enumerate() {
            let shard = ShardSettings {
                index,
                core,
                hub: plan.hub_settings(settings, index),
                epoch: epoch.clone(),
                backlog: settings.sockets.backlog as usize,
                shares_out: listening.shares_out(),
                doors: doors.clone(),
                has_live_feed,
                restarts_max: settings.boundaries.shard_restarts_max,
                restart_window_ms: settings.boundaries.shard_restart_window_ms,
                log_addresses: settings.log.addresses,
                counters: counters[index].clone(),
            };
            shards.push(ShardHandle::start(shard, &listening.of_shard(index))?);
        }
        let inlets = shards.iter().map(|shard| shard.inlet.clone()).collect();
        let boundaries = &settings.boundaries;
        let retry = Retry::new(boundaries.feed_retry_ms, boundaries.feed_retry_ms_max);
        let names = FeedSpec::names(&specs);
        let ingest = Ingest::spawn(names, sources, inlets, &epoch, settings.feed_stale_ms, retry)?;
        let (report_ms, exit_ms) = (boundaries.stuck_report_ms, boundaries.stuck_exit_ms);
        let watchdog = Watchdog::new(counters, report_ms, exit_ms);
        let state = Arc::new(RunState::new(watchdog.stuck()));
        let kernel_memory = KernelMemory::default();
        let Plan { memory, budget, .. } = plan;
        Ok(Server {
            address: listening.address,
            budget,
            memory,
            kernel_memory,
            shards,
            ingest,
            watchdog,
            state,
            feeds: specs,
            reception,
            listening,
            waits_for_readers,
        })
    }

    /// Puts new settings in force without a restart: what the declarations call live, and of the
    /// feeds the pace of synthetic ones. All else must be as it was at start, see
    /// [`Settings::with_live_of`]. Shards take them between two turns, and no session is touched.
    ///
    /// Errors: nothing was changed. A shard that has left all its last messages unread, as one that
    /// is stuck, misses them, which is logged.
    pub fn apply(&mut self, settings: &Settings) -> Result<(), StartError> {
        let (shards, descriptors) = (self.shards.len(), self.budget.descriptors);
        let specs = specs(settings)?;
        let plan = Plan::new(settings, shards, descriptors, self.waits_for_readers)?;
        for shard in &self.shards {
            shard.reload(plan.hub_settings(settings, shard.index));
        }
        self.ingest.tune(tuning(settings, &specs));
        let boundaries = &settings.boundaries;
        self.watchdog.set_limits(boundaries.stuck_report_ms, boundaries.stuck_exit_ms);
        (self.memory, self.budget) = (plan.memory, plan.budget);
        Ok(())
    }

    /// Begins the stop: no connection is accepted any more, and the closes of those that are open
    /// are spread over `over_ms`.
    pub fn drain(&mut self, over_ms: u64) {
        self.state.mark_draining();
        self.shards.iter().for_each(|shard| shard.drain(over_ms, DRAIN_GRACE_MS));
        self.listening.end();
    }

    /// Whether every shard has ended.
    pub fn has_ended(&self) -> bool {
        self.shards.iter().all(|shard| shard.counters.has_ended())
    }

    /// Looks after the threads, `passed_ms` after the last look; gives what the process must end
    /// for. A shard that has ended in order is none of that while the server stops.
    pub fn look_after(&mut self, passed_ms: u64, stopping: bool) -> Option<Failure> {
        let buffers = self.shards.iter().map(|shard| shard.counters.overload().buffer_bytes());
        self.kernel_memory.watch(buffers.sum());
        let find = |is: fn(&ShardCounters) -> bool| {
            self.shards.iter().position(|shard| is(&shard.counters))
        };
        if let Some(shard) = find(ShardCounters::is_exhausted) {
            return Some(Failure::RestartsUsedUp(shard));
        }
        if !stopping && let Some(shard) = find(ShardCounters::has_ended) {
            return Some(Failure::ShardEnded(shard));
        }
        if !stopping && !self.ingest.is_running() {
            return Some(Failure::IngestEnded);
        }
        self.watchdog.look(passed_ms).map(Failure::Stuck)
    }

    /// Whether a client that subscribes now is served: every shard has turned and turns still, so
    /// that its listener is accepted from, and the feeds have all been polled and what they gave
    /// was offered to every shard. A feed need not have given anything, as at night; there it
    /// differs from `/readyz`, which wants a live one: that tells a balancer where to send clients,
    /// while this ends a start, and what waits for it (systemd, `systemctl restart`) would fail at
    /// night.
    pub fn is_serving(&self) -> bool {
        let shards = self.shards.iter().map(|shard| &shard.counters);
        let mut shards = shards.map(|c| c.progress().0 > 0 && !c.has_ended() && !c.is_exhausted());
        let polled = self.ingest.counters().turns.load(Ordering::Acquire) > 0;
        shards.all(|serves| serves) && polled && self.watchdog.is_fed()
    }

    /// What systemd is told of.
    pub fn sight(&self) -> Sight {
        let feeds = &self.ingest.counters().feeds;
        Sight {
            sessions: self.sessions(),
            shards: self.shards.len(),
            turns: self.watchdog.is_fed(),
            serves: self.is_serving(),
            feed_ages_ms: feeds.iter().map(|feed| age_ms(feed)).collect(),
        }
    }

    /// Waits for all threads. The error is a panic, in words.
    pub fn join(self) -> Result<(), String> {
        self.ingest.stop();
        let ends: Vec<_> = self.shards.into_iter().map(ShardHandle::join).collect();
        // Feeds remove what they have put into the file system. One that is stuck in a read of a
        // file is ended by the process's exit.
        if !self.ingest.join_within(INGEST_END) {
            tracing::warn!("the feeds have not ended in time; the process's exit ends them");
        }
        ends.into_iter().collect()
    }

    /// Sessions of all shards.
    pub fn sessions(&self) -> u64 {
        self.shards.iter().map(|shard| shard.counters.sessions()).sum()
    }
}

fn specs(settings: &Settings) -> Result<Vec<FeedSpec>, SpecError> {
    let spec = |text: &String| Ok(text.parse::<FeedSpec>()?.with_settings(settings));
    settings.feeds.iter().map(spec).collect()
}

fn tuning(settings: &Settings, specs: &[FeedSpec]) -> Tuning {
    Tuning {
        stale_ms: settings.feed_stale_ms,
        retry_ms: settings.boundaries.feed_retry_ms,
        retry_ms_max: settings.boundaries.feed_retry_ms_max,
        paces: specs.iter().map(FeedSpec::pace).collect(),
    }
}

/// The queues of all shards, which must exist before the first of them starts.
fn doors(counters: &[Arc<ShardCounters>]) -> Result<Arc<[Door]>, ShardError> {
    let door = |(index, counters): (usize, &Arc<ShardCounters>)| {
        let inlet = Inlet::new(INLET_TICKS).map_err(|error| ShardError::Bell(index, error))?;
        Ok(Door::new(Arc::new(inlet), counters.clone()))
    };
    counters.iter().enumerate().map(door).collect()
}

fn open_feeds(
    specs: &[FeedSpec],
    counters: &[Arc<ShardCounters>],
) -> Result<Vec<Box<dyn crate::feed::Source>>, FeedOpenError> {
    let counters = counters.to_vec();
    let subscribed: Subscribed = Arc::new(move || counters.iter().map(|c| c.subscribed()).sum());
    specs.iter().map(|spec| spec.open(&subscribed)).collect()
}

/// A text that no earlier start of a server had.
fn new_epoch() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", since.as_micros(), std::process::id())
}
