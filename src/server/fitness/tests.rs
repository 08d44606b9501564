//! Method: a machine that suffices for everything, and one fact changed at a time.

use super::*;
use crate::server::cgroup::GroupLimit;
use crate::server::host::{Card, Clock};
use crate::server::{MemoryBudget, budget};
use std::collections::BTreeMap;

fn settings() -> Settings {
    let listen = "0.0.0.0:9001".parse().expect("an address");
    Settings { listen, memory_budget_bytes: Some(8 << 30), ..Settings::default() }
}

fn machine() -> Facts {
    let settings = settings();
    let memory = MemoryBudget::new(&settings, 2, budget::shard_bytes(&settings));
    Facts {
        kernel: "6.12.9".into(),
        features: vec![("ring", Ok(())), ("multishot accept", Ok(()))],
        cores: vec![0, 1],
        cores_allowed: 2,
        descriptors: 524_288,
        memlock_bytes: 8 << 20,
        memory: Some(memory),
        memory_there_bytes: Some(16 << 30),
        page_bytes: 4096,
        pids: Some(GroupLimit { amount: 512, file: "/sys/fs/cgroup/pids.max".into() }),
        cpu: Some(GroupLimit { amount: 2_000, file: "/sys/fs/cgroup/cpu.max".into() }),
        sysctls: BTreeMap::from([
            ("fs.file-max", vec![2_000_000]),
            ("fs.nr_open", vec![1_048_576]),
            ("net.core.rmem_max", vec![212_992]),
            ("net.core.somaxconn", vec![4_096]),
            ("net.core.wmem_max", vec![212_992]),
            ("net.ipv4.tcp_max_syn_backlog", vec![512]),
            ("net.ipv4.tcp_mem", vec![4_000_000, 5_000_000, 8_000_000]),
            ("net.ipv4.tcp_syncookies", vec![1]),
            ("net.netfilter.nf_conntrack_max", vec![262_144]),
        ]),
        card: Some(Card { name: "eth0".into(), receive_queues: 2, spreads: false }),
        clock: Some(Clock { source: "tsc".into(), available: vec!["tsc".into(), "hpet".into()] }),
        feeds: vec![("synthetic".into(), Ok(()))],
        addresses: vec![("listen", "0.0.0.0:9001".into(), Ok(()))],
    }
}

/// What is not as it should be, given one change.
fn changed(settings: &Settings, change: impl FnOnce(&mut Facts)) -> Vec<Finding> {
    let mut facts = machine();
    change(&mut facts);
    let mut all = findings(settings, &facts);
    all.retain(|finding| finding.level > Level::Note);
    all
}

/// The only finding; it has words for why and how.
fn only(found: Vec<Finding>) -> (String, Level, String) {
    let [one]: [Finding; 1] = found.try_into().expect("one finding and no other");
    assert!(!one.why.is_empty() && !one.cure.is_empty() && !one.wanted.is_empty(), "{one:?}");
    (one.name, one.level, one.cure)
}

#[test]
fn a_machine_that_suffices_has_nothing_to_mend() {
    assert_eq!(changed(&settings(), |_| {}), []);
    let all = findings(&settings(), &machine());
    assert!(all.len() > 14 && all.iter().all(|finding| !finding.found.is_empty()), "{all:?}");
}

#[test]
fn what_keeps_the_server_from_starting_is_a_must() {
    type Change = fn(&mut Facts);
    let cases: [(Change, &str, &str); 7] = [
        (|f| f.kernel = "5.15.0-91-generic".into(), "kernel", "newer kernel"),
        (
            |f| f.features = vec![("ring", Err("it is off; run sysctl".into()))],
            "io_uring ring",
            "run sysctl",
        ),
        (|f| f.descriptors = 128, "open files (ulimit -Hn)", "LimitNOFILE="),
        (|f| f.memlock_bytes = 65_536, "locked memory (ulimit -l)", "LimitMEMLOCK="),
        (
            |f| f.pids = Some(GroupLimit { amount: 6, file: "pids.max".into() }),
            "threads",
            "TasksMax=20",
        ),
        (
            |f| f.addresses[0].2 = Err("--listen 0.0.0.0:9001: in use; see ss".into()),
            "--listen",
            "see ss",
        ),
        (
            |f| f.feeds[0].1 = Err("cannot open /a: no such file; see the path".into()),
            "--feed",
            "see the path",
        ),
    ];
    for (change, name, cure) in cases {
        let found = only(changed(&settings(), change));
        assert_eq!((found.0.as_str(), found.1), (name, Level::Must));
        assert!(found.2.contains(cure), "{name}: {}", found.2);
    }
}

