//! Sessions as an operator is shown them.

use super::Hub;
use crate::session::{Now, Phase, Place, Session};
use std::net::SocketAddr;

/// One session at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    pub id: u64,
    pub peer: SocketAddr,
    pub state: SessionState,
    pub age_ms: u64,
    /// Pairs of a symbol and a channel that it asked for; `*` counts as one of each channel.
    pub subscriptions: u64,
    /// Symbols that it asked for; with `*`, all that there are.
    pub symbols: u64,
    /// Ticks of the shard that came after the last that it has, whether it wants them or not.
    pub behind_ticks: u64,
    /// For so long its socket has taken nothing of what it was given; `None` where nothing waits.
    pub behind_ms: Option<u64>,
    /// What waits for its socket in this process.
    pub unsent_bytes: u64,
}

/// What a session does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Its request is awaited.
    HalfOpen,
    /// Has asked for nothing.
    Unsubscribed,
    /// Has all that it asked for, or gets it now.
    Subscribed,
    /// Its socket does not take what it is owed.
    Lagging,
    /// Gets its own messages back.
    Echoing,
    Closing,
}

impl SessionState {
    pub fn word(self) -> &'static str {
        match self {
            SessionState::HalfOpen => "half_open",
            SessionState::Unsubscribed => "unsubscribed",
            SessionState::Subscribed => "subscribed",
            SessionState::Lagging => "lagging",
            SessionState::Echoing => "echoing",
            SessionState::Closing => "closing",
        }
    }

    fn of(session: &Session) -> SessionState {
        match (&session.phase, &session.place) {
            (Phase::Upgrading(_), _) => SessionState::HalfOpen,
            (Phase::Closing(_) | Phase::Lingering(_) | Phase::Ended(_), _) => SessionState::Closing,
            _ if session.is_unfinished() => SessionState::Lagging,
            (Phase::Echoing, _) => SessionState::Echoing,
            (Phase::Streaming, Place::Apart) => SessionState::Unsubscribed,
            (Phase::Streaming, _) => SessionState::Subscribed,
        }
    }
}

impl Hub {
    /// One more than the highest slot that was ever in use.
    pub fn slots_len(&self) -> u32 {
        self.sessions.slots_len()
    }

    /// How far a session is behind, and whether its socket takes nothing.
    pub fn standing(&self, slot: u32) -> Option<(u64, bool)> {
        let session = self.sessions.at(slot)?;
        Some((self.behind_ticks(session), SessionState::of(session) == SessionState::Lagging))
    }

    pub fn view(&self, slot: u32, now: Now) -> Option<SessionView> {
        let session = self.sessions.at(slot)?;
        let (subscriptions, symbols) = self.extent(session);
        let outgoing = session.outgoing.as_ref();
        let waits = outgoing.filter(|outgoing| outgoing.is_unfinished());
        Some(SessionView {
            id: session.id,
            peer: session.peer,
            state: SessionState::of(session),
            age_ms: now.ms.saturating_sub(session.deadlines.opened_at_ms),
            subscriptions,
            symbols,
            behind_ticks: self.behind_ticks(session),
            behind_ms: waits.map(|outgoing| now.ms.saturating_sub(outgoing.progress_at_ms)),
            unsent_bytes: outgoing.map_or(0, |outgoing| outgoing.unsent_bytes() as u64),
        })
    }

    fn behind_ticks(&self, session: &Session) -> u64 {
        match &session.place {
            Place::Behind(lag) => self.book.arrivals().saturating_sub(lag.mark),
            Place::Apart | Place::InStep(_) => 0,
        }
    }

    fn extent(&self, session: &Session) -> (u64, u64) {
        let Some(cohort) = self.cohorts.at(session.cohort) else { return (0, 0) };
        let interest = &cohort.key.interest;
        let named = interest.named();
        let channels = |set: crate::market::ChannelSet| set.iter().count() as u64;
        let pairs: u64 = named.iter().map(|(_, set)| channels(*set)).sum();
        let all = channels(interest.all());
        let symbols = if all > 0 { self.book.symbols.len() } else { named.len() };
        (pairs + all, symbols as u64)
    }
}
