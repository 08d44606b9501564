//! Sends that the shard is asked to make, and what it is asked to do with sockets.

/// Bytes of one batch of frames that each go to one session only.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// `bytes[start..end]` to the socket of `slot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    pub slot: u32,
    pub start: usize,
    pub end: usize,
}

/// Whose bytes a batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The same frames to each: a cohort's flush.
    Flush,
    /// To each its own: answers, catch-ups.
    Own,
}

/// The sends of one call, which the shard makes at once and answers with `Hub::sent`.
#[derive(Debug)]
pub struct Batch {
    pub(super) source: Source,
    pub(super) sends: Vec<Send>,
    /// Of the flush under way; stays until its last member is served.
    pub(super) flush_bytes: Vec<u8>,
    pub(super) own_bytes: Vec<u8>,
}

impl Batch {
    pub fn new() -> Batch {
        let (sends, flush_bytes, own_bytes) = (Vec::new(), Vec::new(), Vec::new());
        Batch { source: Source::Own, sends, flush_bytes, own_bytes }
    }

    pub fn sends(&self) -> &[Send] {
        &self.sends
    }

    pub fn bytes(&self) -> &[u8] {
        match self.source {
            Source::Flush => &self.flush_bytes,
            Source::Own => &self.own_bytes,
        }
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

/// What the shard is to do with a socket, in the order in which the hub came to want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send `Hub::rest(slot)` when the socket takes it, and report each progress.
    SendRest { slot: u32 },
    /// Shut our side of the connection: everything is sent.
    Shut { slot: u32 },
    /// Do not receive, since it sends too fast; bytes that have come are still given to the hub.
    Pause { slot: u32 },
    /// Receive again.
    Resume { slot: u32 },
    /// Cancel what is under way, close the descriptor, then call `Hub::release`.
    Drop { slot: u32, abort: bool },
}
