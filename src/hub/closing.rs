//! How sessions begin and end, and how the server says goodbye.
//!
//! A session ends in steps: Close frame (unless nobody is there) → everything sent → our side is
//! shut → the peer's end, or the deadline → the shard drops the socket → release. It leaves its
//! cohort at the first step, and each step after the Close frame adds no byte.

use super::cohort::APART;
use super::{Effect, Hub};
use crate::limits::{COMMANDS_BURST, PERSONAL_BYTES_MAX};
use crate::market::Feed;
use crate::session::close_reason::Farewell;
use crate::session::{Bucket, CloseReason, Deadlines, Now, Phase, Place, Session};
use crate::wire::{Decoder, Format, Rate, Refusal, event, frame};
use std::net::SocketAddr;

impl Hub {
    /// A connection was accepted. `id` is its correlation id. Gives slot and generation.
    pub fn open(&mut self, peer: SocketAddr, id: u64, now: Now) -> (u32, u32) {
        let deadlines = Deadlines {
            opened_at_ms: now.ms,
            received_at_ms: now.ms,
            pinged_at_ms: 0,
            heartbeat_at_ms: u64::MAX,
            close_at_ms: u64::MAX,
            armed_at_ms: u64::MAX,
        };
        let slot = self.sessions.insert(|_, generation| Session {
            id,
            generation,
            cohort: APART,
            peer,
            phase: Phase::Upgrading(Vec::new()),
            place: Place::Apart,
            decoder: Decoder::new(),
            outgoing: None,
            deadlines,
            items: 0,
            commands: Bucket::full(COMMANDS_BURST, now.ms),
            heartbeat_ms: 0,
            rate: Rate::OFF,
            format: Format::default(),
            strikes: 0,
            authenticated: false,
            heartbeat_due: false,
            queued: false,
            draining: false,
            peer_ended: false,
        });
        self.counters.opened += 1;
        self.arm(slot, now);
        let generation = self.sessions.at(slot).expect("just inserted").generation;
        (slot, generation)
    }

    /// The socket gave end of stream (`errno` 0) or an error.
    pub fn receive_ended(&mut self, slot: u32, errno: i32, now: Now) {
        let reason = if errno == 0 { CloseReason::PeerLeft } else { CloseReason::PeerLost };
        let Some(session) = self.sessions.at_mut(slot) else { return };
        session.peer_ended = true;
        match session.phase {
            Phase::Ended(_) => {}
            Phase::Lingering(_) => self.let_go(slot, errno != 0),
            // Who shuts its side after an upgrade that was refused still reads the answer.
            Phase::Closing(_) if errno == 0 => {}
            Phase::Closing(_) => self.let_go(slot, true),
            _ => self.end(slot, reason, now),
        }
    }

    /// Ends a session whose reason needs no words of its own.
    pub fn end(&mut self, slot: u32, reason: CloseReason, now: Now) {
        let detail = match reason {
            CloseReason::Internal => {
                let id = self.sessions.at(slot).map_or(0, |s| s.id);
                format!("internal error, session {id:016x}")
            }
            CloseReason::Restart | CloseReason::Overload => {
                event::retry_reason(self.settings.retry_ms, self.settings.jitter_ms)
            }
            CloseReason::Abuse => "too many refused commands".to_string(),
            CloseReason::AnswersUnread => "answers are not being read".to_string(),
            _ => String::new(),
        };
        self.end_with(slot, reason, &detail, now);
    }

