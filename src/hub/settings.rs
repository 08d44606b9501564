//! What the hub needs of the configuration.

use crate::limits;

/// Times in ms. The defaults are justified where the configuration defines them.
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
    /// What a client is told to wait before it comes back, and the random part on top of it.
    pub retry_ms: u64,
    pub jitter_ms: u64,
    pub session_symbols_max: usize,
    pub echo: bool,
    /// Sends of one batch, at least 1; fewer than the default let few clients make many batches.
    pub batch_sends: usize,
    /// Breaks conflation on purpose, so that the simulation can prove that it would see it.
    #[doc(hidden)]
    pub canary: bool,
}

impl Default for HubSettings {
    fn default() -> HubSettings {
        HubSettings {
            tape_ticks: limits::TAPE_TICKS,
            // Under load batches form by themselves; at rest a tick goes out at once.
            flush_ms: 0,
            // A TLS proxy and a slow phone behind it need two seconds; a slowloris gets ten.
            handshake_ms: 10_000,
            // Below the 60 s after which proxies and address translators forget who is silent.
            ping_ms: 45_000,
            // A phone that wakes its radio answers in a few seconds; 20 s is a client that is gone.
            pong_ms: 20_000,
            // Second line behind TCP_USER_TIMEOUT (10 s), which ends who acknowledges nothing: this
            // ends who acknowledges and never reads.
            write_stall_ms: 15_000,
            // A Close frame and its answer are one round trip; five seconds allow for a lossy path.
            close_ms: 5_000,
            retry_ms: 1_000,
            jitter_ms: 5_000,
            session_symbols_max: limits::SESSION_SYMBOLS_MAX,
            echo: false,
            batch_sends: limits::SENDS_PER_CHUNK,
            canary: false,
        }
    }
}
