//! What the server may hold, as a sum that is printed at start.

use crate::config::Settings;
use crate::feed::{self, FeedSpec};
use crate::hub::AdmissionLimits;
use crate::hub::accounts::SESSION_BYTES;
use crate::hub::book::RECENT_TICKS_MAX;
use crate::limits::{
    ADMIN_CONNECTIONS_MAX, FEEDS_MAX, HANDED_MAX, INLET_TICKS, RECEIVE_BUFFER_BYTES,
    RECEIVE_BUFFERS, REFUSALS_MAX, REFUSALS_SHARE, RING_COMPLETIONS, RING_ENTRIES,
    SINGLE_ACCEPTS_MAX,
};
use crate::market::Tick;

/// Descriptors that are not for clients, by what they are for. The process's:
const RESERVE: [(&str, u64); 5] = [
    // Its connections; its listener, and of both runtimes (its own and the main thread's) the
    // epoll, the eventfd and the pipe of signals.
    ("admin", ADMIN_CONNECTIONS_MAX as u64 + 16),
    // An open file each, and its reconnect beside the old one.
    ("feeds", 2 * FEEDS_MAX as u64),
    // Standard input, output and error, and a log file that is being rotated.
    ("logs", 8),
    // What a successor is passed, and what a shard that starts again opens before the old is gone.
    ("restart", 32),
    // What a library opens for a moment: /proc, time zones, resolvers.
    ("library", 16),
];

/// Each shard's: its listener; two rings and their eventfds; glommio's own; the spare one.
const RESERVE_PER_SHARD: u64 = 20;

/// One tape entry: a tick, its arrival number, and the way back to its symbol's last one.
const TAPE_ENTRY_BYTES: usize = size_of::<Tick>() * 5 / 4;

/// What a client is expected to hold when the default number of sessions is derived from the
/// memory: a sixteenth of the worst case of its socket, which is twice what it holds at rest. Most
/// clients keep up; that the worst case of all together is survived is the breaker's matter.
const SOCKET_BYTES_SHARE: usize = 16;

/// Limits and the memory behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The hard limit of the process.
    pub descriptors: u64,
    /// Of these, what is not for clients.
    pub descriptors_reserved: u64,
    /// Of these, what is for feeds' publishers.
    pub publisher_descriptors: u64,
    /// Of these, what refusals and sockets on their way between shards may hold.
    pub descriptors_passing: u64,
    pub sessions_max: usize,
    pub shards: usize,
    /// Bytes that each shard needs whoever connects: tape, inlet, ring, buffers.
    pub shard_bytes: usize,
    /// Bytes of an idle client in the process.
    pub session_bytes: usize,
    /// Bytes that the kernel may hold for one client that does not read: at most twice
    /// `SO_SNDBUF`, and as much unread as `SO_RCVBUF` allows.
    pub socket_bytes_max: usize,
    /// By shard.
    pub admission: Vec<AdmissionLimits>,
}

impl Budget {
    /// `descriptors` is the hard limit of the process, `memory_bytes` what clients may use.
    pub fn new(settings: &Settings, shards: usize, descriptors: u64, memory_bytes: u64) -> Budget {
        let reserve: u64 = RESERVE.iter().map(|(_, count)| count).sum();
        let publishers = feeds_that_listen(settings).map(|max| feed::descriptors(max) as u64).sum();
        let reserve = reserve + RESERVE_PER_SHARD * shards as u64 + publishers;
        // "No limit" is far more than an address has ports, so nothing is lost by less.
        let clients = descriptors.saturating_sub(reserve).min(1 << 30) as usize;
        let refusals = REFUSALS_MAX.min(clients / shards / REFUSALS_SHARE);
        let moving = HANDED_MAX + SINGLE_ACCEPTS_MAX;
        let passing = (refusals + moving.min(clients / shards / REFUSALS_SHARE)) * shards;
        let session_bytes = SESSION_BYTES;
        let sockets = settings.sockets;
        let socket_bytes_max =
            2 * (sockets.send_buffer_bytes + sockets.receive_buffer_bytes) as usize;
        let by_memory =
            memory_bytes / (session_bytes + socket_bytes_max / SOCKET_BYTES_SHARE) as u64;
        let by_memory = usize::try_from(by_memory).unwrap_or(usize::MAX);
        let room = (clients - passing).min(by_memory);
        let sessions_max = settings.admission.max_sessions.map_or(room, |max| {
            max.min(clients - passing) // descriptors end where they end
        });
        let share = |index| settings.admission.share(index, shards, sessions_max, clients);
        Budget {
            descriptors,
            descriptors_reserved: reserve,
            publisher_descriptors: publishers,
            descriptors_passing: passing as u64,
            sessions_max,
            shards,
            shard_bytes: shard_bytes(settings),
            session_bytes,
            socket_bytes_max,
            admission: (0..shards).map(share).collect(),
        }
    }

