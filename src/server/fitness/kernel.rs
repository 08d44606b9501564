//! The kernel, what of io_uring it allows, and where it reads the time.

use super::{Demand, Finding, Level};
use crate::shard::is_too_old;

/// Clocks that are read without a call into the kernel (vDSO): of x86, of virtual machines with
/// KVM and Hyper-V, of ARM and RISC-V.
const FAST_CLOCKS: [&str; 5] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"];

pub fn findings(demand: &Demand) -> Vec<Finding> {
    let mut all = vec![kernel(demand)];
    all.extend(demand.facts.features.iter().map(|(name, found)| feature(name, found)));
    all.extend(clock(demand));
    all
}

fn kernel(demand: &Demand) -> Finding {
    let release = &demand.facts.kernel;
    let finding = Finding::ok("kernel", release);
    if !is_too_old(release) {
        return finding;
    }
    let finding = finding.at(Level::Must).wanted("6.1 or newer");
    finding
        .why("io_uring has no deferred task work there")
        .cure("boot a newer kernel, for example of your distribution's backports")
}

/// The error names the cause and its cure.
fn feature(name: &str, found: &Result<(), String>) -> Finding {
    let name = format!("io_uring {name}");
    match found {
        Ok(()) => Finding::ok(&name, "works"),
        Err(error) => {
            let (why, cure) =
                error.split_once("; ").unwrap_or((error, "see the log of the kernel"));
            Finding::ok(&name, "does not work").at(Level::Must).wanted("works").why(why).cure(cure)
        }
    }
}

fn clock(demand: &Demand) -> Option<Finding> {
    let clock = demand.facts.clock.as_ref()?;
    let finding = Finding::ok("clock source", &clock.source);
    if FAST_CLOCKS.contains(&clock.source.as_str()) {
        return Some(finding);
    }
    let better = clock.available.iter().find(|name| FAST_CLOCKS.contains(&name.as_str()));
    let finding = finding.why("each look at the clock is a call into the kernel, several a turn");
    Some(match better {
        Some(better) => finding.at(Level::Should).wanted(better).cure(format!(
            "echo {better} > /sys/devices/system/clocksource/clocksource0/current_clocksource"
        )),
        // The kernel has found the fast ones unreliable on this machine.
        None => finding.at(Level::Note),
    })
}
