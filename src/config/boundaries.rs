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

/// The reasons stand with the declarations, in `tables/boundaries.rs` and `tables/feeds.rs`.
impl Default for BoundarySettings {
    fn default() -> BoundarySettings {
        BoundarySettings {
            shard_restarts_max: 5,
            shard_restart_window_ms: 60_000,
            stuck_report_ms: 2_000,
            stuck_exit_ms: 10_000,
            feed_retry_ms: 500,
            feed_retry_ms_max: 30_000,
        }
    }
}
