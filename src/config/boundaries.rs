//! What stops an error of our own, and when it is given up.

/// Times in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundarySettings {
    /// So many restarts of one shard within the window are made; one more ends the process.
    pub shard_restarts_max: u32,
    pub shard_restart_window_ms: u64,
    /// A shard that neither turns nor sleeps for so long is logged, and the watchdog not fed.
    pub stuck_report_ms: u64,
    /// For so long: the process exits, since a stuck thread cannot be ended.
    pub stuck_exit_ms: u64,
    /// The first wait before a feed that died is started again; each next one is twice as long.
    pub feed_retry_ms: u64,
    pub feed_retry_ms_max: u64,
}

impl Default for BoundarySettings {
    fn default() -> BoundarySettings {
        BoundarySettings {
            // A defect that a rare message meets comes once in a while, and its restart costs one
            // shard's clients a reconnect. Five in a minute is a defect that every client's
            // return meets again: then a fresh process, or an operator, must look at it.
            shard_restarts_max: 5,
            shard_restart_window_ms: 60_000,
            // The longest turn of a healthy shard is a flush of 32,768 sends: 150 ms.
            stuck_report_ms: 2_000,
            // A machine that swaps, or a debugger's short stop, is not killed for it; clients
            // have their own heartbeats and are gone by then.
            stuck_exit_ms: 10_000,
            // A file that is being replaced or a pipe's writer that restarts is back in a second.
            feed_retry_ms: 500,
            // Long enough that a feed that stays away costs nothing, short enough that nobody
            // restarts the server by hand to have it sooner.
            feed_retry_ms_max: 30_000,
        }
    }
}
