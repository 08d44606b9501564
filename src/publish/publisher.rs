//! The publishing thread: connects, serves the connection until it is lost, and connects again.

use super::batch::Batches;
use super::connection::Connection;
use super::counters::{PublishCounters, Role, add};
use super::flight::{Flight, Flying};
use super::held::Held;
use super::lease::Lease;
use super::numbers::Numbers;
use super::options::{PublishError, PublishOptions};
use super::positions::Positions;
use super::states::States;
use super::unstored::Unstored;
use crate::feed::{Inlet, LogLimit, TickLines};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two attempts to connect.
const CONNECT_EVERY: Duration = Duration::from_millis(250);

/// For connecting, with stream, bucket and what is read of them.
const OPEN_PATIENCE: Duration = Duration::from_secs(60);

/// How long the thread waits for an answer before it counts a turn and looks whether it is to end.
const SLICE: Duration = Duration::from_millis(100);

/// All that outlives a connection. What belongs to one connection is in [`Connection`].
///
/// ```text
/// inlet ─▶ numbers ─▶ lines ─▶ batches ─▶ outbox ─▶ flight ─▶ acks
///    └────▶ held (while another leads)
/// ```
pub struct Publisher {
    pub(super) options: PublishOptions,
    pub(super) inlet: Arc<Inlet>,
    pub(super) lines: TickLines,
    pub(super) numbers: Numbers,
    pub(super) positions: Positions,
    pub(super) held: Held,
    pub(super) batches: Batches,
    /// When the first line of the batches came.
    pub(super) batch_began: Option<Instant>,
    /// Messages that are to go out next, in order; bounded by what one batch has.
    pub(super) outbox: VecDeque<Flying>,
    pub(super) flight: Flight,
    /// Those that are to go out once more, before the outbox.
    pub(super) again: VecDeque<(u64, Flying)>,
    pub(super) unstored: Unstored,
    /// Nobody took a message for the stream: it is to be made again.
    pub(super) misses_stream: bool,
    /// The stream has lost messages of this epoch: it does not know of every symbol's numbers.
    pub(super) may_lack_positions: bool,
    pub(super) lease: Lease,
    pub(super) role: Role,
    /// It has the lease, and the one before may still be heard: nothing was taken over yet.
    pub(super) takes_over: bool,
    /// `None` before anything was read, heard or given.
    pub(super) epoch: Option<Arc<str>>,
    /// Of the feeds, where they bring one.
    pub(super) feed_epoch: Option<Arc<str>>,
    pub(super) states: States,
    /// When another publisher was last heard, ns since the Unix epoch.
    pub(super) heard_ns: Option<i64>,
    pub(super) meta_at: Option<Instant>,
    /// What has changed since the last one that it says.
    pub(super) meta_is_due: bool,
    pub(super) warnings: LogLimit,
    pub(super) counters: Arc<PublishCounters>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) scratch: Vec<u8>,
}

/// Stops the thread and reads what it counts.
#[derive(Debug)]
pub struct PublisherHandle {
    thread: JoinHandle<Result<(), PublishError>>,
    stop: Arc<AtomicBool>,
    inlet: Arc<Inlet>,
    counters: Arc<PublishCounters>,
}

impl Publisher {
    /// Starts the thread, which takes what comes through `inlet`.
    pub fn spawn(
        options: PublishOptions,
        inlet: Arc<Inlet>,
    ) -> Result<PublisherHandle, PublishError> {
        let publisher = Publisher::new(options, Arc::clone(&inlet));
        let (stop, counters) = (Arc::clone(&publisher.stop), Arc::clone(&publisher.counters));
        let builder = thread::Builder::new().name("publish".into());
        let thread = builder.spawn(move || publisher.run())?;
        Ok(PublisherHandle { thread, stop, inlet, counters })
    }

    fn new(options: PublishOptions, inlet: Arc<Inlet>) -> Publisher {
        let mut numbers = Numbers::new(options.sequenced.clone());
        if options.feed_epoch.is_some() {
            numbers.keep_all();
        }
        let lease = if options.has_lease { Lease::standby() } else { Lease::alone() };
        Publisher {
            inlet,
            lines: TickLines::default(),
            numbers,
            positions: Positions::default(),
            held: Held::default(),
            batches: Batches::default(),
            batch_began: None,
            outbox: VecDeque::new(),
            flight: Flight::new(),
            again: VecDeque::new(),
            unstored: Unstored::default(),
            misses_stream: false,
            may_lack_positions: false,
            lease,
            role: Role::Standby,
            takes_over: !options.has_lease,
            epoch: None,
            feed_epoch: options.feed_epoch.as_deref().map(Arc::from),
            states: States::new(options.sequenced.len()),
            heard_ns: None,
            meta_at: None,
            meta_is_due: true,
            warnings: LogLimit::default(),
            counters: Arc::default(),
            stop: Arc::default(),
            scratch: Vec::new(),
            options,
        }
    }

