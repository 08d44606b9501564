//! The state of one session.

use super::{Bucket, CloseReason, Intake, Lag, Outgoing};
use crate::wire::{Decoder, Format, Rate};
use std::net::SocketAddr;

/// How far a connection has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its HTTP request is awaited; holds what has come of it, where it did not come at once.
    Upgrading(Vec<u8>),
    /// Subscribes and is sent the market.
    Streaming,
    /// Gets its own messages back (`/echo`).
    Echoing,
    /// Its last frames are on their way; nothing is added to them.
    Closing(CloseReason),
    /// Everything is sent and our side of the connection is shut; the peer's end is awaited.
    Lingering(CloseReason),
    /// The shard was told to let the socket go; the slot waits for its last completions.
    Ended(CloseReason),
}

/// Where a session stands relative to its cohort.
#[derive(Debug)]
pub enum Place {
    /// Has subscribed to nothing.
    Apart,
    /// Has all that the cohort has flushed; its index in the cohort's member list.
    InStep(u32),
    /// Owed something; a catch-up will bring it.
    Behind(Box<Lag>),
}

/// All in ms of the shard's clock.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    pub opened_at_ms: u64,
    pub received_at_ms: u64,
    /// When the unanswered ping was sent; 0 for none.
    pub pinged_at_ms: u64,
    /// When the next heartbeat is due; `u64::MAX` for never.
    pub heartbeat_at_ms: u64,
    /// When a session that is closing is cut, or one that is drained is closed.
    pub close_at_ms: u64,
    /// Until when nothing is read from it, because it sent too fast; `u64::MAX`: it is read from.
    pub resume_at_ms: u64,
    /// When the timing wheel looks at this session next.
    pub armed_at_ms: u64,
}

/// One client. Kept small: an idle one is this struct and its slot in a few dense arrays.
#[derive(Debug)]
pub struct Session {
    /// Correlation id, in logs and in the `connected` message as 16 hexadecimal digits.
    pub id: u64,
    /// Counts the uses of the slot, so that late completions find nobody.
    pub generation: u32,
    pub cohort: u32,
    /// The socket's, or the client's behind a trusted proxy as soon as it is known.
    pub peer: SocketAddr,
    pub phase: Phase,
    pub place: Place,
    pub decoder: Decoder,
    pub outgoing: Option<Box<Outgoing>>,
    pub deadlines: Deadlines,
    /// Items put into frames for it, beside those of its cohort's flushes while in step.
    pub items: u64,
    pub commands: Bucket,
    pub intake: Intake,
    pub heartbeat_ms: u32,
    pub rate: Rate,
    pub format: Format,
    /// Commands that were refused or unreadable.
    pub strikes: u16,
    pub authenticated: bool,
    /// A heartbeat goes out with what is composed for it next.
    pub heartbeat_due: bool,
    /// In the hub's list of sessions that have something to be composed.
    pub queued: bool,
    /// The server closes it for a restart when its `close_at_ms` comes.
    pub draining: bool,
    /// The peer has ended its side of the connection.
    pub peer_ended: bool,
}

const _: () = assert!(size_of::<Session>() <= 280, "an idle client must stay cheap");

impl Session {
    /// Why it ends, once it does.
    pub fn reason(&self) -> Option<CloseReason> {
        match self.phase {
            Phase::Closing(reason) | Phase::Lingering(reason) | Phase::Ended(reason) => {
                Some(reason)
            }
            Phase::Upgrading(_) | Phase::Streaming | Phase::Echoing => None,
        }
    }

    /// Whether it is held against the limit of its address.
    pub fn is_counted(&self) -> bool {
        self.reason() != Some(CloseReason::AddressFull)
    }

    pub fn is_streaming(&self) -> bool {
        self.phase == Phase::Streaming
    }

    /// Whether what it sends is still read.
    pub fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Upgrading(_) | Phase::Streaming | Phase::Echoing)
    }

    pub fn is_unfinished(&self) -> bool {
        self.outgoing.as_ref().is_some_and(|o| o.is_unfinished())
    }

    /// The buffer for frames of its own; made on first use.
    pub fn personal(&mut self) -> &mut Vec<u8> {
        self.outgoing.get_or_insert_default().personal()
    }

    pub fn lag(&mut self) -> Option<&mut Lag> {
        match &mut self.place {
            Place::Behind(lag) => Some(lag),
            _ => None,
        }
    }
}
