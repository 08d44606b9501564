//! The thread that holds the connection: dials, speaks, listens for silence, and dials again.

use super::backoff::Backoff;
use super::conversation::{Conversation, Ending, Outcome, Upstream};
use super::credentials::CredentialsSource;
use super::dial::{Connection, Dialer};
use crate::feed::spec::{FeedOpenError, WebsocketSpec};
use crate::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::panics;
use crate::wire::client::Received;
use crossbeam::channel::{self, Receiver, Sender};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Messages between the thread and the ingest thread, of at most `CLIENT_MESSAGE_BYTES_MAX` each;
/// a Tapecast's have 32 KiB. A full channel stops the reading, and so the upstream's sending.
const ARRIVALS_MAX: usize = 16;

/// What the feed may hold: these, one that is being read, one that is being taken apart, and the
/// one of which the ingest thread takes lines.
pub const MEMORY_BYTES: usize = (ARRIVALS_MAX + 3) * CLIENT_MESSAGE_BYTES_MAX;

/// A read sleeps no longer than this, nor than a quarter of what counts as silence.
const READ_SLEEP_MAX: Duration = Duration::from_millis(100);

/// What the thread gives to the feed.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// From here on numbers count in this epoch.
    Epoch(String),
    /// Feed lines.
    Lines(Vec<u8>),
}

/// Written by the thread, read by the feed.
#[derive(Debug, Default)]
pub struct CallCounters {
    /// Connections but the first.
    pub reconnects: AtomicU64,
    pub bad_items: AtomicU64,
}

/// All that the thread needs.
#[derive(Debug, Clone)]
pub struct Call {
    dialer: Dialer,
    spec: WebsocketSpec,
    credentials: Option<CredentialsSource>,
    counters: Arc<CallCounters>,
    /// The upstream may ask for a panic.
    pub takes_faults: bool,
}

