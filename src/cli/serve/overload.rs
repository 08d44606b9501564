//! Flags for memory and lag.

use crate::hub::LagSettings;
use crate::server::MemoryBudget;
use std::io::{self, Write};

/// What happens when memory or time run out.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Overload")]
pub struct OverloadArgs {
    /// Memory of the whole server, its clients' sockets included, for example 512M or 4G
    ///
    /// [default: 80 % of the control group's limit, or of what the machine has]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub memory_budget: Option<u64>,
    /// Lag (p99 over some seconds) above which a shard refuses new connections; 0 turns it off
    #[arg(long, value_name = "MS", default_value_t = LagSettings::default().refuse_ms)]
    pub lag_refuse_ms: u64,
    /// Lag above which a shard widens its batching window step by step, up to 250 ms; 0 turns it
    /// off
    #[arg(long, value_name = "MS", default_value_t = LagSettings::default().widen_ms)]
    pub lag_widen_ms: u64,
}

impl OverloadArgs {
    pub fn lag(&self) -> LagSettings {
        LagSettings { refuse_ms: self.lag_refuse_ms, widen_ms: self.lag_widen_ms }
    }
}

/// What clients may use, as a sum.
pub fn print(memory: &MemoryBudget, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "  clients  may use {} MiB: {} % of {} MiB ({memory}), less {} MiB of the process itself; \
         {} MiB a shard",
        memory.clients_bytes >> 20,
        memory.share_percent,
        memory.limit_bytes >> 20,
        memory.own_bytes >> 20,
        (memory.clients_bytes / memory.shards) >> 20
    )
}

/// A number of bytes, with `K`, `M`, `G` or `T` for powers of 1,024.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a number of bytes; write it like 800M or 4G");
    let shift = match text.chars().last().map(|unit| unit.to_ascii_uppercase()) {
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        Some('T') => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { &text[..text.len() - 1] };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes("1000"), Ok(1_000));
        assert_eq!(bytes("64K"), Ok(65_536));
        assert_eq!(bytes("3m"), Ok(3 << 20));
        assert_eq!(bytes("4G"), Ok(4 << 30));
        for text in ["", "M", "1.5G", "-1", "4GB", "99999999999T", "1é"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
