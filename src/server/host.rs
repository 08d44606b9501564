//! What the machine says of itself, as far as it matters to a server: read once, judged elsewhere.

use super::cgroup::{self, Controller, GroupLimit};
use super::memory::physical_bytes;
use super::{MemoryBudget, TooLittleMemory, budget, placement};
use crate::config::Settings;
use crate::control::AdminPort;
use crate::feed::{FeedSpec, SpecError, Subscribed};
use crate::shard;
use crate::wire::client::without_logins;
use rustix::process::{Resource, getrlimit};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Keys that are looked at.
const SYSCTLS: [&str; 11] = [
    "fs.file-max",
    "fs.file-nr",
    "fs.nr_open",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_max",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_syncookies",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_count",
];

/// The facts, without a judgement. `None` stands for what the machine does not say.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// As `uname -r` prints it.
    pub kernel: String,
    /// What of io_uring was tried, and why it does not work.
    pub features: Vec<(&'static str, Result<(), String>)>,
    /// Of each shard.
    pub cores: Vec<usize>,
    /// Cores that the process may use.
    pub cores_allowed: usize,
    /// The hard limit of open files, `u64::MAX` for none.
    pub descriptors: u64,
    /// The soft limit of locked memory, likewise.
    pub memlock_bytes: u64,
    pub memory: Option<Result<MemoryBudget, TooLittleMemory>>,
    /// What the machine has, or the control group allows where that is less.
    pub memory_there_bytes: Option<u64>,
    pub page_bytes: u64,
    pub pids: Option<GroupLimit>,
    pub cpu: Option<GroupLimit>,
    /// Numbers of the keys that this kernel has.
    pub sysctls: BTreeMap<&'static str, Vec<u64>>,
    pub card: Option<Card>,
    pub clock: Option<Clock>,
    /// By text, whether what it reads can be opened.
    pub feeds: Vec<(String, Result<(), String>)>,
    /// By flag, what came of trying the address; empty where it was not tried.
    pub addresses: Vec<(&'static str, String, Result<(), String>)>,
}

/// The network card of the default route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub name: String,
    pub receive_queues: usize,
    /// The kernel spreads the packets of some queue over several cores.
    pub spreads: bool,
}

/// Where the kernel reads the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    pub source: String,
    pub available: Vec<String>,
}

impl Facts {
    /// Reads and tries all. `root` is `/` but in tests.
    pub fn read(root: &Path, settings: &Settings, tries_addresses: bool) -> Facts {
        let cores = placement::cores(settings.shards);
        let shard_bytes = budget::shard_bytes(settings);
        let group = |controller| cgroup::limit(root, controller);
        let memory_group = group(Controller::Memory).map(|limit| limit.amount);
        let features = shard::features().into_iter();
        let limit = |resource| getrlimit(resource);
        Facts {
            kernel: shard::release(),
            features: features.map(|(name, found)| (name, in_words(found))).collect(),
            cores_allowed: placement::cores(None).len(),
            descriptors: limit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
            memlock_bytes: limit(Resource::Memlock).current.unwrap_or(u64::MAX),
            memory: Some(MemoryBudget::of_root(root, settings, cores.len(), shard_bytes)),
            memory_there_bytes: physical_bytes(root).into_iter().chain(memory_group).min(),
            page_bytes: rustix::param::page_size() as u64,
            pids: group(Controller::Pids),
            cpu: group(Controller::Cpu),
            sysctls: sysctls(root),
            card: card(root),
            clock: clock(root),
            feeds: feeds(settings, tries_addresses),
            addresses: if tries_addresses { addresses(settings) } else { Vec::new() },
            cores,
        }
    }

    /// The first number of a key.
    pub fn sysctl(&self, key: &str) -> Option<u64> {
        self.sysctls.get(key).and_then(|numbers| numbers.first().copied())
    }
}

fn in_words<E: std::fmt::Display>(found: Result<(), E>) -> Result<(), String> {
    found.map_err(|error| error.to_string())
}

fn feeds(settings: &Settings, tries_addresses: bool) -> Vec<(String, Result<(), String>)> {
    let nobody: Subscribed = Arc::new(|| 0);
    let opens = |text: &String| {
        let spec: FeedSpec = text.parse().map_err(|error: SpecError| error.to_string())?;
        if spec.publishers_max().is_some() && !tries_addresses {
            return Ok(());
        }
        in_words(spec.open(&nobody).map(drop))
    };
    settings.feeds.iter().map(|text| (without_logins(text), opens(text))).collect()
}

fn addresses(settings: &Settings) -> Vec<(&'static str, String, Result<(), String>)> {
    // Held while the other is tried, as the server holds both.
    let admin = settings.admin.map(|address| (address, AdminPort::bind(address)));
    let stream = shard::try_address(settings.listen, &settings.sockets);
    let mut tried = vec![("listen", settings.listen.to_string(), in_words(stream))];
    if let Some((address, admin)) = admin {
        tried.push(("admin", address.to_string(), in_words(admin.map(drop))));
    }
    tried
}

