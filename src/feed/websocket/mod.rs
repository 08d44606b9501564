//! An upstream over WebSocket as a feed: what speaks Alpaca's v2 dialect, and so another Tapecast.
//!
//! A thread of its own dials, speaks and waits ([`caller`]); the ingest thread takes feed lines
//! from it through a bounded channel. Where the upstream is a Tapecast, its numbers and its epoch
//! are ours too, and a connection goes on where the one before it ended. Must not know the ingest
//! thread's tables nor what clients are told. Dialling is `subscribe`'s too.

mod backoff;
mod caller;
mod conversation;
mod credentials;
mod dial;
mod tls;

pub use backoff::{Backoff, RetryHint};
pub use caller::MEMORY_BYTES;
pub use credentials::{CredentialsError, CredentialsSource, KeySource};
pub use dial::{Connection, DialError, Dialer};
pub use tls::TlsError;

use super::log_limit::LogLimit;
use super::source::{Next, Sink, Source};
use super::spec::{FeedOpenError, WebsocketSpec};
use crate::market::Record;
use caller::{Arrival, Call, CallCounters};
use crossbeam::channel::{Receiver, TryRecvError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

/// The feed. Live: what it does not take in time, the upstream merges or announces as lost.
pub struct Websocket {
    call: Box<Call>,
    state: State,
    counters: Arc<CallCounters>,
    /// Lines that came, and how much of them was given.
    lines: Vec<u8>,
    used: usize,
    epoch: Option<String>,
    /// It holds from the next poll on.
    next_epoch: Option<String>,
    bad_count: u64,
    warnings: LogLimit,
}

enum State {
    /// The thread starts with the next poll, which tells it the thread to wake.
    Idle,
    Calling {
        arrivals: Receiver<Arrival>,
        _caller: caller::Handle,
    },
}

impl Websocket {
    /// Opens nothing that is far, but sees that files can be read.
    pub fn new(spec: &WebsocketSpec) -> Result<Websocket, FeedOpenError> {
        let call = Call::new(spec)?;
        Ok(Websocket {
            counters: Arc::clone(call.counters()),
            call: Box::new(call),
            state: State::Idle,
            lines: Vec::new(),
            used: 0,
            epoch: None,
            next_epoch: None,
            bad_count: 0,
            warnings: LogLimit::default(),
        })
    }

    /// Gives the next line's record. False: no line is left.
    fn give(&mut self, now_ns: i64, sink: &mut Sink<'_>) -> bool {
        let rest = &self.lines[self.used..];
        if rest.is_empty() {
            return false;
        }
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.used = (self.used + end + 1).min(self.lines.len());
        match Record::parse(&rest[..end]) {
            Ok(record) => {
                // Who takes them counts what it refuses.
                let _ = sink(record);
            }
            Err(reason) => {
                self.bad_count += 1;
                if let Some(suppressed) = self.warnings.admit(now_ns) {
                    tracing::warn!(feed = "websocket", suppressed, "bad item skipped: {reason}");
                }
            }
        }
        true
    }

    /// Takes what the thread has sent; `Some` where that ends the poll.
    fn receive(&mut self, has_given: bool) -> Option<Next> {
        let State::Calling { arrivals, .. } = &self.state else { return self.start() };
        match arrivals.try_recv() {
            Ok(Arrival::Lines(lines)) => (self.lines, self.used) = (lines, 0),
            Ok(Arrival::Epoch(epoch)) if has_given => {
                self.next_epoch = Some(epoch);
                return Some(Next::More);
            }
            Ok(Arrival::Epoch(epoch)) => {
                self.epoch = Some(epoch);
                return Some(Next::More);
            }
            Err(TryRecvError::Empty) => return Some(Next::Wake),
            // It ends by itself only in a panic. Who opens the feed again begins another, as at the
            // start: what comes twice is dropped by its numbers.
            Err(TryRecvError::Disconnected) => {
                self.state = State::Idle;
                return Some(Next::Failed("websocket: its thread has ended".to_string()));
            }
        }
        None
    }

    fn start(&mut self) -> Option<Next> {
        match Call::clone(&self.call).begin(thread::current()) {
            Ok((caller, arrivals)) => self.state = State::Calling { arrivals, _caller: caller },
            Err(why) => return Some(Next::Failed(format!("websocket: no thread to dial: {why}"))),
        }
        None
    }
}

impl Source for Websocket {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        if let Some(epoch) = self.next_epoch.take() {
            self.epoch = Some(epoch);
            return Next::More;
        }
        let mut has_given = false;
        for _ in 0..budget {
            if self.give(now_ns, sink) {
                has_given = true;
            } else if let Some(next) = self.receive(has_given) {
                return next;
            }
        }
        Next::More
    }

    fn is_live(&self) -> bool {
        true
    }

    fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// What it died of was one line, which it does not give again, and the thread goes on; or it
    /// was the thread, and the next poll begins another.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        Some(Ok(()))
    }

    fn enable_faults(&mut self) {
        self.call.takes_faults = true;
    }

    fn bad_lines_count(&self) -> u64 {
        self.bad_count + self.counters.bad_items.load(Ordering::Relaxed)
    }

    fn reconnects_count(&self) -> u64 {
        self.counters.reconnects.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