#[test]
fn what_the_configured_load_would_meet_is_a_should() {
    type Change = fn(&mut Facts);
    let cases: [(Change, &str, &str); 9] = [
        (|f| set(f, "net.core.somaxconn", 128), "net.core.somaxconn", "somaxconn=4096"),
        (|f| set(f, "net.core.wmem_max", 4_096), "net.core.wmem_max", "wmem_max=49152"),
        (|f| set(f, "fs.file-max", 20_000), "fs.file-max", "tune.sh apply"),
        (|f| set(f, "net.netfilter.nf_conntrack_max", 9), "net.netfilter.nf_conntrack_max", "-w"),
        (|f| f.descriptors = 4_096, "open files (ulimit -Hn)", "ulimit -Hn 11252"),
        (|f| f.card.as_mut().expect("one").receive_queues = 1, "network card", "ethtool -L eth0"),
        (|f| f.clock.as_mut().expect("one").source = "hpet".into(), "clock source", "echo tsc"),
        (
            |f| f.cpu = Some(GroupLimit { amount: 1_500, file: "cpu.max".into() }),
            "CPU quota",
            "--shards 1, or CPUQuota=200%",
        ),
        (|f| f.cores_allowed = 1, "cores", "--shards 1"),
    ];
    for (change, name, cure) in cases {
        let found = only(changed(&settings(), change));
        assert_eq!((found.0.as_str(), found.1), (name, Level::Should));
        assert!(found.2.contains(cure), "{name}: {}", found.2);
    }
}

fn set(facts: &mut Facts, key: &'static str, value: u64) {
    facts.sysctls.insert(key, vec![value]);
}

#[test]
fn tcp_mem_is_compared_with_what_stuck_readers_may_hold() {
    let mut settings = settings();
    settings.admission.max_sessions = Some(100_000);
    // 100,000 sessions of 57,344 bytes are 1,400,000 pages, and less than the budget.
    let found = only(changed(&settings, |facts| {
        facts.sysctls.insert("net.ipv4.tcp_mem", vec![1_000_000, 1_399_999, 2_000_000]);
    }));
    assert_eq!((found.0.as_str(), found.1), ("net.ipv4.tcp_mem", Level::Should));
    assert!(found.2.contains("tune.sh apply --connections 100000"), "{}", found.2);
    let enough = changed(&settings, |facts| {
        facts.sysctls.insert("net.ipv4.tcp_mem", vec![1_000_000, 1_400_000, 2_000_000]);
    });
    assert_eq!(enough, []);
}

#[test]
fn sessions_that_are_asked_for_are_what_descriptors_are_measured_by() {
    let mut settings = settings();
    settings.admission.max_sessions = Some(600_000);
    let found = changed(&settings, |_| {});
    let files = found.iter().find(|f| f.name.starts_with("open files")).expect("too few");
    assert_eq!(files.level, Level::Must);
    let wanted: u64 = files.wanted.split(' ').next().expect("a number").parse().expect("one");
    let room = |descriptors| Budget::new(&settings, 2, descriptors, u64::MAX).sessions_max;
    assert_eq!(room(wanted), 600_000);
    assert!(room(wanted - 1) < 600_000);
    // Few are enough for who wants few.
    settings.admission.max_sessions = Some(100);
    assert_eq!(changed(&settings, |facts| facts.descriptors = 400), []);
}

#[test]
fn a_budget_beyond_the_machine_and_one_that_is_too_small_are_found() {
    let found = only(changed(&settings(), |facts| facts.memory_there_bytes = Some(4 << 30)));
    assert_eq!(found, ("memory".into(), Level::Should, "--memory-budget 3276M".into()));
    let settings = Settings { memory_budget_bytes: Some(1 << 20), ..settings() };
    let memory = MemoryBudget::new(&settings, 2, budget::shard_bytes(&settings));
    let found = changed(&settings, |facts| facts.memory = Some(memory));
    assert_eq!((found[0].name.as_str(), found[0].level), ("memory", Level::Must));
    assert!(found[0].cure.starts_with("raise it"), "{found:?}");
}

#[test]
fn without_syn_cookies_the_queue_of_handshakes_counts_too() {
    let found = changed(&settings(), |facts| set(facts, "net.ipv4.tcp_syncookies", 0));
    let names: Vec<_> = found.iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names, ["net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies"]);
}

#[test]
fn a_spread_queue_and_loopback_need_no_more_queues() {
    let one = |facts: &mut Facts, spreads| {
        facts.card = Some(Card { name: "eth0".into(), receive_queues: 1, spreads });
    };
    assert_eq!(changed(&settings(), |facts| one(facts, true)), []);
    let local = Settings { listen: "[::1]:9001".parse().expect("an address"), ..settings() };
    assert_eq!(changed(&local, |facts| one(facts, false)), []);
}
