//! Flags of admission.

use crate::config::AdmissionSettings;
use crate::server::Budget;
use std::io::{self, Write};

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Admission")]
pub struct AdmissionArgs {
    /// Sessions of the whole server [default: what descriptors and memory have room for]
    #[arg(long, value_name = "N")]
    pub max_sessions: Option<usize>,
    /// Connections whose upgrade has not come yet [default: seven eighths of the sessions]
    #[arg(long, value_name = "N")]
    pub max_half_open: Option<usize>,
    /// New sessions a second, after a burst
    #[arg(long, value_name = "N", default_value_t = AdmissionSettings::default().accept_rate)]
    pub accept_rate: u32,
    /// New sessions at once
    #[arg(long, value_name = "N", default_value_t = AdmissionSettings::default().accept_burst)]
    pub accept_burst: u32,
    /// Sessions from one IPv4 address, or one /64 network of IPv6
    #[arg(
        long,
        value_name = "N",
        default_value_t = AdmissionSettings::default().max_per_address
    )]
    pub max_per_address: u32,
    /// Whether connections from this machine are free of --max-per-address
    #[arg(
        long,
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        default_value_t = AdmissionSettings::default().exempt_loopback
    )]
    pub exempt_loopback: bool,
    /// Time for telling a client that it is refused
    #[arg(long, value_name = "MS", default_value_t = AdmissionSettings::default().refusal_ms)]
    pub refusal_ms: u64,
}

impl AdmissionArgs {
    pub fn settings(&self) -> AdmissionSettings {
        AdmissionSettings {
            max_sessions: self.max_sessions,
            max_half_open: self.max_half_open,
            accept_rate: self.accept_rate,
            accept_burst: self.accept_burst,
            max_per_address: self.max_per_address,
            exempt_loopback: self.exempt_loopback,
            refusal_ms: self.refusal_ms,
        }
    }
}

/// The limits as sums, as a part of what is printed at start.
pub fn print(
    settings: &AdmissionSettings,
    budget: &Budget,
    out: &mut impl Write,
) -> io::Result<()> {
    let Budget { sessions_max, descriptors, descriptors_reserved, descriptors_passing, .. } =
        budget;
    let half_open: usize = budget.admission.iter().map(|limits| limits.half_open_max).sum();
    let loopback = if settings.exempt_loopback { ", loopback exempt" } else { "" };
    writeln!(
        out,
        "  limits   {sessions_max} sessions; {descriptors} descriptors - {descriptors_reserved} \
         reserved ({}) - {descriptors_passing} for refusals and hand-over = {} for sessions",
        budget.reserve_in_words(),
        descriptors.saturating_sub(descriptors_reserved + descriptors_passing)
    )?;
    writeln!(
        out,
        "           {half_open} half-open; {} new ones a second after {} at once; {} an address\
         {loopback}",
        settings.accept_rate, settings.accept_burst, settings.max_per_address
    )
}
