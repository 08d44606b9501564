//! The limits as sums, as a part of what is printed at start.

use crate::config::AdmissionSettings;
use crate::server::Budget;
use std::io::{self, Write};

/// What is let in, and what that is derived from.
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