    /// Ends a session; `detail` goes into its Close frame.
    pub(super) fn end_with(&mut self, slot: u32, reason: CloseReason, detail: &str, now: Now) {
        let Some(session) = self.sessions.at(slot) else { return };
        let upgrading = match session.phase {
            Phase::Ended(_) => return,
            Phase::Closing(_) | Phase::Lingering(_) => return self.let_go(slot, true),
            Phase::Upgrading(_) => true,
            Phase::Streaming | Phase::Echoing => false,
        };
        self.leave(slot);
        self.counters.closed[reason.counter()] += 1;
        let (close_ms, retry_ms) = (self.settings.close_ms, self.settings.retry_ms);
        let session = self.sessions.at_mut(slot).expect("just seen");
        session.phase = Phase::Closing(reason);
        session.deadlines.close_at_ms = now.ms + close_ms;
        match reason.farewell() {
            Farewell::Abort => return self.let_go(slot, true),
            Farewell::Finish if reason == CloseReason::PeerLeft => return self.let_go(slot, false),
            Farewell::Finish => {}
            Farewell::Close(_) if upgrading => {
                let seconds = retry_ms.div_ceil(1000) as u32;
                Refusal::overloaded(seconds).response(session.personal());
            }
            Farewell::Close(code) => frame::write_close(code, detail, session.personal()),
        }
        self.enqueue(slot);
        self.arm(slot, now);
    }

    /// The last step: the shard drops the socket.
    pub(super) fn let_go(&mut self, slot: u32, abort: bool) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if let Phase::Closing(reason) | Phase::Lingering(reason) = session.phase {
            session.phase = Phase::Ended(reason);
            // A frame that was cut can only be aborted: a Finish would end in the middle of it.
            let abort = abort || session.is_unfinished();
            self.effects.push(Effect::Drop { slot, abort });
        }
    }

    /// The shard has closed the descriptor and collected every completion: the slot is free.
    pub fn release(&mut self, slot: u32) -> Option<Session> {
        self.sessions.remove(slot)
    }

    /// Tells every client that the server is about to close, and spreads the closes evenly over
    /// `over_ms`. Connections that are not upgraded yet are refused at once.
    pub fn drain(&mut self, over_ms: u64, now: Now) {
        let slots: Vec<u32> = self.sessions.slots().collect();
        let count = slots.len() as u64;
        let retry_ms = self.settings.retry_ms;
        for (index, slot) in slots.into_iter().enumerate() {
            let in_ms = over_ms * (index as u64 + 1) / count;
            let session = self.sessions.at_mut(slot).expect("just listed");
            match session.phase {
                Phase::Upgrading(_) => self.end(slot, CloseReason::Restart, now),
                Phase::Streaming => {
                    let format = session.format;
                    event::shutdown(format, in_ms, retry_ms, session.personal());
                    self.enqueue(slot);
                }
                _ => {}
            }
            let session = self.sessions.at_mut(slot).expect("ending keeps the slot");
            if session.is_listening() {
                session.draining = true;
                session.deadlines.close_at_ms = now.ms + in_ms;
                self.arm(slot, now);
            }
        }
    }

    /// Tells the sessions concerned that a feed changed its state.
    pub(super) fn announce_feed(&mut self, feed: Feed) {
        let Some(view) = self.book.feeds().get(usize::from(feed.0)).copied() else { return };
        if view.last_ns == 0 {
            return; // it has not begun: there is nothing that could have become stale
        }
        for slot in self.sessions.slots() {
            let subscribed = self.sessions.at(slot).is_some_and(|s| s.cohort != APART);
            if subscribed {
                self.write_feed(slot, feed);
            }
        }
    }

    /// Appends a `feed` event, where the feed sends something that the session asked for.
    pub(super) fn write_feed(&mut self, slot: u32, feed: Feed) {
        let state = self.book.feeds()[usize::from(feed.0)].state;
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let Some(cohort) = self.cohorts.at(session.cohort) else { return };
        if session.outgoing.as_ref().is_some_and(|o| o.personal_bytes() > PERSONAL_BYTES_MAX) {
            return; // it reads nothing; its heartbeats will say it, or its write deadline ends it
        }
        let symbols = &self.book.symbols;
        let names: Vec<&str> = if self.book.feeds().len() == 1 {
            vec!["*"]
        } else {
            let entries = cohort.key.interest.entries(symbols.len());
            let owned = entries.filter(|(symbol, _)| symbols.feed(*symbol) == Some(feed));
            owned.map(|(symbol, _)| symbols.name(symbol)).collect()
        };
        if !names.is_empty() {
            let format = session.format;
            event::feed(format, state, &names, session.personal());
            self.enqueue(slot);
        }
    }
}
