//! A shard's turn: completions → messages → ticks → flush → timers, each step bounded.

use super::accepting::{Acceptor, Listening};
use super::connections::Connections;
use super::counters::ShardCounters;
use super::door::Doors;
use super::inspection::Inspection;
use super::lane::Lane;
use super::mailbox::{Mailbox, Message};
use super::overload::Overload;
use super::refusing::Scratch;
use super::step::Step;
use super::tally::Tally;
use super::{Completion, End, SendNow, SocketRing, Token, clock, socket};
use crate::feed::Inlet;
use crate::hub::{Alerts, Effect, Hub};
use crate::market::Tick;
use crate::session::{CloseReason, Now};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

mod boundary;
mod flushing;
mod intake;
mod renewal;
mod rest;

/// Completions dispatched at a stretch: at some 2 us each, a millisecond.
const COMPLETIONS_MAX: usize = 512;

/// Ticks taken in a turn. What is flushed to a client in one turn should fit its socket's buffer
/// (512 lines are some 50 KB), or every client of a fast feed would fall behind in every turn.
const TICKS_MAX: usize = 512;

/// Where a flush is under way, which takes a turn for every 256 clients: these ticks come to what
/// the next flush brings to each of them.
const TICKS_IN_FLUSH_MAX: usize = 128;

/// When a shard that holds a replay looks again, if no client takes anything before.
const HOLD_LOOK_MS: u64 = 5;

/// What a shard is made of. Everything in it is this thread's alone, but the inlet, the mailbox
/// and the counters.
pub(super) struct Shard {
    pub(super) hub: Hub,
    pub(super) ring: SocketRing,
    pub(super) connections: Connections,
    pub(super) acceptor: Acceptor,
    pub(super) lane: Lane,
    pub(super) doors: Doors,
    pub(super) scratch: Scratch,
    pub(super) tally: Tally,
    pub(super) alerts: Alerts,
    pub(super) inlet: Arc<Inlet>,
    pub(super) mailbox: Arc<Mailbox>,
    counters: Arc<ShardCounters>,
    pub(super) overload: Overload,
    pub(super) log_addresses: bool,
    /// The question about sessions that is being answered.
    pub(super) inspection: Option<Inspection>,
    /// When the flush under way began, in ns of the monotonic clock.
    flush_began_ns: Option<u64>,
    /// Correlation ids: the n-th is the hash of n under a key that was random at start.
    ids: (RandomState, u64),
    /// Receives that ended for want of buffers, to be armed when all buffers are back.
    unarmed: Vec<Token>,
    /// When what is left after a drain is cut.
    drained_at_ms: Option<u64>,
    /// To be dispatched, the next one last.
    completions: Vec<Completion>,
    sends: Vec<SendNow>,
    results: Vec<i32>,
    flight: Flight,
    /// The tick that the hub is taking in.
    entering: Option<Tick>,
    /// Sockets of the shard in whose place this one is.
    pub(super) parting: renewal::Parting,
    /// A fault was asked for in the salvage that comes.
    salvage_fails: bool,
    /// A replay's ticks stay in the inlet until then, for clients that read it.
    holding_until_ms: Option<u64>,
}

/// How far a batch of sends is, for the case that it does not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    None,
    /// What sockets take is not known.
    Sending,
    /// It is known, but not to the hub.
    Sent,
}

/// What a shard needs to begin.
pub(super) struct Parts {
    pub hub: Hub,
    pub ring: SocketRing,
    pub listening: Listening,
    pub doors: Doors,
    pub inlet: Arc<Inlet>,
    pub mailbox: Arc<Mailbox>,
    pub counters: Arc<ShardCounters>,
    pub overload: Overload,
    pub log_addresses: bool,
}

impl Shard {
    pub fn new(parts: Parts) -> Shard {
        let Parts { hub, ring, listening, doors, inlet, mailbox, counters, .. } = parts;
        Shard {
            hub,
            ring,
            connections: Connections::default(),
            acceptor: Acceptor::new(listening),
            lane: Lane::default(),
            doors,
            scratch: Scratch::new(),
            tally: Tally::default(),
            alerts: Alerts::default(),
            inlet,
            mailbox,
            counters,
            overload: parts.overload,
            log_addresses: parts.log_addresses,
            inspection: None,
            flush_began_ns: None,
            ids: (RandomState::new(), 0),
            unarmed: Vec::new(),
            drained_at_ms: None,
            completions: Vec::new(),
            sends: Vec::new(),
            results: Vec::new(),
            flight: Flight::None,
            entering: None,
            parting: renewal::Parting::default(),
            salvage_fails: false,
            holding_until_ms: None,
        }
    }

    /// One turn; says whether there is more to do at once.
    pub fn turn(&mut self) -> bool {
        let now = clock::now();
        self.ring.silence_bell();
        self.overload.begin(now);
        self.counters.enter(Step::Completions);
        let busy = self.complete(now);
        self.make_fault();
        self.counters.enter(Step::Mail);
        self.read_mail(now);
        self.take_handed(now);
        self.counters.enter(Step::Ticks);
        self.take_ticks(now);
        self.counters.enter(Step::Flush);
        self.flush(now);
        self.counters.enter(Step::Timers);
        self.hub.timers(now);
        self.take_effects();
        self.parting.close_if_over(now.ms);
        self.expire_refusals(now);
        self.keep_accepting(now);
        self.inspect(now);
        self.observe_limits(now);
        let turned = self.overload.end(&mut self.hub, &self.connections);
        self.counters.turn_times().record(turned.busy_us);
        if let Some(age_us) = turned.tick_age_us {
            self.counters.flow().latency_us().record(age_us);
        }
        self.counters.publish(&self.hub);
        self.counters.publish_admission(&self.hub, &self.tally, &self.alerts);
        self.counters.flow().publish(&self.hub, &self.tally, self.descriptors_used());
        busy || self.has_mail() || self.inspection.is_some() || self.hub.has_work(now)
    }

