//! Accepting: how many connections are taken from the backlog, and when none are.
//!
//! Where there is room for all that the backlog can bring, one multishot accept takes them. It
//! cannot be limited, so where room is shorter, accepts are armed one by one and counted. Where
//! the lane of refusals is full, or the shard has no descriptor left, none is armed: what waits in
//! the backlog waits there, and nothing spins.

use super::door::Visitor;
use super::gather::Gather;
use super::socket;
use super::turn::Shard;
use crate::hub::Refused;
use crate::limits::SINGLE_ACCEPTS_MAX;
use crate::session::Now;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

/// How long accepting pauses after the system was out of descriptors or memory.
const PAUSE_MS: u64 = 100;

/// Clients that are told in a row with the help of the spare descriptor, before a pause. So many
/// in 100 ms are no load, and empty a full backlog within half a minute.
const SPARE_ANSWERS_MAX: u32 = 16;

/// What a shard accepts from.
#[derive(Debug, Clone)]
pub(super) struct Listening {
    /// One of its own, but where the listeners were passed to the process and are not as many as
    /// the shards: then several, or none.
    pub listeners: Vec<RawFd>,
    /// Connections that one entry into the kernel can bring by a multishot accept of each.
    pub backlog: usize,
    /// The shards' parts of the listeners are not equal: connections are passed on as they come.
    pub shares_out: bool,
}

/// The state of accepting.
#[derive(Debug)]
pub(super) struct Acceptor {
    gates: Vec<Gate>,
    /// Of all gates.
    backlog: usize,
    shares_out: bool,
    paused_until_ms: Option<u64>,
    gather: Gather,
    /// The server stops.
    ended: bool,
    /// Held to be given up: where no descriptor is left, it is what a client is told with.
    spare: Option<OwnedFd>,
    spare_answers_left: u32,
}

/// A listener, and what is armed on it.
#[derive(Debug)]
struct Gate {
    listener: RawFd,
    multishot: Multishot,
    /// Accepts that are armed one by one.
    singles: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Multishot {
    Off,
    Armed,
    /// Until its last completion.
    Cancelled,
}

impl Acceptor {
    pub fn new(listening: Listening) -> Acceptor {
        let Listening { listeners, backlog, shares_out } = listening;
        let gate = |listener| Gate { listener, multishot: Multishot::Off, singles: 0 };
        Acceptor {
            backlog: backlog * listeners.len(),
            gates: listeners.into_iter().map(gate).collect(),
            shares_out,
            paused_until_ms: None,
            gather: Gather::default(),
            ended: false,
            spare: spare(),
            spare_answers_left: SPARE_ANSWERS_MAX,
        }
    }

    /// What it was made with.
    pub fn listening(&self) -> Listening {
        Listening {
            listeners: self.gates.iter().map(|gate| gate.listener).collect(),
            backlog: self.backlog / self.gates.len().max(1),
            shares_out: self.shares_out,
        }
    }

    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub fn next_ms(&self) -> Option<u64> {
        self.paused_until_ms.into_iter().chain(self.gather.next_ms()).min()
    }

    pub fn note_refusal(&mut self, now_ms: u64) {
        self.gather.note(now_ms);
    }

    fn gate(&mut self, listener: RawFd) -> &mut Gate {
        let gate = self.gates.iter_mut().find(|gate| gate.listener == listener);
        gate.expect("the ring tells of listeners that it was given here")
    }

    /// Accepts that are armed one by one.
    fn singles(&self) -> usize {
        self.gates.iter().map(|gate| gate.singles).sum()
    }

    /// Accepts to be armed one by one.
    fn singles_wanted(&self, listener: RawFd, is_closed: bool) -> usize {
        match (&self.spare, is_closed) {
            (None, _) => 1,
            (Some(_), false) => SINGLE_ACCEPTS_MAX,
            // As many as complete at once, or one that wakes the shard: each of those that stayed
            // armed would wake it for one client.
            (Some(_), true) => {
                // SAFETY: the listener belongs to the process and outlives its shards.
                let listener = unsafe { BorrowedFd::borrow_raw(listener) };
                socket::backlog_length(listener).clamp(1, SINGLE_ACCEPTS_MAX)
            }
        }
    }

    /// Whether a descriptor is there, or can be had again.
    fn has_spare(&mut self) -> bool {
        if self.spare.is_none() {
            self.spare = spare();
        }
        if self.spare.is_some() {
            self.spare_answers_left = SPARE_ANSWERS_MAX;
        }
        self.spare.is_some()
    }
}

/// Any descriptor: it is never read.
fn spare() -> Option<OwnedFd> {
    File::open("/dev/null").ok().map(OwnedFd::from)
}

impl Shard {
    /// Arms as many accepts as there is room for. Once a turn.
    pub(super) fn keep_accepting(&mut self, now: Now) {
        if self.acceptor.paused_until_ms.is_some_and(|until_ms| until_ms <= now.ms) {
            self.acceptor.paused_until_ms = None;
            self.acceptor.spare_answers_left = SPARE_ANSWERS_MAX;
        }
        let is_waiting = self.acceptor.gather.is_waiting(now.ms);
        if self.acceptor.ended || self.acceptor.paused_until_ms.is_some() || is_waiting {
            return;
        }
        if self.descriptors_left() == 0 {
            self.parting.close_all(); // their descriptors are wanted
        }
        let (descriptors, refusals) = (self.descriptors_left(), self.refusals_left());
        let room = match self.hub.admission().is_near_rate(now.ms) {
            true => 0,
            false => descriptors.min(self.hub.room()),
        };
        for at in 0..self.acceptor.gates.len() {
            self.keep_gate(at, room, descriptors.min(refusals));
        }
    }

