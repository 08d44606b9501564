//! Whether a replay waits for those who read it.
//!
//! A replay at full speed turns a short tape over in milliseconds: a reader that had no processor
//! for so long would lose trades, though nobody needs the replay to hurry. So it waits for clients
//! that are about to lose something and that take data; one that takes nothing slows it by the
//! grace of a moment, once. A live feed, or a pipe, never waits for a client.

use super::Hub;
use crate::market::Channel;
use crate::session::{Now, Place, Session};

/// A client whose socket took nothing for so long is not waited for. Longer than a busy machine
/// keeps a process from its core, shorter than anybody watches for.
const PROGRESS_MS: u64 = 250;

/// Parts of the tape: at this many from its head a client is waited for, and after so much more
/// is looked for such clients again. Together they leave room for the ticks of a turn.
const OWED_SHARE: u64 = 2;
const LOOK_SHARE: u64 = 8;

/// When the sessions are looked through next, since that costs time.
#[derive(Debug, Default)]
pub(super) struct Holding {
    holds: bool,
    look_at_position: u64,
}

impl Hub {
    /// Whether ticks stay in the inlet for now. Where they do, look again in a moment.
    pub fn holds_replay(&mut self, now: Now) -> bool {
        if !self.settings.waits_for_readers {
            return false;
        }
        let (head, ticks) = (self.book.tape.head(), self.settings.tape_ticks as u64);
        if self.holding.holds || head >= self.holding.look_at_position {
            let latest = head.saturating_sub(ticks / OWED_SHARE);
            self.holding.holds =
                self.sessions.iter().any(|(_, session)| self.is_waited_for(session, latest, now));
            self.holding.look_at_position = head + ticks / LOOK_SHARE;
        }
        self.holding.holds
    }

    /// Behind the tape position `latest`, and taking data.
    fn is_waited_for(&self, session: &Session, latest: u64, now: Now) -> bool {
        let Place::Behind(lag) = &session.place else { return false };
        let taking = match session.outgoing.as_ref().filter(|o| o.is_unfinished()) {
            Some(outgoing) => now.ms <= outgoing.progress_at_ms + PROGRESS_MS,
            None => true,
        };
        lag.cursor < latest
            && taking
            && session.is_streaming()
            && self
                .cohorts
                .at(session.cohort)
                .is_some_and(|cohort| cohort.key.interest.any().has(Channel::Trades))
    }
}
