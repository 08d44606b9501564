//! Addresses, the kernel's queues and buffers, and the network card.

use super::{Demand, Finding, Level};

pub fn findings(demand: &Demand) -> Vec<Finding> {
    let mut all: Vec<Finding> = demand.facts.addresses.iter().map(address).collect();
    all.extend(queues(demand));
    all.extend(buffers(demand));
    all.extend(tcp_memory(demand));
    all.extend(tracked(demand));
    all.extend(card(demand));
    all
}

fn address((flag, address, found): &(&'static str, String, Result<(), String>)) -> Finding {
    let name = format!("--{flag}");
    match found {
        Ok(()) => Finding::ok(&name, format!("{address} is free")),
        Err(error) => {
            let (why, cure) = error.split_once("; ").unwrap_or((error, "give another address"));
            let why = why.trim_start_matches(&format!("{name} {address}: "));
            let finding = Finding::ok(&name, format!("{address} cannot be had")).at(Level::Must);
            let cure = format!("{cure}. Where it is this server that runs: --skip-addresses");
            finding.wanted("free").why(why).cure(cure)
        }
    }
}

/// Connects that wait. A queue that is not full is no queue that a flood could fill, so the second
/// one only counts where cookies are off.
fn queues(demand: &Demand) -> Vec<Finding> {
    let backlog = u64::from(demand.settings.sockets.backlog);
    let tuned = (demand.sessions as u64 / 4).clamp(4_096, 65_535);
    let why = "--backlog asks for more connects that wait for their accept; the rest are dropped";
    let waiting = demand.floor("net.core.somaxconn", backlog, tuned, why);
    let mut all: Vec<Finding> = waiting.into_iter().collect();
    let why = "a SYN flood keeps clients out";
    let cookies = demand.floor("net.ipv4.tcp_syncookies", 1, 1, why);
    if cookies.as_ref().is_some_and(|cookies| cookies.level != Level::Ok) {
        let why = "without SYN cookies, handshakes beyond it are dropped";
        all.extend(demand.floor("net.ipv4.tcp_max_syn_backlog", backlog, tuned, why));
    }
    all.extend(cookies);
    all
}

/// The kernel caps what a socket asks for, silently.
fn buffers(demand: &Demand) -> Vec<Finding> {
    let sockets = &demand.settings.sockets;
    let wanted = [
        ("net.core.wmem_max", sockets.send_buffer_bytes, "--send-buffer-bytes is cut to this"),
        (
            "net.core.rmem_max",
            sockets.receive_buffer_bytes,
            "--receive-buffer-bytes is cut to this",
        ),
    ];
    let floor = |(key, bytes, why): (_, u32, _)| demand.floor(key, bytes.into(), 212_992, why);
    wanted.into_iter().filter_map(floor).collect()
}

/// From the second of the three numbers on, the kernel saves memory at every socket's cost.
fn tcp_memory(demand: &Demand) -> Option<Finding> {
    let (facts, key) = (demand.facts, "net.ipv4.tcp_mem");
    let numbers = facts.sysctls.get(key).filter(|numbers| numbers.len() == 3)?;
    let memory = facts.memory.as_ref()?.as_ref().ok()?;
    let socket_bytes = memory.shard_settings(demand.settings).socket_full_bytes;
    // Beyond its budget Tapecast sheds clients itself, and more than half of the memory, with this
    // at three quarters of it, is not for sockets.
    let most = memory.clients_bytes.min(facts.memory_there_bytes.unwrap_or(u64::MAX) / 8 * 3);
    let bytes = (demand.sessions as u64).saturating_mul(socket_bytes).min(most);
    let pressure = numbers[1].saturating_mul(facts.page_bytes);
    let finding = Finding::ok(key, format!("{} MiB before it saves", pressure >> 20));
    if pressure >= bytes {
        return Some(finding);
    }
    let finding = finding.at(Level::Should).wanted(format!("{} MiB", (bytes >> 20) + 1));
    let why = format!(
        "{} sessions whose readers are stuck hold so much; the kernel then cuts every socket's \
         buffers, before Tapecast's own memory limit acts",
        demand.sessions
    );
    Some(finding.why(why).cure(demand.tune()))
}

fn tracked(demand: &Demand) -> Option<Finding> {
    let others = demand.facts.sysctl("net.netfilter.nf_conntrack_count").unwrap_or(0);
    let least = demand.sessions as u64 + others;
    let why = "connections are tracked here, and packets of more than this are dropped";
    let tuned = demand.sessions as u64 * 2 + 65_536;
    demand.floor("net.netfilter.nf_conntrack_max", least, tuned, why)
}

/// With fewer queues than shards, cores without one wait for another's to hand packets over.
fn card(demand: &Demand) -> Option<Finding> {
    let name = "network card";
    if demand.settings.listen.ip().is_loopback() {
        let finding = Finding::ok(name, "not used: --listen is this machine alone");
        return Some(finding.at(Level::Note));
    }
    let card = demand.facts.card.as_ref()?;
    let queues = card.receive_queues;
    let spread = if card.spreads { ", spread by the kernel" } else { "" };
    let finding = Finding::ok(name, format!("{}: {queues} receive queues{spread}", card.name));
    if queues >= demand.shards || card.spreads {
        return Some(finding);
    }
    let cure = format!(
        "ethtool -L {} combined {}, or where the card has no more: tuning/tune.sh apply --affinity \
         --shards {}",
        card.name, demand.shards, demand.shards
    );
    let finding = finding.at(Level::Should).wanted(format!("{} queues", demand.shards));
    Some(finding.why("few cores handle the packets of all shards").cure(cure))
}
