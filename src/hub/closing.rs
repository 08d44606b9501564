//! How sessions begin and end, and how the server says goodbye.
//!
//! A session ends in steps: Close frame (unless nobody is there) → everything sent → our side is
//! shut → the peer's end, or the deadline → the shard drops the socket → release. It leaves its
//! cohort at the first step, and each step after the Close frame adds no byte.

use super::boundary::internal;
use super::cohort::APART;
use super::{Effect, Hub};
use crate::limits::COMMANDS_BURST;
use crate::session::close_reason::Farewell;
use crate::session::{Bucket, CloseReason, Deadlines, Intake, Now, Phase, Place, Session};
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
            resume_at_ms: u64::MAX,
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
            intake: Intake::new(now.ms),
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
        self.account(slot);
        self.admission.enter(peer.ip());
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
            CloseReason::Internal => internal(self.sessions.at(slot).map_or(0, |s| s.id)),
            CloseReason::Restart => {
                let jitter_ms = self.drain_jitter_ms.unwrap_or(self.settings.jitter_ms);
                event::retry_reason(self.settings.retry_ms, jitter_ms)
            }
            CloseReason::Overload => {
                let hint = self.retry_hint(reason, now);
                event::retry_reason(hint.retry_ms, hint.jitter_ms)
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
        self.changing(|hub| hub.leave(slot));
        self.counters.closed[reason.counter()] += 1;
        let close_ms = self.settings.close_ms;
        let retry_after_s = match (upgrading, reason.farewell()) {
            (true, Farewell::Close(_)) => self.retry_hint(reason, now).whole_s(),
            _ => 0,
        };
        if upgrading {
            self.admission.upgrade_over();
        }
        let session = self.sessions.at_mut(slot).expect("just seen");
        if let (Phase::Streaming, Some(code)) = (&session.phase, reason.error_code()) {
            let format = session.format;
            event::error(format, code, detail, None, session.personal());
        }
        session.phase = Phase::Closing(reason);
        session.deadlines.close_at_ms = now.ms + close_ms;
        match reason.farewell() {
            Farewell::Abort => return self.let_go(slot, true),
            Farewell::Finish if reason == CloseReason::PeerLeft => return self.let_go(slot, false),
            Farewell::Finish => {}
            Farewell::Close(_) if upgrading && reason == CloseReason::Internal => {
                Refusal::internal(session.id).response(session.personal());
            }
            Farewell::Close(_) if upgrading => {
                Refusal::overloaded(retry_after_s).response(session.personal());
            }
            Farewell::Close(code) => frame::write_close(code, detail, session.personal()),
        }
        // Who still sends can read its Close only when what it sends is taken.
        self.receive_again(slot);
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
        self.account(slot);
    }

    /// The shard has closed the descriptor and collected every completion: the slot is free.
    pub fn release(&mut self, slot: u32) -> Option<Session> {
        let session = self.sessions.remove(slot)?;
        self.account(slot);
        if session.is_counted() {
            self.admission.leave(session.peer.ip());
        }
        Some(session)
    }

    /// Tells every client that the server is about to close, and spreads the closes evenly over
    /// `over_ms`. Connections that are not upgraded yet are refused at once.
    pub fn drain(&mut self, over_ms: u64, now: Now) {
        let slots: Vec<u32> = self.sessions.slots().collect();
        let count = slots.len() as u64;
        let retry_ms = self.settings.retry_ms;
        let spread_ms = count * 1_000 / self.settings.returns_per_second.max(1);
        self.drain_jitter_ms = Some(self.settings.jitter_ms.max(spread_ms));
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
}
