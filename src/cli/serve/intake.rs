//! Flags of what is taken in from clients.

use crate::hub::HubSettings;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Intake")]
pub struct IntakeArgs {
    /// Bytes a second that one client may send, after a burst; what comes faster waits in its
    /// socket
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = HubSettings::default().intake_bytes_per_second
    )]
    pub intake_bytes_per_second: u32,
}
