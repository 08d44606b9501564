//! The end of a shard that panicked, and the beginning of the one in its place.
//!
//! The parts of the old shard are used for what memory safety alone guarantees: descriptors are
//! open, sessions can be read. The ring, the connections' states and the cohorts are thrown away.

use super::{Flight, Parts, Shard};
use crate::hub::{Hub, in_place_of};
use crate::panics;
use crate::shard::{Completion, RingError, RingSettings, SocketRing, clock, socket};
use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// How long a socket that got its Close frame is kept, so that the client's answer to it does not
/// meet a closed socket: the reset that it would get makes some systems drop what was not read.
const PARTING_MS: u64 = 1_000;

/// Looks at the old ring for accepted sockets; each brings a bounded number.
const LOOKS_MAX: usize = 16;

/// Completions taken at one of them.
const COMPLETIONS_PER_LOOK: usize = 4_096;

/// Sockets whose last bytes are sent and whose clients' ends are not awaited.
#[derive(Debug, Default)]
pub(in crate::shard) struct Parting {
    sockets: Vec<OwnedFd>,
    pub until_ms: Option<u64>,
}

impl Parting {
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    pub fn close_all(&mut self) {
        *self = Parting::default();
    }

    pub fn close_if_over(&mut self, now_ms: u64) {
        if self.until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            self.close_all();
        }
    }
}

impl Shard {
    /// Tells every client that its connection ends: a Close 1011 where the socket takes it whole
    /// and no frame is unfinished, otherwise a reset.
    pub fn take_leave(&mut self) {
        let cut = self.cut_by_flight();
        let connections = std::mem::take(&mut self.connections);
        for (slot, connection) in connections.into_slots() {
            let fd = connection.fd;
            if connection.dropping.is_some() {
                socket::close(fd, connection.dropping == Some(true));
                continue;
            }
            let whole = !connection.sending && !cut.contains(&fd.as_raw_fd());
            let words = if whole { self.hub.last_words(slot) } else { None };
            match words {
                Some(words) if socket::send_at_once(fd.as_fd(), &words) => {
                    socket::shutdown_write(fd.as_fd());
                    self.parting.sockets.push(fd);
                }
                _ => socket::close(fd, true),
            }
        }
        self.parting.until_ms = Some(clock::now().ms + PARTING_MS);
    }

    /// Sockets that may have taken a part of a frame that the hub has not been told of.
    fn cut_by_flight(&self) -> HashSet<RawFd> {
        let sends = self.sends.iter().enumerate();
        let is_cut = |index: usize, bytes: usize| match self.flight {
            Flight::None => false,
            Flight::Sending => true,
            Flight::Sent => {
                let taken = self.results.get(index).copied().unwrap_or(-1);
                taken > 0 && taken as usize != bytes
            }
        };
        let cut = sends.filter(|(index, send)| is_cut(*index, send.end - send.start));
        cut.map(|(_, send)| send.fd).collect()
    }

    /// A shard in this one's place: same limits, listener, queues and counts; the market's tables
    /// salvaged. To be called after [`Shard::take_leave`].
    pub fn renewed(mut self, index: usize) -> Result<Shard, RingError> {
        let now = clock::now();
        let accepted = self.accepted_meanwhile();
        self.counters.count_restart();
        let hub = self.salvaged_hub(index, now);
        let Shard { ring, acceptor, doors, inlet, mailbox, counters, overload, .. } = self;
        let log_addresses = self.log_addresses;
        // The old ring's descriptor counts, so it goes first.
        drop(ring);
        let ring = SocketRing::new(RingSettings::default(), inlet.bell().fd())?;
        let listening = acceptor.listening();
        let parts = Parts {
            hub,
            ring,
            listening,
            doors,
            inlet,
            mailbox,
            counters,
            overload,
            log_addresses,
        };
        let mut shard = Shard::new(parts);
        (shard.ids, shard.parting) = (self.ids, self.parting);
        (shard.tally, shard.alerts) = (self.tally, self.alerts);
        if acceptor.has_ended() {
            shard.end_accepting();
            shard.drained_at_ms = self.drained_at_ms;
        }
        for fd in accepted {
            shard.accept_completed(Ok(fd), now);
        }
        Ok(shard)
    }

    /// Connections that the kernel had accepted and no turn has seen: they are not lost.
    fn accepted_meanwhile(&mut self) -> Vec<OwnedFd> {
        let mut waiting = std::mem::take(&mut self.completions);
        waiting.reverse(); // a turn takes them from the end
        let ring = &mut self.ring;
        ring.cancel_accept();
        let collected = panics::catch(|| {
            for _ in 0..LOOKS_MAX {
                if !ring.collect(COMPLETIONS_PER_LOOK, &mut waiting) {
                    break;
                }
            }
        });
        if let Err(caught) = collected {
            panics::report("connections not accepted yet are cut", None, caught);
        }
        let accepted = waiting.into_iter().filter_map(|completion| match completion {
            Completion::Accepted { fd, .. } => Some(fd),
            Completion::AcceptedOne { result, .. } => result.ok(),
            _ => None,
        });
        accepted.collect()
    }

    /// With the tick that was on its way in; without it, where it is what panics; with nothing,
    /// where even that fails: then the epoch is another, and the feeds define everything again.
    fn salvaged_hub(&mut self, index: usize, now: crate::session::Now) -> Hub {
        let entering = self.entering.take();
        let instead = entering.as_ref().and_then(in_place_of);
        for tick in [entering.as_ref(), instead.as_ref()] {
            let salvage_fails = std::mem::take(&mut self.salvage_fails);
            let old = &self.hub;
            let salvaged = panics::catch(|| {
                assert!(!salvage_fails, "a fault was asked for in the salvage");
                Hub::renewed(old, tick, now)
            });
            match salvaged {
                Ok(hub) => return hub,
                Err(caught) => {
                    panics::report(&format!("shard {index}: salvage failed"), None, caught);
                }
            }
            if entering.is_none() {
                break; // the same again would fail again
            }
        }
        tracing::error!(shard = index, "the market's tables are lost; a new epoch begins");
        let epoch = format!("{}.{}", self.hub.epoch(), self.counters.restarts());
        self.inlet.ask_definitions();
        Hub::renewed_empty(&self.hub, epoch, now)
    }
}
