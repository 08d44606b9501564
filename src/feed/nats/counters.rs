//! What a feed from NATS counts, and what its two threads tell each other.

use super::connect::Link;
use crate::market::FeedState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use tokio::sync::Notify;

/// Written by the feed's own thread, but where said otherwise; read by anyone.
#[derive(Debug, Default)]
pub struct NatsCounters {
    /// Of the connection.
    pub link: Arc<Link>,
    /// Times that the stream was read again after something was missed.
    pub resyncs: AtomicU64,
    /// Messages that were read from the stream.
    pub history_messages: AtomicU64,
    /// Messages of publishers that had been succeeded.
    pub dropped_by_term: AtomicU64,
    /// Messages of an epoch that was not in force.
    pub dropped_by_epoch: AtomicU64,
    /// Messages without the headers of a publisher, or too long.
    pub strange: AtomicU64,
    /// There is a stream to read from.
    pub(super) has_history: AtomicBool,
    /// A [`FeedState`], if any: what is known of the feed beside its ticks.
    pub(super) state: AtomicU8,
    /// Rung by the ingest thread: trades are missing.
    pub(super) missing: Notify,
}

impl NatsCounters {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there is a stream to read from.
    pub fn has_history(&self) -> bool {
        self.has_history.load(Ordering::Acquire)
    }

    pub(super) fn set_history(&self, is_there: bool) {
        self.has_history.store(is_there, Ordering::Release);
    }

    pub(super) fn set_state(&self, state: Option<FeedState>) -> bool {
        let code = match state {
            None => 0,
            Some(FeedState::Ok) => 1,
            Some(FeedState::Stale) => 2,
            Some(FeedState::Down) => 3,
        };
        self.state.swap(code, Ordering::Release) != code
    }

    pub(super) fn state(&self) -> Option<FeedState> {
        match self.state.load(Ordering::Acquire) {
            0 => None,
            1 => Some(FeedState::Ok),
            2 => Some(FeedState::Stale),
            _ => Some(FeedState::Down),
        }
    }
}