    /// The least limit of open files that has room for so many sessions.
    pub fn descriptors_for(settings: &Settings, shards: usize, sessions: usize) -> u64 {
        let mut settings = settings.clone();
        settings.admission.max_sessions = Some(sessions);
        let suffices = |descriptors| {
            Budget::new(&settings, shards, descriptors, u64::MAX).sessions_max >= sessions
        };
        let (mut least, mut most) = (0, 1u64 << 31);
        while least < most {
            let middle = least.midpoint(most);
            if suffices(middle) { most = middle } else { least = middle + 1 }
        }
        least
    }

    /// The reserve as a sum, in words.
    pub fn reserve_in_words(&self) -> String {
        let parts = RESERVE.iter().map(|(name, count)| format!("{count} {name}"));
        let publishers = Some(self.publisher_descriptors).filter(|count| *count > 0);
        let publishers = publishers.map(|count| format!("{count} publishers"));
        let parts: Vec<String> = parts.chain(publishers).collect();
        format!("{} + {RESERVE_PER_SHARD} a shard", parts.join(" + "))
    }
}

/// Of each feed that listens, how many publishers it may have. What is no feed is not started.
fn feeds_that_listen(settings: &Settings) -> impl Iterator<Item = usize> {
    let specs = settings.feeds.iter().filter_map(|text| text.parse::<FeedSpec>().ok());
    specs.filter_map(|spec| spec.publishers_max())
}

/// Bytes that one shard needs whoever connects.
pub fn shard_bytes(settings: &Settings) -> usize {
    let inlet = INLET_TICKS * (size_of::<Tick>() + size_of::<usize>());
    let tape = settings.hub.tape_ticks * TAPE_ENTRY_BYTES;
    let recent = RECENT_TICKS_MAX * (size_of::<Tick>() + 8);
    let buffers = usize::from(RECEIVE_BUFFERS) * RECEIVE_BUFFER_BYTES as usize;
    let ring = RING_ENTRIES as usize * 64 + RING_COMPLETIONS as usize * 16;
    inlet + tape + recent + buffers + ring
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(shards: usize, descriptors: u64, max_sessions: Option<usize>) -> Budget {
        let mut settings = Settings::default();
        settings.admission.max_sessions = max_sessions;
        Budget::new(&settings, shards, descriptors, 16 << 30)
    }

    #[test]
    fn sessions_refusals_and_the_reserve_are_never_more_than_the_descriptors() {
        for shards in [1, 2, 8, 64] {
            for descriptors in [0, 100, 400, 1_024, 20_000, 1 << 20] {
                let budget = budget(shards, descriptors, None);
                let sum = budget.sessions_max as u64
                    + budget.descriptors_passing
                    + budget.descriptors_reserved;
                assert!(sum <= descriptors.max(budget.descriptors_reserved), "{budget:?}");
                let sessions = budget.admission.iter().map(|limits| limits.sessions_max);
                assert_eq!(sessions.sum::<usize>(), budget.sessions_max);
            }
        }
        assert!(budget(1, 20_000, None).sessions_max >= 18_000);
        assert!(budget(2, 20_000, None).sessions_max >= 17_000);
    }

    #[test]
    fn publishers_have_descriptors_of_their_own() {
        let mut settings = Settings::default();
        let without = Budget::new(&settings, 2, 20_000, 16 << 30);
        let feeds = ["synthetic", "tcp:127.0.0.1:0,connections=10", "unix:/x,connections=1"];
        settings.feeds = feeds.map(str::to_string).to_vec();
        let with = Budget::new(&settings, 2, 20_000, 16 << 30);
        let more = with.descriptors_reserved - without.descriptors_reserved;
        assert_eq!((more, with.publisher_descriptors), (59, 59), "11 and twice 24");
        assert!(with.reserve_in_words().contains("+ 59 publishers + "));
        assert!(!without.reserve_in_words().contains("publishers"));
    }

    #[test]
    fn memory_and_the_setting_lower_the_sessions_and_descriptors_bound_the_setting() {
        let settings = Settings::default();
        let expected = (64 << 20) / (SESSION_BYTES + 2 * 64 * 1024 / SOCKET_BYTES_SHARE);
        assert_eq!(Budget::new(&settings, 1, 20_000, 64 << 20).sessions_max, expected);
        assert_eq!(budget(2, 20_000, Some(5_001)).sessions_max, 5_001);
        assert!(budget(2, 1_024, Some(5_001)).sessions_max < 1_024);
    }
}
