//! Where an error of our own stops: at one session, or at the hub.
//!
//! What a session's bytes lead to is its own, until tables that sessions share are changed. While
//! they are, the hub is marked: a panic then leaves tables that nobody can trust, and the shard
//! begins anew with what [`Hub::renewed`](super::Hub::renewed) salvages. At all other times the
//! session that the bytes came from is ended, and everything else is whole.

use super::receive::Decoders;
use super::{Hub, HubSettings};
use crate::session::{CloseReason, Now, Phase};
use crate::wire::{Fault, Refusal, command, event, frame};

/// Tables that sessions share were being changed: they can only be salvaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn;

/// What the hub remembers so that a panic finds it prepared.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// Shared tables are being changed; stays set where that panicked.
    changing: bool,
    /// How much of the receiving session's own bytes is whole frames.
    whole_bytes: usize,
    /// A fault that is for the shard to make.
    fault: Option<Fault>,
}

impl Hub {
    /// Runs a change of what sessions share.
    pub(super) fn changing<T>(&mut self, change: impl FnOnce(&mut Hub) -> T) -> T {
        let before = std::mem::replace(&mut self.boundary.changing, true);
        let result = change(self);
        self.boundary.changing = before;
        result
    }

    /// What the session has of its own by now are whole frames, and stays if the rest panics.
    pub(super) fn note_whole(&mut self, slot: u32) {
        let outgoing = self.sessions.at(slot).and_then(|s| s.outgoing.as_ref());
        self.boundary.whole_bytes = outgoing.map_or(0, |o| o.personal_bytes());
    }

    /// To be called after a panic in [`Hub::receive`], and before anything else: ends the session.
    /// Errors: nothing is repaired, and no other call of this hub is allowed.
    pub fn receive_panicked(&mut self, slot: u32, now: Now) -> Result<(), Torn> {
        if self.boundary.changing {
            return Err(Torn);
        }
        // The decoders were out of the hub, and went down with the panic.
        self.decoders = Decoders::new();
        // Numbers that a subscription got and had not come to use.
        self.book.symbols.forget_all_unused();
        let whole = self.boundary.whole_bytes;
        if let Some(session) = self.sessions.at_mut(slot)
            && let Some(outgoing) = &mut session.outgoing
        {
            outgoing.personal().truncate(whole);
        }
        self.end(slot, CloseReason::Internal, now);
        Ok(())
    }

    /// What a client is told last where its hub is given up. `None`: only a reset is honest, since
    /// a frame is unfinished or a Close was on its way. Changes nothing, and reads the session
    /// alone.
    pub fn last_words(&self, slot: u32) -> Option<Vec<u8>> {
        let session = self.sessions.at(slot)?;
        if session.is_unfinished() {
            return None;
        }
        let mut words = Vec::new();
        match session.phase {
            Phase::Upgrading(_) => Refusal::internal(session.id).response(&mut words),
            Phase::Streaming => {
                event::error(session.format, 500, &internal(session.id), None, &mut words);
                frame::write_close(1011, &internal(session.id), &mut words);
            }
            Phase::Echoing => frame::write_close(1011, &internal(session.id), &mut words),
            Phase::Lingering(_) => {}
            Phase::Closing(_) | Phase::Ended(_) => return None,
        }
        Some(words)
    }

    /// Makes a fault that a client asked for, where that is allowed.
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), command::CommandError> {
        let HubSettings { fault_injection, .. } = self.settings;
        if !fault_injection {
            return Err(command::no_fault());
        }
        match fault {
            Fault::Session => panic!("a fault was asked for in a session"),
            Fault::Hub => self.changing(|_| panic!("a fault was asked for in the hub")),
            Fault::Turn | Fault::Salvage | Fault::Stall { .. } => self.boundary.fault = Some(fault),
        }
        Ok(())
    }

    /// A fault that the shard shall make now.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.boundary.fault.take()
    }
}

/// What a client is told of an error of our own, and finds again in the log.
pub(super) fn internal(session: u64) -> String {
    format!("internal error, session {session:016x}")
}

#[cfg(test)]
mod tests;
