//! The lease: who of several publishers leads. Pure; time is an argument.
//!
//! One key in a bucket of JetStream's key-value store, whose entries age out after [`TTL`]. Who
//! creates the key leads; it renews it every [`RENEW_EVERY`] by an update that names the revision
//! that it wrote last, so that it never renews another's. From the moment before it asked, it
//! counts [`FENCE`] on its own monotonic clock and publishes nothing beyond: that is over before
//! the entry can age out, whatever happened to the process meanwhile (it may have been stopped).

use std::time::{Duration, Instant};

/// After so long without a renewal the key is gone, and others may lead.
pub const TTL: Duration = Duration::from_millis(2_000);

/// How often the leader renews: three may fail.
const RENEW_EVERY: Duration = Duration::from_millis(500);

/// For so long after it asked a leader publishes. The rest up to [`TTL`] is for what the server's
/// clock and its timers are late.
const FENCE: Duration = Duration::from_millis(1_500);

/// How often a standby tries once it may.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// A standby that heard the leader within this does not try: where JetStream has lost the key (it
/// was restarted, its disk is full) the one who publishes goes on.
const LEADER_SILENT: Duration = Duration::from_millis(1_200);

/// Between becoming the leader and the first message: what the one before has sent, and is still
/// under way, is heard in this.
const SETTLE: Duration = Duration::from_millis(200);

const _: () = assert!(FENCE.as_millis() + 400 < TTL.as_millis());
const _: () = assert!(RENEW_EVERY.as_millis() * 2 < FENCE.as_millis());
const _: () = assert!(LEADER_SILENT.as_millis() < FENCE.as_millis());

/// What to ask of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The key, if nobody has it.
    Create,
    /// The key again, if it still has this revision.
    Renew(u64),
}

/// What the bucket said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The key is ours, at this revision.
    Ours(u64),
    /// Another has it, or had it since.
    Refused,
    /// There is no JetStream to ask, for us or anybody: nobody can take the lease.
    NoJetStream,
    /// Nothing: it was too late, or the connection is lost.
    Silence,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    None,
    /// We lead, with this term.
    Acquired(u64),
    /// We do not lead any more.
    Lost,
}

#[derive(Debug)]
enum State {
    /// Another leads, or nobody.
    Standby,
    Leader {
        revision: u64,
        term: u64,
        /// Nothing is published before.
        from: Instant,
        /// Nothing is published from then on, until it was renewed.
        until: Instant,
    },
    /// Without a lease: the only one, by its operator's word.
    Alone { term: u64 },
}

#[derive(Debug)]
pub struct Lease {
    state: State,
    /// When it was last asked for; one question is on at a time.
    asked_at: Option<Instant>,
    is_asking: bool,
    /// When a leader that is not us was last heard.
    heard_at: Option<Instant>,
    /// From when on one would have been heard.
    listens_from: Option<Instant>,
    /// The highest that anybody had.
    term_heard: u64,
}

impl Lease {
    /// Of one that asks for it.
    pub fn standby() -> Lease {
        let state = State::Standby;
        Lease {
            state,
            asked_at: None,
            is_asking: false,
            heard_at: None,
            listens_from: None,
            term_heard: 0,
        }
    }

    /// Of one that needs none: it leads from the beginning.
    pub fn alone() -> Lease {
        Lease { state: State::Alone { term: 1 }, ..Lease::standby() }
    }

    /// What is to be asked now; to be followed by [`Lease::answered`].
    pub fn due(&mut self, now: Instant) -> Option<Ask> {
        let since_asked = self.asked_at.map(|at| now.duration_since(at));
        let ask = match &self.state {
            _ if self.is_asking => return None,
            State::Alone { .. } => return None,
            State::Leader { revision, .. } => {
                let is_due = since_asked.is_none_or(|since| since >= RENEW_EVERY);
                is_due.then_some(Ask::Renew(*revision))
            }
            State::Standby => {
                let may = self.heard_at.is_none_or(|at| now.duration_since(at) >= LEADER_SILENT);
                let is_due = since_asked.is_none_or(|since| since >= TRY_EVERY);
                (may && is_due).then_some(Ask::Create)
            }
        }?;
        (self.asked_at, self.is_asking) = (Some(now), true);
        Some(ask)
    }

    /// `now` is when the answer came, or when it was no longer waited for.
    pub fn answered(&mut self, answer: Answer, now: Instant) -> Change {
        self.is_asking = false;
        let asked_at = self.asked_at.unwrap_or(now);
        let nobody_else = self.nobody_else(asked_at);
        match (&mut self.state, answer) {
            (State::Standby, Answer::Ours(revision)) => {
                let term = revision.max(self.term_heard + 1);
                self.term_heard = term;
                let (from, until) = (now + SETTLE, asked_at + FENCE);
                self.state = State::Leader { revision, term, from, until };
                Change::Acquired(term)
            }
            (State::Leader { revision, until, .. }, Answer::Ours(renewed)) => {
                (*revision, *until) = (renewed, asked_at + FENCE);
                Change::None
            }
            (State::Leader { until, .. }, Answer::NoJetStream) => {
                // One that was past its fence may have been followed by another.
                if asked_at < *until || nobody_else {
                    *until = asked_at + FENCE;
                }
                Change::None
            }
            (State::Leader { .. }, Answer::Refused) => {
                self.state = State::Standby;
                Change::Lost
            }
            (State::Leader { .. }, Answer::Silence) | (State::Standby | State::Alone { .. }, _) => {
                Change::None
            }
        }
    }

    /// A connection is there, and from now on who leads is heard.
    pub fn listens(&mut self, now: Instant) {
        (self.listens_from, self.is_asking) = (Some(now), false);
    }

    /// Another publisher was heard, which leads with this term.
    pub fn heard(&mut self, term: u64, now: Instant) {
        self.heard_at = Some(now);
        self.saw_term(term);
    }

    /// Somebody had this term once.
    pub fn saw_term(&mut self, term: u64) {
        self.term_heard = self.term_heard.max(term);
        if let State::Alone { term } = &mut self.state {
            *term = (*term).max(self.term_heard + 1);
        }
    }

    /// The leader said that it goes: it need not be waited for.
    pub fn leader_left(&mut self) {
        self.heard_at = None;
    }

    /// Whether it may publish at this moment.
    pub fn may_publish(&self, now: Instant) -> bool {
        match self.state {
            State::Standby => false,
            State::Leader { from, until, .. } => from <= now && now < until,
            State::Alone { .. } => true,
        }
    }

    /// Ours, or the highest that was heard.
    pub fn term(&self) -> u64 {
        match self.state {
            State::Standby => self.term_heard,
            State::Leader { term, .. } | State::Alone { term } => term,
        }
    }

    /// Whether one that leads would have been heard, and was not.
    fn nobody_else(&self, now: Instant) -> bool {
        let is_long = |at: Instant| now.saturating_duration_since(at) >= LEADER_SILENT;
        self.listens_from.is_some_and(is_long) && self.heard_at.is_none_or(is_long)
    }

    /// What is to be given back at the end.
    pub fn revision(&self) -> Option<u64> {
        match self.state {
            State::Leader { revision, .. } => Some(revision),
            State::Standby | State::Alone { .. } => None,
        }
    }

    /// It was given back.
    pub fn given_back(&mut self) {
        self.state = State::Standby;
    }
}

#[cfg(test)]
mod tests;
