//! The memory that clients may use, as a sum that is printed at start.

use super::cgroup::{self, Controller};
use crate::config::Settings;
use crate::feed::FeedSpec;
use crate::hub::MemorySettings;
use std::fmt;
use std::path::{Path, PathBuf};

/// Of a limit that was found and not given: the rest is for what is not counted, chiefly the
/// allocator's rounding and fragments, and for others on the machine.
const SHARE_PERCENT: u64 = 80;

/// What the process needs beside its shards: its code, the ingest thread with its tables, the
/// runtimes, stacks, and what the allocator keeps (12 MiB measured at the start, with 500 symbols).
const PROCESS_BYTES: u64 = 20 << 20;

/// Each shard's arenas of encoded lines, and what its flush is composed in.
const ARENAS_BYTES: u64 = 4 << 20;

/// The least that is of use for a shard: some hundred clients, a tenth of them stuck.
const SHARD_BYTES_MIN: u64 = 2 << 20;

/// Who says how much memory there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemorySource {
    /// `--memory-budget`.
    Given,
    /// The control group; the file that says so.
    Group(PathBuf),
    /// The machine has no more.
    Physical,
    /// Nobody: the machine does not say what it has.
    Unknown,
}

/// Limit, less what is not for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryBudget {
    pub source: MemorySource,
    pub limit_bytes: u64,
    pub share_percent: u64,
    /// What the process needs whoever connects.
    pub own_bytes: u64,
    pub shards: u64,
    /// What is left for the clients of all shards, in the process and in the kernel.
    pub clients_bytes: u64,
}

/// The budget does not suffice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a memory limit of {} MiB ({budget}) leaves nothing for clients beside the {} MiB that the \
     process needs itself; raise it, or start fewer --shards or a shorter --tape-ticks",
    .budget.limit_bytes >> 20, .budget.own_bytes >> 20
)]
pub struct TooLittleMemory {
    pub budget: MemoryBudget,
}

impl TooLittleMemory {
    /// Whether the budget is a setting, and not what the machine has.
    pub fn is_given(&self) -> bool {
        self.budget.source == MemorySource::Given
    }
}

impl MemoryBudget {
    /// `shard_bytes` is what each shard needs for its tables and buffers.
    pub fn new(
        settings: &Settings,
        shards: usize,
        shard_bytes: usize,
    ) -> Result<MemoryBudget, TooLittleMemory> {
        MemoryBudget::of_root(Path::new("/"), settings, shards, shard_bytes)
    }

    /// The same of the machine whose files are under `root`.
    pub fn of_root(
        root: &Path,
        settings: &Settings,
        shards: usize,
        shard_bytes: usize,
    ) -> Result<MemoryBudget, TooLittleMemory> {
        let (source, limit_bytes) = find(settings.memory_budget_bytes, root);
        let share_percent = if source == MemorySource::Given { 100 } else { SHARE_PERCENT };
        let shards = shards as u64;
        // What is no feed is not started.
        let specs = settings.feeds.iter().filter_map(|text| text.parse::<FeedSpec>().ok());
        let feeds: u64 = specs.map(|spec| spec.memory_bytes() as u64).sum();
        let own_bytes = PROCESS_BYTES + feeds + shards * (shard_bytes as u64 + ARENAS_BYTES);
        let share_bytes = (u128::from(limit_bytes) * u128::from(share_percent) / 100) as u64;
        let clients_bytes = share_bytes.saturating_sub(own_bytes);
        let budget =
            MemoryBudget { source, limit_bytes, share_percent, own_bytes, shards, clients_bytes };
        match clients_bytes < shards * SHARD_BYTES_MIN {
            true => Err(TooLittleMemory { budget }),
            false => Ok(budget),
        }
    }

    /// One shard's part, and what its sockets are taken to cost.
    pub fn shard_settings(&self, settings: &Settings) -> MemorySettings {
        let sockets = &settings.sockets;
        // What is not sent is bounded by the low-water mark, and what lies around it in the
        // kernel is about three quarters of it (58,147 bytes measured with 32 KiB).
        let full = u64::from(sockets.notsent_lowat_bytes) * 7 / 4;
        MemorySettings {
            budget_bytes: self.clients_bytes / self.shards,
            socket_full_bytes: full.min(2 * u64::from(sockets.send_buffer_bytes)),
            ..settings.hub.memory
        }
    }
}

impl fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            MemorySource::Given => write!(f, "--memory-budget"),
            MemorySource::Group(file) => write!(f, "from {}", file.display()),
            MemorySource::Physical => write!(f, "what the machine has"),
            MemorySource::Unknown => write!(f, "unlimited: /proc/meminfo says nothing"),
        }
    }
}

/// The limit that applies: as given, else the group's, else the machine's.
fn find(given: Option<u64>, root: &Path) -> (MemorySource, u64) {
    if let Some(bytes) = given {
        return (MemorySource::Given, bytes);
    }
    let physical = physical_bytes(root);
    let group = cgroup::limit(root, Controller::Memory);
    match group.filter(|group| physical.is_none_or(|physical| group.amount < physical)) {
        Some(group) => (MemorySource::Group(group.file), group.amount),
        None => match physical {
            Some(bytes) => (MemorySource::Physical, bytes),
            None => (MemorySource::Unknown, u64::MAX),
        },
    }
}

/// `MemTotal` of `/proc/meminfo` (proc_meminfo(5)).
pub(super) fn physical_bytes(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(bytes: u64) -> Settings {
        Settings { memory_budget_bytes: Some(bytes), ..Settings::default() }
    }

    #[test]
    fn what_is_given_counts_in_full_and_is_shared_by_the_shards() {
        let settings = given(256 << 20);
        let budget = MemoryBudget::new(&settings, 2, 10 << 20).expect("enough");
        assert_eq!((budget.own_bytes, budget.clients_bytes), (48 << 20, 208 << 20));
        let shard = budget.shard_settings(&settings);
        assert_eq!((shard.budget_bytes, shard.socket_full_bytes), (104 << 20, 57_344));
    }

    #[test]
    fn too_little_is_refused_with_the_cure() {
        let error = MemoryBudget::new(&given(49 << 20), 2, 10 << 20).expect_err("too little");
        let text = error.to_string();
        assert!(text.starts_with("a memory limit of 49 MiB (--memory-budget) leaves"), "{text}");
        assert!(text.contains("the 48 MiB that the process needs"), "{text}");
    }

    #[test]
    fn this_machine_says_what_it_has() {
        let (source, bytes) = find(None, Path::new("/"));
        assert_ne!(source, MemorySource::Unknown);
        assert!(physical_bytes(Path::new("/")).is_some_and(|physical| bytes <= physical));
        assert_eq!(find(None, Path::new("/nowhere")), (MemorySource::Unknown, u64::MAX));
        assert_eq!(find(Some(5), Path::new("/")), (MemorySource::Given, 5));
    }
}