    /// One listener's part: `singles_max` is for all of them.
    fn keep_gate(&mut self, at: usize, room: usize, singles_max: usize) {
        let acceptor = &mut self.acceptor;
        let (listener, singles) = (acceptor.gates[at].listener, acceptor.gates[at].singles);
        match acceptor.gates[at].multishot {
            // An eighth more, so that it does not change with each session at the edge.
            Multishot::Off
                if room >= acceptor.backlog + acceptor.backlog / 8 && acceptor.spare.is_some() =>
            {
                acceptor.gates[at].multishot = Multishot::Armed;
                self.ring.accept(listener);
            }
            Multishot::Off => {
                if singles > 0 && room == 0 {
                    return; // one that waits is enough
                }
                let wanted = acceptor.singles_wanted(listener, room == 0);
                // Each has its part of them, or one that is flooded would close the others.
                let most = singles_max.div_ceil(acceptor.gates.len());
                for _ in singles..most.min(wanted) {
                    acceptor.gates[at].singles += 1;
                    self.ring.accept_one(listener);
                }
            }
            Multishot::Armed if room < acceptor.backlog => {
                acceptor.gates[at].multishot = Multishot::Cancelled;
                self.ring.cancel_accept_of(listener);
            }
            Multishot::Armed | Multishot::Cancelled => {}
        }
    }

    pub(super) fn end_accepting(&mut self) {
        self.ring.cancel_accept();
        self.acceptor.ended = true;
    }

    /// The multishot accept, or one of the single ones, came to something.
    pub(super) fn accept_completed(&mut self, result: Result<OwnedFd, i32>, now: Now) {
        match result {
            Ok(fd) => self.accepted(fd, now),
            Err(errno) => self.accept_failed(errno, now),
        }
    }

    pub(super) fn single_over(&mut self, listener: RawFd) {
        self.acceptor.gate(listener).singles -= 1;
    }

    pub(super) fn multishot_over(&mut self, listener: RawFd) {
        self.acceptor.gate(listener).multishot = Multishot::Off;
    }

    /// Sockets that other shards had no room for.
    pub(super) fn take_handed(&mut self, now: Now) {
        while let Some(visitor) = self.doors.take() {
            self.tally.handed_in += 1;
            match self.acceptor.ended {
                true => self.refuse(visitor.fd, Refused::Restart, now),
                false => self.admit(visitor, now),
            }
        }
    }

    fn accepted(&mut self, fd: OwnedFd, now: Now) {
        if self.acceptor.ended {
            return self.refuse(fd, Refused::Restart, now);
        }
        if self.acceptor.has_spare() {
            let shared_out = match self.acceptor.shares_out {
                true => self.doors.share_out(fd, self.hub.room() as u64),
                false => Err(fd),
            };
            return match shared_out {
                Ok(()) => self.tally.handed_on += 1,
                Err(fd) => self.admit(Visitor::new(fd), now),
            };
        }
        // This connection has the descriptor that was given up for it: it is told, and closed.
        self.refuse(fd, Refused::DescriptorsOut, now);
        self.acceptor.spare_answers_left = self.acceptor.spare_answers_left.saturating_sub(1);
        if self.acceptor.spare_answers_left == 0 {
            self.acceptor.paused_until_ms = Some(now.ms + PAUSE_MS);
        }
    }

    /// Makes a session of a connection, or passes it on, or refuses it.
    fn admit(&mut self, visitor: Visitor, now: Now) {
        let refused = match self.hub.closed_to_all() {
            Some(refused) => refused,
            None => {
                let Some(peer) = socket::peer_address(visitor.fd.as_fd()) else { return };
                match self.hub.judge(peer.ip(), now) {
                    Ok(()) => return self.open(visitor.fd, peer, now),
                    Err(refused) => refused,
                }
            }
        };
        let is_local = matches!(refused, Refused::SessionsFull | Refused::AddressFull);
        if !is_local {
            return self.refuse(visitor.fd, refused, now);
        }
        match self.doors.hand_on(visitor) {
            Ok(()) => self.tally.handed_on += 1,
            Err(fd) => self.refuse(fd, refused, now),
        }
    }

    /// The backlog keeps what could not be accepted, so an accept armed at once would fail at once.
    fn accept_failed(&mut self, errno: i32, now: Now) {
        /// The connection's own end (accept(2)), or the end of a cancelled accept.
        const HARMLESS: [i32; 4] = [libc::ECONNABORTED, libc::EPROTO, libc::EINTR, libc::ECANCELED];
        if HARMLESS.contains(&errno) {
            return;
        }
        self.tally.accepts_failed += 1;
        let is_out = matches!(errno, libc::EMFILE | libc::ENFILE);
        if is_out && self.acceptor.spare.take().is_some() {
            self.log_out_of_descriptors(errno, now);
            return; // the next one is accepted with what was just given up
        }
        self.log_pause(errno, now);
        self.acceptor.paused_until_ms = Some(now.ms + PAUSE_MS);
    }

    /// Descriptors that are left of this shard's share.
    fn descriptors_left(&self) -> usize {
        let max = self.hub.admission().limits().descriptors_max;
        max.saturating_sub(self.descriptors_used() + self.acceptor.singles())
    }

    fn refusals_left(&self) -> usize {
        self.hub.admission().limits().refusals_max.saturating_sub(self.lane.len())
    }

    /// Descriptors of clients: sessions and those of a shard before this one, refusals, and what
    /// was handed to this shard.
    pub(super) fn descriptors_used(&self) -> usize {
        self.hub.sessions() + self.parting.len() + self.lane.len() + self.doors.waiting()
    }
}
