//! A shard's turn: completions → messages → ticks → flush → timers, each step bounded.

use super::connections::Connections;
use super::counters::ShardCounters;
use super::mailbox::{Mailbox, Message};
use super::{Completion, End, SendNow, SocketRing, Token, clock, socket};
use crate::feed::Inlet;
use crate::hub::{Effect, Hub};
use crate::session::{CloseReason, Now};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Completions dispatched at a stretch: at some 2 us each, a millisecond.
const COMPLETIONS_MAX: usize = 512;

/// Ticks taken in a turn. What is flushed to a client in one turn should fit its socket's buffer
/// (512 lines are some 50 KB), or every client of a fast feed would fall behind in every turn.
const TICKS_MAX: usize = 512;

/// Batches sent in a turn, of 256 sends each; the rest of a flush goes on in the next turn.
const BATCHES_MAX: usize = 128;

/// How long accepting pauses after the system was out of descriptors or memory.
const ACCEPT_PAUSE_MS: u64 = 100;

/// What a shard is made of. Everything in it is this thread's alone, but the inlet, the mailbox
/// and the counters.
pub(super) struct Shard {
    hub: Hub,
    ring: SocketRing,
    connections: Connections,
    listener: RawFd,
    inlet: Arc<Inlet>,
    mailbox: Arc<Mailbox>,
    counters: Arc<ShardCounters>,
    sessions_max: usize,
    /// Correlation ids: the n-th is the hash of n under a key that was random at start.
    ids: (RandomState, u64),
    /// Receives that ended for want of buffers, to be armed when all buffers are back.
    unarmed: Vec<Token>,
    accepting: Accepting,
    /// When what is left after a drain is cut.
    drained_at_ms: Option<u64>,
    completions: Vec<Completion>,
    sends: Vec<SendNow>,
    results: Vec<i32>,
}

/// The state of the multishot accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepting {
    Armed,
    /// The system was out of something; armed again at this time.
    Paused(u64),
    /// The server stops.
    Ended,
}

/// What a shard needs to begin.
pub(super) struct Parts {
    pub hub: Hub,
    pub ring: SocketRing,
    pub listener: RawFd,
    pub inlet: Arc<Inlet>,
    pub mailbox: Arc<Mailbox>,
    pub counters: Arc<ShardCounters>,
    pub sessions_max: usize,
}

impl Shard {
    pub fn new(parts: Parts) -> Shard {
        let Parts { hub, mut ring, listener, inlet, mailbox, counters, sessions_max } = parts;
        ring.accept(listener);
        Shard {
            hub,
            ring,
            connections: Connections::default(),
            listener,
            inlet,
            mailbox,
            counters,
            sessions_max,
            ids: (RandomState::new(), 0),
            unarmed: Vec::new(),
            accepting: Accepting::Armed,
            drained_at_ms: None,
            completions: Vec::new(),
            sends: Vec::new(),
            results: Vec::new(),
        }
    }

    /// One turn; says whether there is more to do at once.
    pub fn turn(&mut self) -> bool {
        let now = clock::now();
        let mut busy = self.complete(now);
        self.read_mail(now);
        for _ in 0..TICKS_MAX {
            if self.hub.is_full() {
                break;
            }
            let Some(tick) = self.inlet.pop() else { break };
            self.hub.tick(&tick);
        }
        let mut batches = 0;
        while batches < BATCHES_MAX && self.hub.next_batch(now) {
            self.send_batch(now);
            busy |= self.complete(now);
            batches += 1;
        }
        self.hub.timers(now);
        self.take_effects();
        if let Accepting::Paused(until_ms) = self.accepting
            && until_ms <= now.ms
        {
            self.accepting = Accepting::Armed;
            self.ring.accept(self.listener);
        }
        self.counters.publish(&self.hub);
        busy || self.has_mail() || self.hub.has_work(now)
    }

