//! Bytes from a client: first its upgrade, then its frames.

use super::{Effect, Hub};
use crate::limits::{
    COMMAND_BYTES_MAX, ECHO_BYTES_MAX, PERSONAL_BYTES_MAX, PERSONAL_ECHO_BYTES_MAX,
};
use crate::session::{CloseReason, Now, Phase};
use crate::wire::{
    Announced, DecodeError, DecoderPool, Endpoint, Incoming, Parsed, Upgrade, event, frame, upgrade,
};
use std::mem;
use std::ops::ControlFlow;

impl Hub {
    /// The socket gave bytes.
    pub fn receive(&mut self, slot: u32, bytes: &[u8], now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        session.deadlines.received_at_ms = now.ms;
        session.deadlines.pinged_at_ms = 0;
        self.note_whole(slot);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        match &mut session.phase {
            Phase::Upgrading(head) => {
                let held = mem::take(head);
                self.receive_upgrade(slot, held, bytes, now);
            }
            Phase::Streaming | Phase::Echoing => self.receive_frames(slot, bytes, now),
            Phase::Closing(_) | Phase::Lingering(_) | Phase::Ended(_) => {}
        }
        self.account(slot);
        self.meter(slot, bytes.len(), now);
    }

    /// Pauses the receive of a session that sends too fast. Nothing is lost: its own socket and
    /// then its sender wait. What comes before the upgrade is bounded by the upgrade's limit.
    fn meter(&mut self, slot: u32, bytes: usize, now: Now) {
        let per_second = self.settings.intake_bytes_per_second;
        let Some(session) = self.sessions.at_mut(slot).filter(|s| s.is_streaming()) else { return };
        let Some(pause_ms) = session.intake.take(bytes, per_second, now.ms) else { return };
        if session.deadlines.resume_at_ms == u64::MAX {
            session.deadlines.resume_at_ms = now.ms + pause_ms;
            self.counters.intake_pauses += 1;
            self.effects.push(Effect::Pause { slot });
            self.arm(slot, now);
        }
    }

    /// Receives again, where that was paused.
    pub(super) fn receive_again(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if mem::replace(&mut session.deadlines.resume_at_ms, u64::MAX) != u64::MAX {
            self.effects.push(Effect::Resume { slot });
        }
    }

    fn receive_upgrade(&mut self, slot: u32, mut held: Vec<u8>, bytes: &[u8], now: Now) {
        let whole = held.is_empty();
        if !whole {
            held.extend_from_slice(bytes);
        }
        let all = if whole { bytes } else { &held[..] };
        let (announced, parsed) = match self.take_announcement(slot, all, now) {
            Announced::Bad => return,
            Announced::Incomplete => (0, Ok(Parsed::Incomplete)),
            Announced::Whole { consumed, .. } => {
                let request = &all[consumed..];
                (consumed, upgrade::parse(request, self.settings.echo, &mut self.queries))
            }
        };
        match parsed {
            Ok(Parsed::Incomplete) => {
                let held = if whole { bytes.to_vec() } else { held };
                let session = self.sessions.at_mut(slot).expect("its caller has just seen it");
                session.phase = Phase::Upgrading(held);
            }
            Ok(Parsed::Request { upgrade, consumed }) => {
                let (head, rest) = all[announced..].split_at(consumed);
                if !self.take_forwarded(slot, head, now) {
                    return;
                }
                self.upgraded(slot, &upgrade, now);
                if !rest.is_empty() {
                    self.receive_frames(slot, rest, now);
                }
            }
            Err(refusal) => {
                let session = self.sessions.at_mut(slot).expect("its caller has just seen it");
                refusal.response(session.personal());
                self.end(slot, CloseReason::UpgradeRefused, now);
            }
        }
    }

