//! How a full shard passes an accepted socket on: the other shards' doors.

use super::ShardCounters;
use crate::feed::Inlet;
use crate::limits::HANDED_MAX;
use crossbeam::queue::ArrayQueue;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// One shard, as the others see it.
#[derive(Debug)]
pub struct Door {
    handed: ArrayQueue<OwnedFd>,
    /// For its bell.
    pub(super) inlet: Arc<Inlet>,
    counters: Arc<ShardCounters>,
}

impl Door {
    pub fn new(inlet: Arc<Inlet>, counters: Arc<ShardCounters>) -> Door {
        Door { handed: ArrayQueue::new(HANDED_MAX), inlet, counters }
    }

    /// Sessions that the shard can take, as it last said, less those on their way to it.
    fn room(&self) -> u64 {
        self.counters.room().saturating_sub(self.handed.len() as u64)
    }
}

/// All doors, and which one is this shard's own.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    pub own: usize,
    pub all: Arc<[Door]>,
}

impl Doors {
    /// Hands a socket to the least loaded of the other shards; back, where none has room.
    pub fn hand_on(&self, fd: OwnedFd) -> Result<(), OwnedFd> {
        let others = self.all.iter().enumerate().filter(|(index, _)| *index != self.own);
        let best = others.map(|(_, door)| door).max_by_key(|door| door.room());
        let Some(door) = best.filter(|door| door.room() > 0) else { return Err(fd) };
        door.handed.push(fd)?;
        door.inlet.bell().ring();
        Ok(())
    }

    /// The next socket that another shard has handed to this one.
    pub fn take(&self) -> Option<OwnedFd> {
        self.all[self.own].handed.pop()
    }

    /// Sockets that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.all[self.own].handed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(rooms: &[u64]) -> Arc<[Door]> {
        let door = |room: &u64| {
            let counters = Arc::new(ShardCounters::default());
            counters.set_room(*room);
            Door::new(Arc::new(Inlet::new(1).expect("a descriptor")), counters)
        };
        rooms.iter().map(door).collect()
    }

    #[test]
    fn the_least_loaded_other_shard_gets_the_socket_while_it_has_room() {
        let all = doors(&[100, 1, 3]);
        let from_first = Doors { own: 0, all: all.clone() };
        let mut kept = 0;
        for _ in 0..6 {
            let fd = std::fs::File::open("/dev/null").expect("a descriptor").into();
            kept += usize::from(from_first.hand_on(fd).is_err());
        }
        let waiting = |own| Doors { own, all: all.clone() }.waiting();
        assert_eq!(([0, 1, 2].map(waiting), kept), ([0, 1, 3], 2));
        let third = Doors { own: 2, all: all.clone() };
        assert!(third.take().is_some());
        assert_eq!(third.waiting(), 2);
    }
}