    /// Whether others have put something into this shard's queues.
    pub fn has_mail(&self) -> bool {
        !self.inlet.is_empty() || !self.mailbox.is_empty()
    }

    /// Arms the ring for the next deadline and submits; says whether completions wait already.
    pub fn prepare_sleep(&mut self) -> bool {
        let paused = match self.accepting {
            Accepting::Paused(until_ms) => Some(until_ms),
            _ => None,
        };
        let next = self.hub.next_ms().into_iter().chain(paused).chain(self.drained_at_ms).min();
        if let Some(at_ms) = next {
            self.ring.timeout_at(at_ms * 1_000_000);
        }
        self.ring.collect(0, &mut self.completions)
    }

    /// After a drain: every session is gone, or the time is over.
    pub fn is_done(&self) -> bool {
        let over = self.drained_at_ms.is_some_and(|at_ms| at_ms <= clock::now().ms);
        over || (self.drained_at_ms.is_some() && self.hub.sessions() == 0)
    }

    fn complete(&mut self, now: Now) -> bool {
        let mut completions = std::mem::take(&mut self.completions);
        let more = self.ring.collect(COMPLETIONS_MAX, &mut completions);
        for completion in completions.drain(..) {
            self.dispatch(completion, now);
        }
        self.completions = completions;
        for token in std::mem::take(&mut self.unarmed) {
            self.arm_receive(token);
        }
        self.take_effects();
        more
    }

    fn dispatch(&mut self, completion: Completion, now: Now) {
        match completion {
            Completion::Accepted { fd, more } => {
                self.accept_again(more);
                self.accepted(fd, now);
            }
            Completion::AcceptFailed { errno, more } => self.accept_failed(errno, more, now),
            Completion::AcceptEnded | Completion::Timeout => {}
            Completion::Received { token, buffer, more } => {
                let known = self.connections.find(token).map(|c| {
                    c.receiving = more;
                    c.dropping.is_some()
                });
                if known == Some(false) {
                    let (hub, ring) = (&mut self.hub, &self.ring);
                    let bytes = ring.buffer(&buffer);
                    let received = AssertUnwindSafe(|| hub.receive(token.slot, bytes, now));
                    if catch_unwind(received).is_err() {
                        self.hub.end(token.slot, CloseReason::Internal, now);
                    }
                }
                self.ring.give_back(buffer);
                if !more {
                    self.unarmed.push(token);
                }
                self.close_if_done(token);
            }
            Completion::ReceiveEnded { token, end } => self.receive_ended(token, end, now),
            Completion::Sent { token, result } => {
                let Some(connection) = self.connections.find(token) else { return };
                connection.sending = false;
                let result = result.map_or_else(|errno| -errno, |taken| taken as i32);
                self.hub.rest_sent(token.slot, result, now);
                self.close_if_done(token);
            }
        }
    }

    fn receive_ended(&mut self, token: Token, end: End, now: Now) {
        let Some(connection) = self.connections.find(token) else { return };
        connection.receiving = false;
        match end {
            End::NoBuffers => self.unarmed.push(token),
            End::Cancelled => {}
            End::Eof => self.hub.receive_ended(token.slot, 0, now),
            End::Failed(errno) => self.hub.receive_ended(token.slot, errno, now),
        }
        self.close_if_done(token);
    }

    fn accepted(&mut self, fd: OwnedFd, now: Now) {
        let Some(peer) = socket::peer_address(fd.as_fd()) else { return };
        let (key, count) = &mut self.ids;
        let mut hasher = key.build_hasher();
        hasher.write_u64(*count);
        *count += 1;
        let (slot, generation) = self.hub.open(peer, hasher.finish(), now);
        let token = self.connections.insert(slot, generation, fd);
        self.arm_receive(token);
        if self.accepting == Accepting::Ended {
            self.hub.end(slot, CloseReason::Restart, now);
        } else if self.hub.sessions() > self.sessions_max {
            self.hub.end(slot, CloseReason::Overload, now);
        }
    }

