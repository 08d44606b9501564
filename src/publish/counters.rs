//! What a publisher has done so far: written by its thread alone, read by anyone.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Plain counts since the start, and the present state.
#[derive(Debug, Default)]
pub struct PublishCounters {
    /// Lines that were handed to NATS, each once.
    pub lines: AtomicU64,
    /// Messages that they made, each once.
    pub messages: AtomicU64,
    /// Bytes of their lines.
    pub bytes: AtomicU64,
    /// Messages that JetStream stored.
    pub stored: AtomicU64,
    /// Messages that it knew already, and stored no second time.
    pub repeated: AtomicU64,
    /// Messages that went out live and were not stored.
    pub unstored: AtomicU64,
    /// Messages that were sent again after a reconnect.
    pub resent: AtomicU64,
    /// Messages that were dropped because another publisher leads.
    pub dropped: AtomicU64,
    /// Ticks that another publisher had published already.
    pub known: AtomicU64,
    /// Connections that were made.
    pub connects: AtomicU64,
    /// Times that it became the leader.
    pub terms: AtomicU64,
    /// The present, or the last one.
    pub term: AtomicU64,
    /// Messages of others that a standby heard.
    pub heard: AtomicU64,
    /// Turns of its thread: where these stand still, it does.
    pub turns: AtomicU64,
    pub is_connected: AtomicBool,
    role: AtomicU8,
}

/// What a publisher is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// It listens to the one that leads, or nobody leads.
    Standby,
    /// It publishes.
    Leader,
    /// It led and cannot renew the lease, or has no connection; what comes waits.
    Paused,
}

impl Role {
    const ALL: [Role; 3] = [Role::Standby, Role::Leader, Role::Paused];

    pub fn word(self) -> &'static str {
        match self {
            Role::Standby => "standby",
            Role::Leader => "leader",
            Role::Paused => "paused",
        }
    }
}

impl PublishCounters {
    pub fn role(&self) -> Role {
        let number = self.role.load(Ordering::Relaxed);
        Role::ALL.into_iter().find(|role| *role as u8 == number).unwrap_or(Role::Standby)
    }

    pub(super) fn set_role(&self, role: Role) {
        self.role.store(role as u8, Ordering::Relaxed);
    }
}

/// Adds to a counter of which this thread is the only writer.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed) + count, Ordering::Relaxed);
}

impl fmt::Display for PublishCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(f, "{} (term {})", self.role().word(), of(&self.term))?;
        write!(f, ": {} lines in {} messages", of(&self.lines), of(&self.messages))?;
        for (counter, what) in [
            (&self.stored, "stored"),
            (&self.repeated, "known to the stream"),
            (&self.unstored, "not stored"),
            (&self.resent, "sent again"),
            (&self.dropped, "dropped"),
            (&self.known, "ticks of others"),
            (&self.heard, "heard"),
        ] {
            if of(counter) > 0 {
                write!(f, ", {} {what}", of(counter))?;
            }
        }
        write!(f, ", {} connections", of(&self.connects))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_one_line_without_noughts() {
        let counters = PublishCounters::default();
        counters.set_role(Role::Leader);
        for (counter, count) in [
            (&counters.lines, 7),
            (&counters.messages, 3),
            (&counters.stored, 3),
            (&counters.term, 5),
            (&counters.connects, 1),
        ] {
            add(counter, count);
        }
        let text = counters.to_string();
        assert_eq!(text, "leader (term 5): 7 lines in 3 messages, 3 stored, 1 connections");
    }
}
