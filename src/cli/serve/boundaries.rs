//! Flags of error boundaries.

use crate::config::BoundarySettings;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Error boundaries")]
pub struct BoundaryArgs {
    /// Let clients and feed lines ask for panics and stalls: for staging and tests only
    #[arg(long)]
    pub fault_injection: bool,
    /// Restarts of one shard after a panic, within the window; one more and the process exits
    /// with code 70
    #[arg(
        long,
        value_name = "N",
        default_value_t = BoundarySettings::default().shard_restarts_max
    )]
    pub shard_restarts: u32,
    /// The window over which restarts are counted
    #[arg(
        long,
        value_name = "MS",
        default_value_t = BoundarySettings::default().shard_restart_window_ms
    )]
    pub shard_restart_window_ms: u64,
    /// Time after which a shard that does not turn is logged as stuck
    #[arg(long, value_name = "MS", default_value_t = BoundarySettings::default().stuck_report_ms)]
    pub stuck_report_ms: u64,
    /// Time after which the process exits with code 71 because of it
    #[arg(long, value_name = "MS", default_value_t = BoundarySettings::default().stuck_exit_ms)]
    pub stuck_exit_ms: u64,
    /// First wait before a feed that died is started again; it doubles with each death in a row
    #[arg(long, value_name = "MS", default_value_t = BoundarySettings::default().feed_retry_ms)]
    pub feed_retry_ms: u64,
    /// The longest of these waits
    #[arg(long, value_name = "MS", default_value_t = BoundarySettings::default().feed_retry_ms_max)]
    pub feed_retry_ms_max: u64,
}

impl BoundaryArgs {
    pub fn settings(&self) -> BoundarySettings {
        BoundarySettings {
            shard_restarts_max: self.shard_restarts,
            shard_restart_window_ms: self.shard_restart_window_ms,
            stuck_report_ms: self.stuck_report_ms,
            stuck_exit_ms: self.stuck_exit_ms,
            feed_retry_ms: self.feed_retry_ms,
            feed_retry_ms_max: self.feed_retry_ms_max,
        }
    }
}