    fn run(mut self) -> Result<(), PublishError> {
        let mut was_up = false;
        while !self.stop.load(Ordering::Acquire) {
            // A runtime for each connection: with it end the client's tasks and all that they had
            // not sent. What is late is sent by nobody, or by us, under the lease.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let ended = runtime.block_on(self.connect_and_serve(&mut was_up));
            runtime.shutdown_background();
            self.counters.is_connected.store(false, Ordering::Relaxed);
            let Err(error) = ended else { break };
            if matches!(error, PublishError::Stopped) {
                break;
            }
            if error.is_final() && !was_up {
                return Err(error);
            }
            if let Some(suppressed) = self.warnings.admit(wall_ns()) {
                tracing::warn!(suppressed, "{error}; it is tried again");
            }
            self.were_deaf();
            self.wait_apart();
        }
        Ok(())
    }

    /// `Ok`: it was stopped.
    async fn connect_and_serve(&mut self, was_up: &mut bool) -> Result<(), PublishError> {
        let opened = tokio::time::timeout(OPEN_PATIENCE, self.open()).await;
        let mut connection = opened.map_err(|_| PublishError::Lost)??;
        let servers = &self.options.servers;
        tracing::info!("connected to {servers} as {}", self.options.instance);
        *was_up = true;
        add(&self.counters.connects, 1);
        self.counters.is_connected.store(true, Ordering::Relaxed);
        self.serve(&mut connection).await
    }

    /// A connection with all that the present role needs.
    async fn open(&mut self) -> Result<Connection, PublishError> {
        let mut connection = self.attend(Connection::open(&self.options)).await?;
        self.lease.listens(Instant::now());
        match self.attend(connection.set_up(&self.options)).await {
            Err(PublishError::Stopped) => return Err(PublishError::Stopped),
            // Live needs no stream: who leads already goes on, and tries for one later.
            Err(error) if self.role == Role::Leader && !error.is_final() => {
                tracing::warn!("{error}; live goes on and nothing is stored");
            }
            set_up => set_up?,
        }
        if self.role == Role::Standby {
            self.attend(connection.listen(&self.options)).await?;
            self.read_stream(&connection).await?;
        }
        Ok(connection)
    }

    /// Waits for what a server is asked. It may take long to answer, or hang: meanwhile turns are
    /// counted, since the thread is well, and it ends when it is told to.
    pub(super) async fn attend<T>(
        &self,
        answer: impl Future<Output = Result<T, PublishError>>,
    ) -> Result<T, PublishError> {
        let mut answer = pin!(answer);
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Err(PublishError::Stopped);
            }
            match tokio::time::timeout(SLICE, &mut answer).await {
                Ok(answered) => return answered,
                Err(_) => add(&self.counters.turns, 1),
            }
        }
    }

    /// What was heard before the connection was lost may have gone on without us.
    fn were_deaf(&mut self) {
        if self.role == Role::Standby {
            self.positions.were_deaf();
        }
    }

    /// Until the next attempt. A standby's feed is held meanwhile, so that its newest is there.
    fn wait_apart(&mut self) {
        let until = Instant::now() + CONNECT_EVERY;
        while Instant::now() < until && !self.stop.load(Ordering::Acquire) {
            if self.role == Role::Standby {
                self.hold_ticks();
            }
            add(&self.counters.turns, 1);
            thread::sleep(Duration::from_millis(25));
        }
    }

    /// The text of an epoch that nobody had.
    pub(super) fn new_epoch() -> Arc<str> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Arc::from(format!("{:x}-{:x}", since.as_micros(), std::process::id()))
    }
}

impl PublisherHandle {
    /// Asks the thread to end: it sends what it has, gives the lease back and ends.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.inlet.bell().ring();
    }

    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits for the thread's end.
    pub fn join(self) -> Result<(), PublishError> {
        self.thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }

    pub fn counters(&self) -> &Arc<PublishCounters> {
        &self.counters
    }
}

/// ns since the Unix epoch.
pub(super) fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
