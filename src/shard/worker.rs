//! A shard as a thread: one glommio executor pinned to one core, one task, one loop.

use super::accepting::Listening;
use super::counters::ShardCounters;
use super::door::{Door, Doors};
use super::mailbox::{Mailbox, Message, ShardPort};
use super::overload::Overload;
use super::restarts::Restarts;
use super::step::Step;
use super::survivor::Survivor;
use super::turn::{Parts, Shard};
use super::{RingError, RingSettings, SocketRing, clock};
use crate::feed::Inlet;
use crate::hub::{Hub, HubSettings};
use glommio::io::BufferedFile;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// glommio's own buffers, which a shard uses for an 8-byte read only. Its default of 10 MiB an
/// executor would count against RLIMIT_MEMLOCK.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// glommio's ring: one read at a time, and its timer.
const IO_RING_ENTRIES: usize = 16;

/// How often a shard that does not sleep lets the executor look at its rings, in which nothing is
/// then: some 40 us, which in the default of every 100 ms the clients of a flush wait for.
const YIELD_EVERY: Duration = Duration::from_secs(1);

/// What a shard is started with.
pub struct ShardSettings {
    pub index: usize,
    /// The core it is pinned to.
    pub core: usize,
    pub hub: HubSettings,
    pub epoch: String,
    /// Some feed does not wait for the shards: how old its ticks become is the shards' lag.
    pub has_live_feed: bool,
    /// Connections that wait for their accept on a listener, at most.
    pub backlog: usize,
    /// Some shard has fewer listeners than others, or none; see [`Listening::shares_out`].
    pub shares_out: bool,
    /// Of all shards, this one's at `index`.
    pub doors: Arc<[Door]>,
    /// More panics than this within the window are too many.
    pub restarts_max: u32,
    pub restart_window_ms: u64,
    /// Clients' addresses may be logged.
    pub log_addresses: bool,
    /// Where the shard publishes what it counts.
    pub counters: Arc<ShardCounters>,
}

/// Says that the shard's thread has ended, however it did.
struct EndMark(Arc<ShardCounters>);

impl Drop for EndMark {
    fn drop(&mut self) {
        self.0.mark_ended();
    }
}

/// A running shard, from outside.
pub struct ShardHandle {
    pub index: usize,
    pub core: usize,
    pub inlet: Arc<Inlet>,
    pub counters: Arc<ShardCounters>,
    mailbox: Arc<Mailbox>,
    thread: ExecutorJoinHandle<()>,
}

/// Why a shard does not start.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error("shard {0}: no descriptor for its eventfd: {1}; raise the limit of open files")]
    Bell(usize, io::Error),
    #[error(
        "shard {0}: its executor does not start: {1}; see that the limit of locked memory \
         (ulimit -l) is at least 512 KiB a shard and io_uring is allowed"
    )]
    Executor(usize, String),
    #[error("shard {0}: {1}")]
    Ring(usize, RingError),
    #[error("shard {0}: its thread ended before it was ready")]
    Died(usize),
}

