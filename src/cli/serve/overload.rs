//! The memory as a sum, as a part of what is printed at start.

use crate::server::MemoryBudget;
use std::io::{self, Write};

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