    fn take_ticks(&mut self, now: Now) {
        self.holding_until_ms = self.hub.holds_replay(now).then_some(now.ms + HOLD_LOOK_MS);
        let most = match self.holding_until_ms {
            Some(_) => 0,
            None if self.hub.is_flushing() => TICKS_IN_FLUSH_MAX,
            None => TICKS_MAX,
        };
        for _ in 0..most {
            if self.hub.is_full() {
                break;
            }
            self.entering = self.inlet.pop();
            let Some(tick) = &self.entering else { break };
            self.hub.tick(tick);
            self.entering = None;
        }
    }

    /// Whether others have put something into this shard's queues.
    pub fn has_mail(&self) -> bool {
        let ticks = self.holding_until_ms.is_none() && !self.inlet.is_empty();
        ticks || !self.mailbox.is_empty() || self.doors.waiting() > 0
    }

    /// After a drain: every session is gone, or the time is over.
    pub fn is_done(&self) -> bool {
        let over = self.drained_at_ms.is_some_and(|at_ms| at_ms <= clock::now().ms);
        over || (self.drained_at_ms.is_some() && self.hub.sessions() == 0)
    }

    fn complete(&mut self, now: Now) -> bool {
        let more = self.ring.collect(COMPLETIONS_MAX, &mut self.completions);
        // What a panic leaves stays there: accepted sockets are among it.
        self.completions.reverse();
        while let Some(completion) = self.completions.pop() {
            self.dispatch(completion, now);
        }
        for token in std::mem::take(&mut self.unarmed) {
            self.arm_receive(token);
        }
        self.take_effects();
        more
    }

    fn dispatch(&mut self, completion: Completion, now: Now) {
        match completion {
            Completion::Accepted { listener, fd, more } => {
                if !more {
                    self.multishot_over(listener);
                }
                self.accept_completed(Ok(fd), now);
            }
            Completion::AcceptFailed { listener, errno, more } => {
                if !more {
                    self.multishot_over(listener);
                }
                self.accept_completed(Err(errno), now);
            }
            Completion::AcceptEnded { listener } => self.multishot_over(listener),
            Completion::AcceptedOne { listener, result } => {
                self.single_over(listener);
                self.accept_completed(result, now);
            }
            Completion::ReceivedRefused { token, result } => {
                self.refused_received(token, result, now);
            }
            Completion::Timeout => {}
            Completion::Received { token, buffer, more } => {
                let known = self.connections.find(token).map(|c| {
                    c.receiving = more;
                    c.dropping.is_some()
                });
                if known == Some(false) {
                    self.received(token.slot, &buffer, now);
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
                self.tally.bytes_out += result.unwrap_or(0) as u64;
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
            // A cancel is a pause, which may be over, or the end, after which none is armed.
            End::NoBuffers | End::Cancelled => self.unarmed.push(token),
            End::Eof => self.hub.receive_ended(token.slot, 0, now),
            End::Failed(errno) => self.hub.receive_ended(token.slot, errno, now),
        }
        self.close_if_done(token);
    }

    /// Makes a session of a connection that admission lets in.
    pub(super) fn open(&mut self, fd: OwnedFd, peer: SocketAddr, now: Now) {
        let id = self.next_id();
        let (slot, generation) = self.hub.open(peer, id, now);
        let token = self.connections.insert(slot, generation, fd);
        self.arm_receive(token);
    }

    pub(super) fn next_id(&mut self) -> u64 {
        let (key, count) = &mut self.ids;
        let mut hasher = key.build_hasher();
        hasher.write_u64(*count);
        *count += 1;
        hasher.finish()
    }

    fn arm_receive(&mut self, token: Token) {
        if let Some(connection) = self.connections.find(token)
            && !connection.receiving
            && !connection.paused
            && connection.dropping.is_none()
        {
            connection.receiving = true;
            let fd = connection.fd.as_raw_fd();
            self.ring.receive(token, fd);
        }
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
                Effect::Pause { slot } => self.pause_receive(slot),
                Effect::Resume { slot } => self.resume_receive(slot),
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
            self.log_turned_away(&session);
            tracing::debug!(
                session = format_args!("{:016x}", session.id),
                peer = self.log_addresses.then(|| display(session.peer)),
                reason = session.reason().map_or("none", CloseReason::word),
                "session ended"
            );
        }
    }

    fn read_mail(&mut self, now: Now) {
        while let Some(message) = self.mailbox.take() {
            match message {
                Message::Drain { over_ms, grace_ms } => {
                    self.end_accepting();
                    self.drained_at_ms = Some(now.ms + over_ms + grace_ms);
                    self.hub.drain(over_ms, now);
                }
                Message::Reload(settings) => self.hub.reload(*settings, now),
            }
        }
    }
}