impl ShardHandle {
    /// Starts a shard that serves `listeners`, which must stay open until it has ended. Returns
    /// when it is ready.
    pub fn start(
        settings: ShardSettings,
        listeners: &[BorrowedFd<'_>],
    ) -> Result<ShardHandle, ShardError> {
        use std::os::fd::AsRawFd;
        let (index, core) = (settings.index, settings.core);
        let inlet = settings.doors[index].inlet.clone();
        let counters = settings.counters.clone();
        let mailbox = Arc::new(Mailbox::default());
        let (ready, started) = mpsc::channel();
        let listening = Listening {
            listeners: listeners.iter().map(AsRawFd::as_raw_fd).collect(),
            backlog: settings.backlog,
            shares_out: settings.shares_out,
        };
        let given = (inlet.clone(), mailbox.clone(), counters.clone());
        let builder = LocalExecutorBuilder::new(Placement::Fixed(core))
            .name(&format!("shard-{index}"))
            .io_memory(IO_MEMORY_BYTES)
            .ring_depth(IO_RING_ENTRIES)
            .preempt_timer(YIELD_EVERY);
        let thread = builder
            .spawn(move || async move {
                let (inlet, mailbox, counters) = given;
                let _end = EndMark(counters.clone());
                let fd = inlet.bell().fd();
                let ring = match SocketRing::new(RingSettings::default(), fd) {
                    Ok(ring) => ring,
                    Err(error) => {
                        let _ = ready.send(Err(ShardError::Ring(index, error)));
                        return;
                    }
                };
                let hub = Hub::new(settings.hub, settings.epoch, clock::now());
                let doors = Doors { own: index, all: settings.doors };
                let parts = Parts {
                    hub,
                    ring,
                    listening,
                    doors,
                    inlet: inlet.clone(),
                    mailbox,
                    counters,
                    overload: Overload::new(settings.has_live_feed),
                    log_addresses: settings.log_addresses,
                };
                let restarts = Restarts::new(settings.restarts_max, settings.restart_window_ms);
                let shard = Shard::new(parts);
                let mut shard = Survivor::new(index, shard, restarts, settings.counters.clone());
                shard.turn();
                let _ = ready.send(Ok(()));
                run(&mut shard, &inlet, &settings.counters).await;
            })
            .map_err(|e| ShardError::Executor(index, e.to_string()))?;
        started.recv().unwrap_or(Err(ShardError::Died(index)))?;
        Ok(ShardHandle { index, core, inlet, counters, mailbox, thread })
    }

    /// Where it is asked for what only it knows.
    pub fn port(&self) -> ShardPort {
        ShardPort { mailbox: self.mailbox.clone(), inlet: self.inlet.clone() }
    }

    /// Tells the shard to stop; see [`Message::Drain`].
    pub fn drain(&self, over_ms: u64, grace_ms: u64) {
        // A full mailbox means that the shard is stuck, and then the process's exit ends it.
        let _ = self.mailbox.put(Message::Drain { over_ms, grace_ms });
        self.inlet.bell().ring();
    }

    /// Gives the shard other settings; see [`Message::Reload`].
    pub fn reload(&self, settings: HubSettings) {
        if self.mailbox.put(Message::Reload(Box::new(settings))).is_err() {
            tracing::error!(shard = self.index, "shard is stuck and does not take new settings");
        }
        self.inlet.bell().ring();
    }

    /// Waits for the end of the thread. The error is its panic, in words.
    pub fn join(self) -> Result<(), String> {
        self.thread.join().map_err(|error| format!("shard {}: {error}", self.index))
    }
}

/// Waits a moment in the shard's own ring; says whether there may be work.
fn nap(shard: &mut Survivor, inlet: &Inlet, counters: &ShardCounters) -> bool {
    inlet.bell().doze();
    let came = shard.has_mail() || {
        counters.enter(Step::Sleeping);
        let came = shard.nap();
        counters.enter(Step::Awake);
        came
    };
    inlet.bell().wake_up();
    came || shard.has_mail()
}

/// The loop: turns while there is work, then a nap, then one read of the eventfd. The read is
/// always awaited to its end; one that was dropped would eat the next ring.
async fn run(shard: &mut Survivor, inlet: &Inlet, counters: &ShardCounters) {
    // SAFETY: the bell's descriptor is open as long as `inlet`, which outlives this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(inlet.bell().fd()) };
    let own: OwnedFd = borrowed.try_clone_to_owned().expect("the reserve of descriptors covers it");
    // SAFETY: the descriptor is open and owned by nothing else; the file closes it.
    let bell = unsafe { BufferedFile::from_raw_fd(own.into_raw_fd()) };
    while !shard.is_done() {
        if shard.turn() || nap(shard, inlet, counters) {
            glommio::yield_if_needed().await;
            continue;
        }
        inlet.bell().fall_asleep();
        if !shard.prepare_sleep() && !shard.has_mail() {
            counters.enter(Step::Sleeping);
            let _ = bell.read_at(0, 8).await;
            counters.enter(Step::Awake);
        }
        inlet.bell().wake_up();
    }
    // glommio closes a file by a request of its own, which must be awaited or it leaks.
    let _ = bell.close().await;
}