    fn upgraded(&mut self, slot: u32, upgrade: &Upgrade, now: Now) {
        self.counters.upgraded += 1;
        let session = self.sessions.at_mut(slot).expect("its caller has just seen it");
        session.format = upgrade.format;
        session.outgoing.get_or_insert_with(|| self.welcomes.take());
        upgrade.response(session.personal());
        self.note_whole(slot);
        let session = self.sessions.at_mut(slot).expect("its caller has just seen it");
        self.admission.upgrade_over();
        if upgrade.endpoint == Endpoint::Echo {
            session.phase = Phase::Echoing;
        } else {
            session.phase = Phase::Streaming;
            let limits = event::Limits {
                symbols: self.settings.session_symbols_max,
                since: crate::limits::SINCE_SYMBOLS_MAX,
                message_bytes: COMMAND_BYTES_MAX,
            };
            let (id, encoding) = (session.id, session.format.encoding);
            self.greetings.write(encoding, &self.epoch, &limits, id, session.personal());
            self.apply_url(slot, &upgrade.options, now);
        }
        self.enqueue(slot);
        self.arm(slot, now);
    }

    fn receive_frames(&mut self, slot: u32, bytes: &[u8], now: Now) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let mut decoder = mem::take(&mut session.decoder);
        let echo = session.phase == Phase::Echoing;
        // The pool comes back below; a decoder's messages reach all of the hub but it.
        let mut pool = mem::replace(self.decoders.of(echo), DecoderPool::new(0));
        let mut replies = Vec::new();
        let result = decoder.feed(&mut pool, bytes, &mut replies, &mut |incoming, replies| {
            self.reply(slot, replies);
            self.message(slot, incoming, now);
            match self.sessions.at(slot).is_some_and(|s| s.is_listening()) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        *self.decoders.of(echo) = pool;
        let Some(session) = self.sessions.at_mut(slot) else { return };
        session.decoder = decoder;
        if session.is_listening() {
            self.reply(slot, &mut replies);
            if let Err(error) = result {
                self.end_with(slot, reason(error), &error.to_string(), now);
            }
        }
    }

    /// Moves what the codec answers to the session's own frames, in order.
    fn reply(&mut self, slot: u32, replies: &mut Vec<u8>) {
        if !replies.is_empty()
            && let Some(session) = self.sessions.at_mut(slot)
        {
            session.personal().append(replies);
            self.enqueue(slot);
        }
    }

    fn message(&mut self, slot: u32, incoming: Incoming<'_>, now: Now) {
        self.note_whole(slot);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if let Incoming::Close { .. } = incoming {
            // Its answer is the last frame already, and no limit may add another.
            return self.end(slot, CloseReason::ClientClosed, now);
        }
        let echo = session.phase == Phase::Echoing;
        let bound = if echo { PERSONAL_ECHO_BYTES_MAX } else { PERSONAL_BYTES_MAX };
        if session.outgoing.as_ref().is_some_and(|o| o.personal_bytes() > bound) {
            return self.end(slot, CloseReason::AnswersUnread, now);
        }
        match incoming {
            Incoming::Close { .. } | Incoming::Ping | Incoming::Pong => {}
            Incoming::Text(text) if echo => {
                frame::write_message(true, text.as_bytes(), session.personal());
                self.enqueue(slot);
            }
            Incoming::Binary(bytes) if echo => {
                frame::write_message(false, bytes, session.personal());
                self.enqueue(slot);
            }
            Incoming::Text(text) => {
                self.command(slot, crate::wire::Encoding::Json, text.as_bytes(), now);
            }
            Incoming::Binary(bytes) => {
                self.command(slot, crate::wire::Encoding::MessagePack, bytes, now);
            }
        }
    }
}

/// Spare decoders; the two endpoints differ in the size of their messages.
#[derive(Debug)]
pub(super) struct Decoders {
    stream: DecoderPool,
    echo: DecoderPool,
}

impl Decoders {
    pub fn new() -> Decoders {
        let stream = DecoderPool::new(COMMAND_BYTES_MAX);
        Decoders { stream, echo: DecoderPool::new(ECHO_BYTES_MAX) }
    }

    fn of(&mut self, echo: bool) -> &mut DecoderPool {
        if echo { &mut self.echo } else { &mut self.stream }
    }
}

fn reason(error: DecodeError) -> CloseReason {
    match error.close_code() {
        1007 => CloseReason::BadUtf8,
        1009 => CloseReason::MessageTooLarge,
        _ => CloseReason::ProtocolError,
    }
}
