//! What the hub needs of the configuration.

use super::AdmissionLimits;
use super::accounts::MemorySettings;
use super::pacing::LagSettings;
use crate::limits;

/// Times in ms. Defaults without a reason here have it where the configuration declares them.
#[derive(Debug, Clone)]
pub struct HubSettings {
    pub tape_ticks: usize,
    /// Batching window of all cohorts without a rate; 0 flushes every turn.
    pub flush_ms: u64,
    pub handshake_ms: u64,
    pub ping_ms: u64,
    pub pong_ms: u64,
    pub write_stall_ms: u64,
    /// How long a session that is closing may take to end.
    pub close_ms: u64,
    /// The shortest that a client is told to wait before it comes back, and the random part on
    /// top of it. The wait grows with the number of those who were told, see `admission::Hints`.
    pub retry_ms: u64,
    pub jitter_ms: u64,
    pub session_symbols_max: usize,
    /// Of one client, after `INTAKE_BURST_BYTES`. `/echo` has no limit.
    pub intake_bytes_per_second: u32,
    pub echo: bool,
    pub memory: MemorySettings,
    pub lag: LagSettings,
    pub admission: AdmissionLimits,
    /// Payload of a frame of events, within the limits; less lets small flushes need several.
    pub frame_bytes: usize,
    /// Clients may ask for panics: staging and tests alone.
    pub fault_injection: bool,
    /// Clients a second that this shard lets in: what the hints of a drain spread the return to.
    pub returns_per_second: u64,
    /// Sends of one batch, at least 1; fewer than the default let few clients make many batches.
    pub batch_sends: usize,
    /// Every feed is a replay, which is slowed for clients that take data and lag; set at start.
    pub waits_for_readers: bool,
    /// Breaks conflation on purpose, so that the simulation can prove that it would see it.
    #[doc(hidden)]
    pub canary: bool,
}

impl Default for HubSettings {
    fn default() -> HubSettings {
        HubSettings {
            tape_ticks: limits::TAPE_TICKS,
            flush_ms: 0,
            handshake_ms: 10_000,
            ping_ms: 45_000,
            pong_ms: 20_000,
            write_stall_ms: 15_000,
            close_ms: 5_000,
            // A second is over before the queue of a full backlog is; five more blur the edges of
            // what is given out in slots already.
            retry_ms: 1_000,
            jitter_ms: 5_000,
            session_symbols_max: limits::SESSION_SYMBOLS_MAX,
            intake_bytes_per_second: 128 * 1024,
            echo: false,
            memory: MemorySettings::default(),
            lag: LagSettings::default(),
            admission: AdmissionLimits::default(),
            fault_injection: false,
            // An accept costs some 20 us, so this is a tenth of a core: who was never away is
            // served meanwhile.
            returns_per_second: 5_000,
            batch_sends: limits::SENDS_PER_CHUNK,
            frame_bytes: limits::FRAME_PAYLOAD_BYTES_MAX,
            waits_for_readers: false,
            canary: false,
        }
    }
}