    fn accept_again(&mut self, more: bool) {
        if !more && self.accepting == Accepting::Armed {
            self.ring.accept(self.listener);
        }
    }

    /// The backlog keeps what could not be accepted, so an accept armed at once would fail at once.
    fn accept_failed(&mut self, errno: i32, more: bool, now: Now) {
        tracing::warn!(
            "cannot accept a connection: {}; accepting pauses for {ACCEPT_PAUSE_MS} ms",
            std::io::Error::from_raw_os_error(errno)
        );
        if !more && self.accepting == Accepting::Armed {
            self.accepting = Accepting::Paused(now.ms + ACCEPT_PAUSE_MS);
        }
    }

    fn arm_receive(&mut self, token: Token) {
        if let Some(connection) = self.connections.find(token)
            && !connection.receiving
            && connection.dropping.is_none()
        {
            connection.receiving = true;
            let fd = connection.fd.as_raw_fd();
            self.ring.receive(token, fd);
        }
    }

    /// Sends what the hub composed, and tells it what the sockets took.
    fn send_batch(&mut self, now: Now) {
        let batch = self.hub.batch();
        self.sends.clear();
        for send in batch.sends() {
            let fd = self.connections.raw_fd(send.slot);
            self.sends.push(SendNow { fd, start: send.start, end: send.end });
        }
        self.ring.send_now(&self.sends, batch.bytes(), &mut self.results);
        self.hub.sent(&self.results, now);
        self.take_effects();
    }

    fn take_effects(&mut self) {
        for effect in self.hub.take_effects() {
            match effect {
                Effect::SendRest { slot } => self.send_rest(slot),
                Effect::Shut { slot } => {
                    if let Some(connection) = self.connections.at_mut(slot) {
                        socket::shutdown_write(connection.fd.as_fd());
                    }
                }
                Effect::Drop { slot, abort } => self.drop_connection(slot, abort),
            }
        }
    }

    fn send_rest(&mut self, slot: u32) {
        let Some(connection) = self.connections.at_mut(slot) else { return };
        if connection.sending || connection.dropping.is_some() {
            return;
        }
        connection.sending = true;
        let token = Token { slot, generation: connection.generation };
        self.ring.send_rest(token, connection.fd.as_raw_fd(), self.hub.rest(slot));
    }

    /// First step of the end: what the ring does with the socket is cancelled. The last completion
    /// takes the second.
    fn drop_connection(&mut self, slot: u32, abort: bool) {
        let Some(connection) = self.connections.at_mut(slot) else { return };
        connection.dropping = Some(abort);
        let token = Token { slot, generation: connection.generation };
        let (receiving, sending) = (connection.receiving, connection.sending);
        if receiving {
            self.ring.cancel_receive(token);
        }
        if sending {
            self.ring.cancel_send(token);
        }
        self.close_if_done(token);
    }

    fn close_if_done(&mut self, token: Token) {
        let Some(connection) = self.connections.find(token) else { return };
        let Some(abort) = connection.dropping else { return };
        if connection.receiving || connection.sending {
            return;
        }
        let connection = self.connections.remove(token.slot).expect("just seen");
        socket::close(connection.fd, abort);
        if let Some(session) = self.hub.release(token.slot) {
            tracing::debug!(
                session = format_args!("{:016x}", session.id),
                peer = %session.peer,
                reason = session.reason().map_or("none", CloseReason::word),
                "session ended"
            );
        }
    }

    fn read_mail(&mut self, now: Now) {
        while let Some(message) = self.mailbox.take() {
            match message {
                Message::Drain { over_ms, grace_ms } => {
                    if self.accepting == Accepting::Armed {
                        self.ring.cancel_accept();
                    }
                    self.accepting = Accepting::Ended;
                    self.hub.drain(over_ms, now);
                    self.drained_at_ms = Some(now.ms + over_ms + grace_ms);
                }
            }
        }
    }
}