/// Ends the thread when it is dropped, within [`READ_SLEEP_MAX`] but where it dials.
#[derive(Debug)]
pub struct Handle {
    stop: Arc<AtomicBool>,
    thread: Thread,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Call {
    /// Reads every file once, so that what is missing is told before the server starts.
    pub fn new(spec: &WebsocketSpec) -> Result<Call, FeedOpenError> {
        let read_sleep = Duration::from_millis(spec.stale_ms / 4).min(READ_SLEEP_MAX);
        let dialer = Dialer::new(spec.endpoint.clone(), spec.ca_file.as_deref(), read_sleep)?;
        let usual = || CredentialsSource::usual_of(&spec.endpoint.host);
        let credentials = spec.credentials.clone().or_else(usual);
        if let Some(source) = &credentials {
            source.read()?;
        }
        let (spec, counters) = (spec.clone(), Arc::default());
        Ok(Call { dialer, spec, credentials, counters, takes_faults: false })
    }

    pub fn counters(&self) -> &Arc<CallCounters> {
        &self.counters
    }

    #[cfg(test)]
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Starts the thread, which unparks `ingest` for each arrival. Where it panics, that is logged,
    /// and the channel has no sender any more.
    pub fn begin(self, ingest: Thread) -> io::Result<(Handle, Receiver<Arrival>)> {
        let (sender, receiver) = channel::bounded(ARRIVALS_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let WebsocketSpec { symbols, channels, stale_ms, .. } = self.spec;
        let mut upstream = Upstream::new(symbols, channels, stale_ms / 4);
        upstream.takes_faults = self.takes_faults;
        let (whom, waiting) = (self.dialer.endpoint().authority(), ingest.clone());
        let caller = Caller {
            dialer: self.dialer,
            credentials: self.credentials,
            counters: self.counters,
            upstream,
            stale: Duration::from_millis(stale_ms),
            stop: Arc::clone(&stop),
            arrivals: sender,
            ingest,
            opened_count: 0,
        };
        let builder = thread::Builder::new().name("feed-websocket".into());
        let run = move || {
            if let Err(caught) = panics::catch(|| caller.run()) {
                panics::report(&format!("the thread of websocket {whom} ends"), None, caught);
                waiting.unpark();
            }
        };
        let thread = builder.spawn(run)?.thread().clone();
        Ok((Handle { stop, thread }, receiver))
    }
}

struct Caller {
    dialer: Dialer,
    credentials: Option<CredentialsSource>,
    counters: Arc<CallCounters>,
    upstream: Upstream,
    stale: Duration,
    stop: Arc<AtomicBool>,
    arrivals: Sender<Arrival>,
    ingest: Thread,
    opened_count: u64,
}

/// The feed is gone, and the thread with it.
struct Gone;

impl Caller {
    fn run(mut self) {
        let mut backoff = Backoff::new(fastrand::Rng::new());
        while !self.is_over() {
            let (ending, has_flowed) = match self.connect() {
                Ok(ended) => ended,
                Err(Gone) => return,
            };
            if has_flowed {
                backoff.data_flowed();
            }
            let Ending { why, hint, is_refusal } = ending;
            let wait = backoff.wait(hint);
            let (whom, wait_ms) = (self.dialer.endpoint().authority(), wait.as_millis());
            if is_refusal {
                tracing::error!(feed = "websocket", "{whom}: {why}; next try in {wait_ms} ms");
            } else {
                tracing::warn!(feed = "websocket", "{whom}: {why}; next try in {wait_ms} ms");
            }
            self.rest(wait);
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn rest(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while !self.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    /// One connection to its end; says whether market items came on it.
    fn connect(&mut self) -> Result<(Ending, bool), Gone> {
        let credentials = match self.credentials.as_ref().map(CredentialsSource::read).transpose() {
            Ok(credentials) => credentials,
            Err(error) => return Ok((Ending::refused(error.to_string()), false)),
        };
        let connection = match self.dialer.dial() {
            Ok(connection) => connection,
            Err(error) if error.is_final() => {
                return Ok((Ending::refused(error.to_string()), false));
            }
            Err(error) => return Ok((Ending::lost(error.to_string(), error.hint()), false)),
        };
        if self.opened_count > 0 {
            self.counters.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.opened_count += 1;
        tracing::info!(feed = "websocket", "connected to {}", self.dialer.endpoint().authority());
        let mut exchange = Exchange {
            conversation: Conversation::new(&mut self.upstream, credentials),
            connection,
            counters: &self.counters,
            arrivals: &self.arrivals,
            ingest: &self.ingest,
        };
        let ending = exchange.follow(self.stale, &self.stop)?;
        Ok((ending, exchange.conversation.has_flowed))
    }
}

/// A connection, what is said on it, and where that goes.
struct Exchange<'a> {
    conversation: Conversation<'a>,
    connection: Connection,
    counters: &'a CallCounters,
    arrivals: &'a Sender<Arrival>,
    ingest: &'a Thread,
}

impl Exchange<'_> {
    fn follow(&mut self, stale: Duration, stop: &AtomicBool) -> Result<Ending, Gone> {
        let (mut heard, mut is_pinged) = (Instant::now(), false);
        while !stop.load(Ordering::Acquire) {
            let ending = match self.connection.read() {
                Ok(Received::Nothing) => None,
                Ok(Received::Other) => {
                    (heard, is_pinged) = (Instant::now(), false);
                    None
                }
                Ok(Received::Text(text)) => {
                    let ending = self.message(&text)?;
                    // After the message: what a full channel took of the time is not silence.
                    (heard, is_pinged) = (Instant::now(), false);
                    ending
                }
                Ok(Received::Closed { code, reason }) => {
                    return Ok(self.conversation.closed(code, &reason));
                }
                Err(error) => Some(self.lost(error.to_string())),
            };
            let ending = ending.or_else(|| self.silence(heard.elapsed(), stale, &mut is_pinged));
            if let Some(ending) = ending {
                // A courtesy: whether it arrives changes nothing.
                let _ = self.connection.close();
                return Ok(ending);
            }
        }
        let _ = self.connection.close();
        Err(Gone)
    }

    fn message(&mut self, text: &str) -> Result<Option<Ending>, Gone> {
        let bad_before = self.conversation.bad_items_count;
        let outcomes = match self.conversation.take(text) {
            Ok(outcomes) => outcomes,
            Err(ending) => return Ok(Some(ending)),
        };
        let bad = self.conversation.bad_items_count - bad_before;
        self.counters.bad_items.fetch_add(bad, Ordering::Relaxed);
        let mut has_arrived = false;
        for outcome in outcomes {
            let arrival = match outcome {
                Outcome::Command(command) => {
                    if let Err(error) = self.connection.send(&command) {
                        return Ok(Some(self.lost(error.to_string())));
                    }
                    continue;
                }
                Outcome::Note(note) => {
                    tracing::info!(feed = "websocket", "upstream: {note}");
                    continue;
                }
                Outcome::Epoch(epoch) => Arrival::Epoch(epoch),
                Outcome::Lines(lines) => Arrival::Lines(lines),
            };
            self.arrivals.send(arrival).map_err(|_| Gone)?;
            has_arrived = true;
        }
        if has_arrived {
            self.ingest.unpark();
        }
        Ok(None)
    }

    /// A peer that is silent for half of the time is asked whether it is there: at night a market
    /// is silent too, and TCP alone notices a vanished peer after minutes.
    fn silence(
        &mut self,
        silent: Duration,
        stale: Duration,
        is_pinged: &mut bool,
    ) -> Option<Ending> {
        if silent >= stale {
            return Some(self.lost(format!("nothing came for {} ms", stale.as_millis())));
        }
        if silent < stale / 2 || *is_pinged {
            return None;
        }
        *is_pinged = true;
        self.connection.ping().err().map(|error| self.lost(error.to_string()))
    }

    fn lost(&self, why: String) -> Ending {
        Ending::lost(why, self.conversation.shutdown_hint())
    }
}
