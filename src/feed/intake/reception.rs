//! How publishers come to the ingest thread.

use super::publisher::{Block, Publisher};
use super::replies::{Replies, Report};
use crossbeam::queue::ArrayQueue;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Thread;
use tokio::sync::{mpsc, oneshot};

/// Newcomers on their way to the ingest thread, which is woken for them.
pub struct Reception {
    newcomers: ArrayQueue<Publisher>,
    ingest: OnceLock<Thread>,
    turned_away: AtomicU64,
}

/// The body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many bodies wait for the feed; send it again in a second")]
pub struct Closed;

impl Reception {
    /// With room for so many at once.
    pub fn new(room: usize) -> Reception {
        Reception {
            newcomers: ArrayQueue::new(room),
            ingest: OnceLock::new(),
            turned_away: AtomicU64::new(0),
        }
    }

    /// The lines of a body, to be judged by the ingest thread in turn with those of others. What
    /// is given ends with the report, or with an error where the feed ended before it was made.
    pub fn publish(&self, body: Vec<u8>) -> Result<oneshot::Receiver<Report>, Closed> {
        let (sender, input) = mpsc::channel::<Block>(1);
        sender.try_send(Ok(body)).map_err(|_| Closed)?;
        let (to, report) = oneshot::channel();
        let replies = Replies::to_body(to);
        self.enter(Publisher::new("api".into(), input, replies, None)).map_err(|_| Closed)?;
        Ok(report)
    }

    /// The error gives it back: there is no room.
    pub(super) fn enter(&self, publisher: Publisher) -> Result<(), Box<Publisher>> {
        self.newcomers.push(publisher).map_err(Box::new)?;
        self.wake();
        Ok(())
    }

    /// The thread that takes what comes.
    pub(super) fn wakes(&self, ingest: Thread) {
        self.ingest.get_or_init(|| ingest);
    }

    pub(super) fn wake(&self) {
        if let Some(ingest) = self.ingest.get() {
            ingest.unpark();
        }
    }

    /// Who waits, as far as there is room beside those that are `there`.
    pub(super) fn newcomers(&self, there: usize) -> impl Iterator<Item = Publisher> {
        let room = self.newcomers.capacity().saturating_sub(there);
        std::iter::from_fn(|| self.newcomers.pop()).take(room)
    }

    pub(super) fn turn_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        // It publishes what it counts.
        self.wake();
    }

    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Reception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reception")
            .field("newcomers", &self.newcomers.len())
            .finish_non_exhaustive()
    }
}
