//! What the server may hold, as a sum that is printed at start.

use crate::config::Settings;
use crate::hub::accounts::SESSION_BYTES;
use crate::hub::book::RECENT_TICKS_MAX;
use crate::limits::{
    INLET_TICKS, RECEIVE_BUFFER_BYTES, RECEIVE_BUFFERS, RING_COMPLETIONS, RING_ENTRIES,
};
use crate::market::Tick;

/// Descriptors that are not for clients: listeners, eventfds, rings, feeds, logs, and what a
/// library opens for a moment.
const DESCRIPTORS_RESERVED: u64 = 128;

/// The same per shard: listener, two rings, eventfds of glommio and its own.
const DESCRIPTORS_PER_SHARD: u64 = 16;

/// One tape entry: a tick, its arrival number, and the way back to its symbol's last one.
const TAPE_ENTRY_BYTES: usize = size_of::<Tick>() * 5 / 4;

/// Limits and the memory behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub descriptors: u64,
    pub sessions_per_shard: usize,
    pub shards: usize,
    /// Bytes that each shard needs whoever connects: tape, inlet, ring, buffers.
    pub shard_bytes: usize,
    /// Bytes of an idle client in the process.
    pub session_bytes: usize,
    /// Bytes that the kernel may hold for one client that does not read: at most twice
    /// `SO_SNDBUF`, and as much unread as `SO_RCVBUF` allows.
    pub socket_bytes_max: usize,
}

impl Budget {
    /// `descriptors` is the hard limit of the process.
    pub fn new(settings: &Settings, shards: usize, descriptors: u64) -> Budget {
        let reserve = DESCRIPTORS_RESERVED + DESCRIPTORS_PER_SHARD * shards as u64;
        let sessions = descriptors.saturating_sub(reserve) / shards as u64;
        let inlet = INLET_TICKS * size_of::<Tick>();
        let tape = settings.hub.tape_ticks * TAPE_ENTRY_BYTES;
        let recent = RECENT_TICKS_MAX * (size_of::<Tick>() + 8);
        let buffers = usize::from(RECEIVE_BUFFERS) * RECEIVE_BUFFER_BYTES as usize;
        let ring = RING_ENTRIES as usize * 64 + RING_COMPLETIONS as usize * 16;
        let sockets = settings.sockets;
        Budget {
            descriptors,
            sessions_per_shard: usize::try_from(sessions).unwrap_or(usize::MAX),
            shards,
            shard_bytes: inlet + tape + recent + buffers + ring,
            session_bytes: SESSION_BYTES,
            socket_bytes_max: 2
                * (sockets.send_buffer_bytes + sockets.receive_buffer_bytes) as usize,
        }
    }

    pub fn sessions_max(&self) -> usize {
        self.sessions_per_shard.saturating_mul(self.shards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_less_the_reserve_are_shared_by_the_shards() {
        let budget = Budget::new(&Settings::default(), 2, 20_000);
        assert_eq!(budget.sessions_per_shard, (20_000 - 128 - 32) / 2);
        assert_eq!(Budget::new(&Settings::default(), 2, 100).sessions_per_shard, 0);
    }
}
