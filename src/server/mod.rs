//! Puts the parts of the process together: listeners, shards on cores, feeds; start and stop.
//!
//! Must not know arguments or what is printed. The main type is [`Server`].

mod budget;
pub mod descriptors;
mod placement;

pub use budget::Budget;

use crate::config::Settings;
use crate::feed::{
    FeedOpenError, FeedSpec, Ingest, IngestError, IngestHandle, SpecError, Subscribed,
};
use crate::shard::{
    ListenError, RingError, ShardCounters, ShardError, ShardHandle, ShardSettings, listen, probe,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is cut after the drain's time is over is cut this much later at the latest.
const DRAIN_GRACE_MS: u64 = 500;

/// Why the server does not start; the text names the input and the cure.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
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
    #[error("the listening socket has no address: {0}")]
    Address(io::Error),
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub budget: Budget,
    pub shards: Vec<ShardHandle>,
    ingest: IngestHandle,
    /// Owned by the process, so that a shard's end loses no connection that waits for its accept.
    listeners: Vec<OwnedFd>,
}

impl Server {
    /// Starts everything; when it returns, clients are served.
    pub fn start(settings: &Settings) -> Result<Server, StartError> {
        let specs = settings.feeds.iter().map(|text| text.parse());
        let specs = specs.collect::<Result<Vec<FeedSpec>, SpecError>>()?;
        // First of all, so that an old kernel or a closed container is named as what it is.
        probe()?;
        let cores = placement::cores(settings.shards);
        let (_, descriptors) =
            descriptors::raise_descriptor_limit().map_err(StartError::Descriptors)?;
        let budget = Budget::new(settings, cores.len(), descriptors);
        if budget.sessions_per_shard == 0 {
            return Err(StartError::TooFewDescriptors(descriptors, cores.len()));
        }
        let counters: Vec<_> = cores.iter().map(|_| Arc::new(ShardCounters::default())).collect();
        let sources = open_feeds(&specs, &counters)?;
        let listeners = listen(settings.listen, cores.len(), &settings.sockets)?;
        let address = local_address(&listeners[0]).map_err(StartError::Address)?;
        let epoch = new_epoch();
        let mut shards = Vec::with_capacity(cores.len());
        for (index, core) in cores.into_iter().enumerate() {
            let shard = ShardSettings {
                index,
                core,
                hub: settings.hub.clone(),
                epoch: epoch.clone(),
                sessions_max: budget.sessions_per_shard,
                counters: counters[index].clone(),
            };
            shards.push(ShardHandle::start(shard, listeners[index].as_fd())?);
        }
        let inlets = shards.iter().map(|shard| shard.inlet.clone()).collect();
        let ingest = Ingest::spawn(sources, inlets, settings.feed_stale_ms)?;
        Ok(Server { address, budget, shards, ingest, listeners })
    }

    /// Begins the stop: no connection is accepted any more, and the closes of those that are open
    /// are spread over `over_ms`.
    pub fn drain(&mut self, over_ms: u64) {
        self.shards.iter().for_each(|shard| shard.drain(over_ms, DRAIN_GRACE_MS));
        // A client that comes now is refused by the kernel and tries another server.
        self.listeners.clear();
    }

    /// Whether every shard has ended.
    pub fn has_ended(&self) -> bool {
        self.shards.iter().all(|shard| shard.counters.has_ended())
    }

    /// Whether some thread has ended, which only a stop or a panic brings about.
    pub fn has_failed(&self) -> bool {
        !self.ingest.is_running() || self.shards.iter().any(|shard| shard.counters.has_ended())
    }

    /// Waits for all threads. The error is a panic, in words.
    pub fn join(self) -> Result<(), String> {
        self.ingest.stop();
        let ends: Vec<_> = self.shards.into_iter().map(ShardHandle::join).collect();
        // A source may be blocked in a read of standard input; the process's exit ends it.
        ends.into_iter().collect()
    }

    /// Sessions of all shards.
    pub fn sessions(&self) -> u64 {
        self.shards.iter().map(|shard| shard.counters.sessions()).sum()
    }
}

fn open_feeds(
    specs: &[FeedSpec],
    counters: &[Arc<ShardCounters>],
) -> Result<Vec<Box<dyn crate::feed::Source>>, FeedOpenError> {
    let counters = counters.to_vec();
    let subscribed: Subscribed = Arc::new(move || counters.iter().map(|c| c.subscribed()).sum());
    specs.iter().map(|spec| spec.open(&subscribed)).collect()
}

fn local_address(listener: &OwnedFd) -> io::Result<SocketAddr> {
    let bound = socket2::SockRef::from(listener).local_addr()?;
    bound.as_socket().ok_or_else(|| io::Error::other("not an internet address"))
}

/// A text that no earlier start of a server had.
fn new_epoch() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", since.as_micros(), std::process::id())
}
