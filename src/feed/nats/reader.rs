//! The feed's own thread: it follows a publisher, and reads from the stream what it missed.
//!
//! While something is to be read from the stream, what comes live waits in the backlog, so that
//! the older comes before the newer. One loop does all of it and waits in one place.

mod taking;

use super::backlog::Backlog;
use super::connect::connect;
use super::counters::NatsCounters;
use super::history::{self, Plan, Read};
use super::outbox::{Gone, Outbox};
use super::reign::Reign;
use super::source::Following;
use async_nats::{Client, Subscriber};
use futures::{FutureExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How long a publisher is waited for at the beginning, whose epoch says what of the stream
/// counts: it speaks every 500 ms.
const PUBLISHER_WAIT_MS: u64 = 1_200;

/// What waits for the stream to be read: two seconds of 20,000 messages each.
const BACKLOG_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What waits for its epoch to be in force.
const FOREIGN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Live messages, or ones of the backlog, that are taken in a row.
const MESSAGES_MAX: usize = 256;

/// How often states and deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);

/// Waits between readings, so that a feed that always misses something does not read the stream
/// all the time; each in a row doubles it.
const READ_AGAIN_MS: u64 = 250;
const READ_AGAIN_MS_MAX: u64 = 16_000;

/// First and longest wait between attempts at the first connection.
const CONNECT_AGAIN: Duration = Duration::from_millis(250);
const CONNECT_AGAIN_MAX: Duration = Duration::from_secs(5);

pub struct Reader {
    following: Following,
    counters: Arc<NatsCounters>,
    outbox: Outbox,
    reign: Reign,
    began: Instant,
    backlog: Backlog,
    /// Of an epoch that may come into force.
    foreign: Backlog,
    /// What must be read before anything live goes on.
    due: Option<Plan>,
    /// Not before this time.
    due_ms: u64,
    /// When what is due now was due first.
    due_since_ms: u64,
    /// What is to be read in addition, and need not hold up what is live.
    missed: Option<Plan>,
    reading: Option<Reading>,
    /// Readings in a row, and when the last one began.
    in_a_row: u32,
    read_ms: u64,
    /// Of the link, as last seen.
    connects: u64,
    slow_consumer: u64,
    /// The log has been told that there is no stream.
    told_absent: bool,
    /// The same of a reading that failed and is tried again.
    told_failed: bool,
}

struct Reading {
    plan: Plan,
    from: Receiver<Read>,
    /// The highest term among what was read.
    term: u64,
}

impl Reader {
    pub fn new(following: Following, counters: Arc<NatsCounters>, outbox: Outbox) -> Reader {
        Reader {
            following,
            counters,
            outbox,
            reign: Reign::default(),
            began: Instant::now(),
            backlog: Backlog::new(BACKLOG_BYTES_MAX),
            foreign: Backlog::new(FOREIGN_BYTES_MAX),
            due: None,
            due_ms: 0,
            due_since_ms: 0,
            missed: None,
            reading: None,
            in_a_row: 0,
            read_ms: 0,
            connects: 0,
            slow_consumer: 0,
            told_absent: false,
            told_failed: false,
        }
    }

    /// Ends when the ingest thread is gone.
    pub async fn run(mut self) {
        let Some(client) = self.connect().await else { return };
        loop {
            match client.subscribe(self.following.prefix.wildcard()).await {
                Ok(live) => {
                    if self.follow(&client, live).await == Err(Gone) {
                        return;
                    }
                }
                Err(error) => tracing::warn!("nats: cannot subscribe: {error}"),
            }
            sleep(CONNECT_AGAIN).await;
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The first connection; later ones are made by the client itself. `None`: nobody wants it.
    async fn connect(&mut self) -> Option<Client> {
        let mut wait = CONNECT_AGAIN;
        loop {
            let Following { servers, settings, .. } = &self.following;
            let name = concat!("tapecast ", env!("CARGO_PKG_VERSION"));
            match connect(servers, settings, name, &self.counters.link).await {
                Ok(client) => {
                    tracing::info!("nats: connected to {servers}");
                    return Some(client);
                }
                Err(why) => {
                    tracing::warn!("nats: {why}; tried again in {} ms", wait.as_millis());
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(CONNECT_AGAIN_MAX);
            if self.outbox.is_closed() {
                return None;
            }
        }
    }

    /// Until the subscription ends.
    async fn follow(&mut self, client: &Client, mut live: Subscriber) -> Result<(), Gone> {
        let counters = Arc::clone(&self.counters);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.need(self.fill());
        self.due_ms = self.now_ms() + PUBLISHER_WAIT_MS;
        loop {
            self.begin_reading(client);
            self.drain();
            let takes = !self.outbox.is_backed_up();
            tokio::select! {
                sent = self.outbox.pump(), if self.outbox.has_queued() => sent?,
                message = live.next() => {
                    let Some(message) = message else { return Ok(()) };
                    self.take(message);
                    for _ in 1..MESSAGES_MAX {
                        match live.next().now_or_never() {
                            Some(Some(message)) => self.take(message),
                            _ => break,
                        }
                    }
                }
                read = next_read(&mut self.reading), if self.reading.is_some() && takes => {
                    self.take_reads(read);
                }
                () = counters.link.changed.notified() => self.look_at_link(),
                () = counters.missing.notified() => self.miss(self.since_well()),
                _ = ticks.tick() => {
                    if self.outbox.is_closed() {
                        return Err(Gone);
                    }
                    self.look_at_link();
                    self.look_at_missed();
                    self.tell_state();
                }
            }
        }
    }

    fn fill(&self) -> Plan {
        Plan::Fill { trades_max: self.following.trades_max }
    }

    /// Everything since all was well.
    fn since_well(&self) -> Plan {
        self.reign.safe(self.now_ms()).map_or_else(|| self.fill(), Plan::From)
    }

    /// Something must be read before anything live goes on.
    fn need(&mut self, plan: Plan) {
        if !self.following.history {
            return;
        }
        if self.due.is_none() {
            (self.due_since_ms, self.due_ms) = (self.now_ms(), 0);
        }
        self.due = Some(self.due.map_or(plan, |due| due.and(plan)));
    }

    /// Something is missing, which is read as soon as the last reading is long enough ago.
    fn miss(&mut self, plan: Plan) {
        if self.counters.has_history() {
            self.missed = Some(self.missed.map_or(plan, |missed| missed.and(plan)));
            self.look_at_missed();
        }
    }

    fn look_at_missed(&mut self) {
        let now_ms = self.now_ms();
        if self.read_ms + 2 * READ_AGAIN_MS_MAX < now_ms {
            self.in_a_row = 0;
        }
        let pause_ms = match self.in_a_row {
            0 | 1 => 0,
            many => (READ_AGAIN_MS << many.min(16)).min(READ_AGAIN_MS_MAX),
        };
        // While something is read anyway, what is missing may be among it.
        if !self.holds()
            && now_ms >= self.read_ms + pause_ms
            && let Some(plan) = self.missed.take()
        {
            self.need(plan);
        }
    }

    fn look_at_link(&mut self) {
        let link = &self.counters.link;
        let connects = link.connects.load(Ordering::Relaxed);
        let slow_consumer = link.slow_consumer.load(Ordering::Relaxed);
        let again = connects != self.connects && self.connects > 0;
        let dropped = slow_consumer != self.slow_consumer;
        (self.connects, self.slow_consumer) = (connects, slow_consumer);
        if dropped {
            tracing::warn!("nats: messages were dropped, they came faster than they were taken");
        }
        if again {
            tracing::info!("nats: connected to {} again", self.following.servers);
        }
        let plan = self.since_well();
        if again {
            self.need(plan);
        } else if dropped {
            self.miss(plan);
        }
    }

    fn take_reads(&mut self, first: Read) {
        self.take_read(first);
        for _ in 1..MESSAGES_MAX {
            if self.outbox.is_backed_up() {
                break;
            }
            let more = self.reading.as_mut().and_then(|reading| reading.from.try_recv().ok());
            let Some(read) = more else { break };
            self.take_read(read);
        }
        self.outbox.close_block();
    }

    fn tell_state(&mut self) {
        let is_up = self.counters.link.is_up.load(Ordering::Acquire);
        let state = self.reign.state(is_up, self.now_ms());
        if self.counters.set_state(state) {
            self.outbox.wake();
        }
    }

    fn begin_reading(&mut self, client: &Client) {
        let now_ms = self.now_ms();
        let knows_epoch = self.reign.epoch().is_some() && self.read_ms == 0;
        if self.reading.is_some() || (now_ms < self.due_ms && !knows_epoch) {
            return;
        }
        let is_up = self.counters.link.is_up.load(Ordering::Acquire);
        let Some(plan) = self.due.filter(|_| is_up) else { return };
        let plan = self.missed.map_or(plan, |missed| missed.and(plan));
        (self.due, self.missed, self.read_ms) = (None, None, now_ms.max(1));
        self.in_a_row += 1;
        let term = match plan {
            Plan::From(position) => {
                NatsCounters::count(&self.counters.resyncs);
                position.term
            }
            Plan::Fill { .. } => 0,
        };
        let from = history::read(client.clone(), self.following.prefix.clone(), plan);
        self.reading = Some(Reading { plan, from, term });
        self.outbox.waits(true);
    }

    /// Live messages wait for what must come before them.
    fn holds(&self) -> bool {
        self.due.is_some() || self.reading.is_some()
    }
}

async fn next_read(reading: &mut Option<Reading>) -> Read {
    let ended = || Read::Failed("its task has ended".into());
    match reading {
        Some(reading) => reading.from.recv().await.unwrap_or_else(ended),
        None => std::future::pending().await,
    }
}
