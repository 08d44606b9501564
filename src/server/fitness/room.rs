//! Descriptors, memory, threads and cores.

use super::{Demand, Finding, Level};
use crate::server::{Budget, MemoryBudget};

/// glommio starts no executor with less (its `Reactor::new`).
const MEMLOCK_BYTES_MIN: u64 = 512 * 1024;

/// Threads of a shard: its own, and glommio's for what may block; then main, ingest and the admin
/// port's: seven of a server with two shards, counted. A feed's reader and the kernel's workers of
/// the rings come and go.
const THREADS_PER_SHARD: u64 = 2;
const THREADS_OTHERS: u64 = 3;
const THREADS_PASSING: u64 = 13;

/// Files that the rest of the machine may have open.
const FILES_OTHERS: u64 = 32_768;

pub fn findings(demand: &Demand) -> Vec<Finding> {
    let mut all = vec![cores(demand)];
    all.extend(shares(demand));
    all.extend(descriptors(demand));
    all.push(memlock(demand));
    all.extend(memory(demand));
    all.extend(threads(demand));
    all.extend(time(demand));
    all
}

/// Where the number of shards is asked for, this is an error of the configuration.
fn shares(demand: &Demand) -> Vec<Finding> {
    let keys = demand.settings.admission.without_share(demand.shards);
    let shards = demand.shards;
    let finding = |key: &'static str| {
        let finding = Finding::ok(key, format!("less than {shards} shards")).at(Level::Must);
        let finding =
            finding.wanted(shards.to_string()).why("a shard without a share lets nobody in");
        finding.cure(format!("give {key} at least one for each shard, or fewer --shards"))
    };
    keys.map(finding).collect()
}

fn cores(demand: &Demand) -> Finding {
    let (shards, cores) = (demand.shards, demand.facts.cores_allowed);
    let finding = Finding::ok("cores", format!("{cores} for {shards} shards"));
    if shards <= cores {
        return finding;
    }
    finding
        .at(Level::Should)
        .wanted(shards.to_string())
        .why("shards that share a core delay each other")
        .cure(format!("--shards {cores}, or a wider CPUAffinity= or taskset"))
}

/// The process's own limit, and the machine's two.
fn descriptors(demand: &Demand) -> Vec<Finding> {
    let found = demand.facts.descriptors;
    let Some(budget) = &demand.budget else { return Vec::new() };
    let room = budget.sessions_max;
    let sessions = demand.sessions;
    let limit = if found == u64::MAX { "no limit".to_string() } else { found.to_string() };
    let finding = Finding::ok("open files (ulimit -Hn)", format!("{limit}: {room} sessions"));
    let needed = Budget::descriptors_for(demand.settings, demand.shards, sessions);
    let own = if room >= sessions || found >= needed {
        finding
    } else {
        let is_asked = demand.settings.admission.max_sessions.is_some();
        let (level, why) = match is_asked || room == 0 {
            true => (Level::Must, format!("with room for {room} the server does not start")),
            false => (Level::Should, format!("of more than {room} the rest are refused")),
        };
        let soft = needed.max(found);
        finding
            .at(level)
            .wanted(format!("{needed} for {sessions} sessions"))
            .why(format!("a session needs one; {why}"))
            .cure(format!(
                "LimitNOFILE={soft} in the unit, 'ulimit -Hn {soft}' as root before the start, or \
                 tuning/tune.sh persist --connections {sessions} for logins"
            ))
    };
    let mut all = vec![own];
    // What tune.sh sets is more than this.
    let why = "no process may be granted more, whatever its unit says";
    all.extend(demand.floor("fs.nr_open", needed, needed, why));
    let (least, why) = (needed + FILES_OTHERS, "the open files of all processes together");
    all.extend(demand.floor("fs.file-max", least, least, why));
    all
}

fn memlock(demand: &Demand) -> Finding {
    let found = demand.facts.memlock_bytes;
    let text = if found == u64::MAX { "no limit".into() } else { format!("{} KiB", found / 1024) };
    let finding = Finding::ok("locked memory (ulimit -l)", text);
    if found >= MEMLOCK_BYTES_MIN {
        return finding;
    }
    finding
        .at(Level::Must)
        .wanted(format!("{} KiB", MEMLOCK_BYTES_MIN / 1024))
        .why("no shard starts with less")
        .cure("LimitMEMLOCK=8M in the unit, or 'ulimit -l 8192' as root before the start")
}

fn memory(demand: &Demand) -> Option<Finding> {
    let name = "memory";
    let budget = match demand.facts.memory.as_ref()? {
        Err(error) => {
            let text = error.to_string();
            let (why, cure) = text.split_once("; ").unwrap_or((&text, "give it more memory"));
            let finding = Finding::ok(name, "too little").at(Level::Must);
            return Some(finding.why(why).cure(cure));
        }
        Ok(budget) => budget,
    };
    let found = Finding::ok(name, in_words(budget));
    match demand.facts.memory_there_bytes {
        Some(there) if budget.limit_bytes > there => Some(
            found
                .at(Level::Should)
                .wanted(format!("{} MiB at most", there >> 20))
                .why("--memory-budget is more than there is: the kernel kills the server first")
                .cure(format!("--memory-budget {}M", (there >> 20) * 8 / 10)),
        ),
        _ => Some(found),
    }
}

fn in_words(budget: &MemoryBudget) -> String {
    format!(
        "{} MiB for clients, of {} MiB ({budget})",
        budget.clients_bytes >> 20,
        budget.limit_bytes >> 20
    )
}

fn threads(demand: &Demand) -> Option<Finding> {
    let limit = demand.facts.pids.as_ref()?;
    let own = demand.shards as u64 * THREADS_PER_SHARD + THREADS_OTHERS;
    let needed = own + THREADS_PASSING;
    let finding = Finding::ok("threads", limit.amount.to_string());
    if limit.amount >= needed {
        return Some(finding);
    }
    let level = if limit.amount < own { Level::Must } else { Level::Should };
    let finding = finding.at(level).wanted(needed.to_string());
    let why = format!("{} allows no more, and the server itself has {own}", file(limit));
    Some(finding.why(why).cure(format!("TasksMax={needed} in the unit, or a larger pids limit")))
}

fn time(demand: &Demand) -> Option<Finding> {
    let limit = demand.facts.cpu.as_ref()?;
    let needed = demand.shards as u64 * 1000;
    let cores =
        |thousandths: u64| format!("{}.{:01}", thousandths / 1000, thousandths % 1000 / 100);
    let finding = Finding::ok("CPU quota", format!("{} cores", cores(limit.amount)));
    if limit.amount >= needed {
        return Some(finding);
    }
    let finding = finding.at(Level::Should).wanted(format!("{} cores", cores(needed)));
    let why = format!("{} stops every shard for the rest of a period", file(limit));
    let fewer = (limit.amount / 1000).max(1);
    Some(finding.why(why).cure(format!("--shards {fewer}, or CPUQuota={}%", demand.shards * 100)))
}

fn file(limit: &crate::server::cgroup::GroupLimit) -> String {
    limit.file.display().to_string()
}
