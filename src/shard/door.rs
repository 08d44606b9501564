//! How a full shard passes an accepted socket on: the other shards' doors.

use super::ShardCounters;
use crate::feed::Inlet;
use crate::limits::HANDED_MAX;
use crossbeam::queue::ArrayQueue;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How often one socket is handed on at most. What a shard says of its room may be a turn old, so
/// that the first one may be full by then; more would make one refusal the work of many shards.
const HANDS_MAX: u32 = 3;

/// An accepted socket, and which shards have had it, as bits of their indices (modulo 64: beyond
/// that some are passed over).
#[derive(Debug)]
pub(super) struct Visitor {
    pub fd: OwnedFd,
    visited: u64,
}

impl Visitor {
    pub fn new(fd: OwnedFd) -> Visitor {
        Visitor { fd, visited: 0 }
    }
}

/// One shard, as the others see it.
#[derive(Debug)]
pub struct Door {
    handed: ArrayQueue<Visitor>,
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
    /// Hands a socket to the least loaded of the shards that have not had it; back, where none of
    /// them has room.
    pub fn hand_on(&self, visitor: Visitor) -> Result<(), OwnedFd> {
        let Visitor { fd, visited } = visitor;
        let visited = visited | bit(self.own);
        let others = self.all.iter().enumerate().filter(|(index, _)| visited & bit(*index) == 0);
        let best = others.map(|(_, door)| (door.room(), door)).max_by_key(|(room, _)| *room);
        let Some((1.., door)) = best.filter(|_| visited.count_ones() <= HANDS_MAX) else {
            return Err(fd);
        };
        door.handed.push(Visitor { fd, visited }).map_err(|visitor| visitor.fd)?;
        door.inlet.bell().ring();
        Ok(())
    }

    /// Hands a socket that no shard has had yet to one that has more room than this one, with
    /// `room`; back, where none has.
    pub fn share_out(&self, fd: OwnedFd, room: u64) -> Result<(), OwnedFd> {
        let others = self.all.iter().enumerate().filter(|(index, _)| *index != self.own);
        match others.map(|(_, door)| door.room()).max() {
            Some(best) if best > room => self.hand_on(Visitor::new(fd)),
            _ => Err(fd),
        }
    }

    /// The next socket that another shard has handed to this one.
    pub fn take(&self) -> Option<Visitor> {
        self.all[self.own].handed.pop()
    }

    /// Sockets that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.all[self.own].handed.len()
    }
}

fn bit(shard: usize) -> u64 {
    1 << (shard % 64)
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
    fn a_shard_that_accepts_for_others_keeps_what_would_make_them_fuller_than_itself() {
        let all = doors(&[0, 6, 4]);
        let first = Doors { own: 0, all: all.clone() };
        let (mut room, mut kept) = (6, 0);
        for _ in 0..16 {
            if first.share_out(visitor().fd, room).is_err() {
                (room, kept) = (room - 1, kept + 1);
            }
        }
        let waiting = |own| Doors { own, all: all.clone() }.waiting();
        assert_eq!((kept, waiting(1), waiting(2), room), (6, 6, 4, 0));
    }

    fn visitor() -> Visitor {
        Visitor::new(std::fs::File::open("/dev/null").expect("a descriptor").into())
    }

    #[test]
    fn the_least_loaded_other_shard_gets_the_socket_while_it_has_room() {
        let all = doors(&[100, 1, 3]);
        let from_first = Doors { own: 0, all: all.clone() };
        let mut kept = 0;
        for _ in 0..6 {
            kept += usize::from(from_first.hand_on(visitor()).is_err());
        }
        let waiting = |own| Doors { own, all: all.clone() }.waiting();
        assert_eq!(([0, 1, 2].map(waiting), kept), ([0, 1, 3], 2));
        let third = Doors { own: 2, all: all.clone() };
        assert!(third.take().is_some());
        assert_eq!(third.waiting(), 2);
    }

    #[test]
    fn a_socket_comes_to_no_shard_twice_and_to_few() {
        let all = doors(&[9; 6]);
        let (mut doors, mut seen) = (Doors { own: 0, all: all.clone() }, vec![0]);
        let mut socket = visitor();
        while doors.hand_on(socket).is_ok() {
            let own = (0..6).find(|own| all[*own].handed.len() == 1).expect("it is somewhere");
            socket = all[own].handed.pop().expect("just seen");
            doors.own = own;
            seen.push(own);
        }
        assert_eq!(seen.len(), 1 + HANDS_MAX as usize);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1 + HANDS_MAX as usize, "each once");
    }
}