fn sysctls(root: &Path) -> BTreeMap<&'static str, Vec<u64>> {
    let read = |key: &'static str| {
        let file = root.join("proc/sys").join(key.replace('.', "/"));
        let text = fs::read_to_string(file).ok()?;
        let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        numbers.ok().map(|numbers| (key, numbers))
    };
    SYSCTLS.into_iter().filter_map(read).collect()
}

/// Of the default route of IPv4 in `/proc/net/route`, which begins with its card's name.
fn card(root: &Path) -> Option<Card> {
    let routes = fs::read_to_string(root.join("proc/net/route")).ok()?;
    let mut routes = routes.lines().map(|line| line.split('\t'));
    let name = routes.find_map(|mut route| {
        let name = route.next()?;
        (route.next()? == "00000000").then(|| name.to_string())
    })?;
    let entries = fs::read_dir(root.join("sys/class/net").join(&name).join("queues")).ok()?;
    let is_receiving =
        |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("rx-");
    let queues: Vec<_> = entries.flatten().filter(is_receiving).collect();
    let mask = |entry: &fs::DirEntry| fs::read_to_string(entry.path().join("rps_cpus")).ok();
    let spreads = queues.iter().filter_map(mask).any(|mask| mask.contains(|c| c > '0'));
    Some(Card { name, receive_queues: queues.len(), spreads })
}

fn clock(root: &Path) -> Option<Clock> {
    let folder = root.join("sys/devices/system/clocksource/clocksource0");
    let read = |file| fs::read_to_string(folder.join(file)).ok();
    let available = read("available_clocksource").unwrap_or_default();
    Some(Clock {
        source: read("current_clocksource")?.trim().to_string(),
        available: available.split_whitespace().map(str::to_string).collect(),
    })
}

#[cfg(test)]
mod tests {
    //! Method: files as a kernel shows them, under a directory of the test's; and this machine.

    use super::*;
    use crate::server::test_files::Files;

    #[test]
    fn a_hosts_files_are_read() {
        let files = Files::new(
            "host",
            &[
                ("proc/sys/net/ipv4/tcp_mem", "190000\t250000\t380000\n"),
                ("proc/sys/net/core/somaxconn", "128\n"),
                ("proc/net/route", "Iface\tDestination\teth9\nens3\t00000000\t010200C0\n"),
                ("sys/class/net/ens3/queues/rx-0/rps_cpus", "00000000,00000000\n"),
                ("sys/class/net/ens3/queues/rx-1/rps_cpus", "00000000,00000003\n"),
                ("sys/class/net/ens3/queues/tx-0/xps_cpus", "1\n"),
                ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
                ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet "),
            ],
        );
        assert_eq!(
            sysctls(&files.root),
            BTreeMap::from([
                ("net.ipv4.tcp_mem", vec![190_000, 250_000, 380_000]),
                ("net.core.somaxconn", vec![128]),
            ])
        );
        let expected = Card { name: "ens3".into(), receive_queues: 2, spreads: true };
        assert_eq!(card(&files.root), Some(expected));
        let found = clock(&files.root).expect("it is there");
        assert_eq!((found.source.as_str(), found.available.len()), ("hpet", 2));
        let nowhere = Path::new("/nowhere");
        assert!(sysctls(nowhere).is_empty() && card(nowhere).is_none() && clock(nowhere).is_none());
    }

    #[test]
    fn the_memory_is_that_of_the_root_that_is_read() {
        let files = Files::new("small", &[("proc/meminfo", "MemTotal:     204800 kB\n")]);
        let settings = Settings { shards: Some(1), ..Settings::default() };
        let facts = Facts::read(&files.root, &settings, false);
        let memory = facts.memory.expect("it is counted").expect("enough for one shard");
        assert_eq!(memory.limit_bytes, 200 << 20);
    }

    /// Method: the configuration refuses both on one address, so they are given here past it.
    #[test]
    fn one_address_for_both_is_found_out() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let settings = Settings { listen: address, admin: Some(address), ..Settings::default() };
        let tried = addresses(&settings);
        assert_eq!(tried.iter().filter(|(_, _, found)| found.is_err()).count(), 1, "{tried:?}");
        let settings = Settings { admin: None, ..settings };
        assert!(addresses(&settings).iter().all(|(_, _, found)| found.is_ok()));
    }

    #[test]
    fn this_machine_says_what_is_needed() {
        let facts = Facts::read(Path::new("/"), &Settings::default(), false);
        assert!(facts.sysctl("net.core.somaxconn").is_some(), "{facts:?}");
        assert!(facts.clock.is_some() && facts.memory_there_bytes.is_some(), "{facts:?}");
        assert_eq!(facts.cores.len(), facts.cores_allowed);
        assert!(facts.descriptors > 0 && facts.addresses.is_empty());
    }
}
