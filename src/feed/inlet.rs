//! The inlet: the one queue through which ticks reach a shard.

use super::bell::Bell;
use super::outlet::TickQueue;
use crate::market::Tick;
use crossbeam::queue::ArrayQueue;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the ingest thread, which pushes, and one shard, which pops.
#[derive(Debug)]
pub struct Inlet {
    ticks: ArrayQueue<Tick>,
    bell: Bell,
    /// The shard has lost what feeds had defined.
    wants_definitions: AtomicBool,
}

impl Inlet {
    /// `capacity` in ticks, at least 1. Errors: as [`Bell::new`].
    pub fn new(capacity: usize) -> io::Result<Inlet> {
        let (ticks, bell) = (ArrayQueue::new(capacity.max(1)), Bell::new()?);
        Ok(Inlet { ticks, bell, wants_definitions: AtomicBool::new(false) })
    }

    /// Gives the tick back where the queue is full. Does not ring: one ring serves a batch.
    pub fn push(&self, tick: Tick) -> Result<(), Tick> {
        self.ticks.push(tick)
    }

    pub fn pop(&self) -> Option<Tick> {
        self.ticks.pop()
    }

    pub fn len(&self) -> usize {
        self.ticks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty()
    }

    /// Asks the ingest thread for every definition and every feed's state, once more. They come
    /// with its next turn, within a second where no feed has anything to give.
    pub fn ask_definitions(&self) {
        self.wants_definitions.store(true, Ordering::Release);
    }

    pub(super) fn take_wants_definitions(&self) -> bool {
        // The load keeps the line shared in all turns but one.
        self.wants_definitions.load(Ordering::Relaxed)
            && self.wants_definitions.swap(false, Ordering::AcqRel)
    }

    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}

impl TickQueue for Arc<Inlet> {
    fn push(&mut self, tick: Tick) -> Result<(), Tick> {
        Inlet::push(self, tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Feed, FeedState, TickBody};

    #[test]
    fn is_first_in_first_out_and_bounded() {
        let inlet = Inlet::new(2).expect("a descriptor");
        let tick = |last_ns| {
            Tick::new(TickBody::FeedState { feed: Feed(0), state: FeedState::Ok, last_ns })
        };
        assert_eq!(inlet.push(tick(1)), Ok(()));
        assert_eq!(inlet.push(tick(2)), Ok(()));
        assert_eq!(inlet.push(tick(3)), Err(tick(3)));
        assert_eq!((inlet.len(), inlet.pop(), inlet.pop()), (2, Some(tick(1)), Some(tick(2))));
        assert!(inlet.is_empty() && inlet.pop().is_none());
    }
}
