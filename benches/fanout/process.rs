//! Processes under measurement: started on a core, their CPU and memory as the kernel tells them,
//! and ended whatever happens.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Time for a process to end by itself after SIGTERM.
const END_WAIT: Duration = Duration::from_secs(5);

/// A child on one core, which is told to end when we end, however that happens. To be called on
/// the main thread: the kernel sends the signal when the thread that forked ends (prctl(2),
/// PR_SET_PDEATHSIG).
pub fn spawn_pinned(mut command: Command, core: usize) -> io::Result<Child> {
    let mut set = CpuSet::new();
    set.set(core);
    // SAFETY: between fork and exec only two system calls are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            sched_setaffinity(None, &set)?;
            Ok(rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?)
        });
    }
    command.spawn()
}

pub fn pin_this_thread(core: usize) {
    pin(0, core);
}

/// A thread or, by its number, the main thread of a process; one that has ended is none.
fn pin(thread: i32, core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    let _ = sched_setaffinity(Pid::from_raw(thread), &set);
}

/// All threads that a tree has now.
pub fn pin_tree(root: u32, core: usize) {
    for process in tree(root) {
        threads(process).into_iter().for_each(|thread| pin(thread as i32, core));
    }
}

/// The calling thread wakes when its time has come, though the core is busy with the load.
/// Without the privilege it stays as it is; late bursts are counted anyway.
pub fn run_before_others() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the struct is valid while the call runs, which keeps no reference to it.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
}

/// The process and everything that descends from it.
pub fn tree(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = processes().filter_map(|p| Some((p, parent(p)?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(process) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == process).map(|(p, _)| p));
        next += 1;
    }
    found
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("proc(5) is mounted").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Field 4 of its stat (proc(5)), behind a name that may contain anything.
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn threads(process: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// CPU time of a tree, in ns: user and system, the kernel's work on its behalf included. Threads
/// that end between two looks keep what they had at the first.
///
/// A send over loopback ends in a softirq, which the kernel runs within the send or, where the
/// core has something else to run as well, leaves to the core's `ksoftirqd`: a tenth of the core
/// and more with 18,000 connections. So that thread counts as the server's.
#[derive(Debug)]
pub struct CpuMeter {
    root: u32,
    softirqs: Option<u32>,
    seen: HashMap<u32, u64>,
}

impl CpuMeter {
    /// Of a tree that has `core` to itself.
    pub fn new(root: u32, core: usize) -> CpuMeter {
        let name = format!("ksoftirqd/{core}\n");
        let comm = |process: u32| fs::read_to_string(format!("/proc/{process}/comm")).ok();
        let softirqs = processes().find(|process| comm(*process).as_deref() == Some(&*name));
        CpuMeter { root, softirqs, seen: HashMap::new() }
    }

    /// The sum up to now.
    pub fn total_ns(&mut self) -> u64 {
        self.own_ns() + self.softirqs_ns()
    }

    /// Of the tree alone.
    pub fn own_ns(&mut self) -> u64 {
        for process in tree(self.root) {
            for thread in threads(process) {
                if let Some(ns) = on_cpu_ns(process, thread) {
                    self.seen.insert(thread, ns);
                }
            }
        }
        self.seen.values().sum()
    }

    /// Of the core's `ksoftirqd`.
    pub fn softirqs_ns(&self) -> u64 {
        self.softirqs.and_then(|process| on_cpu_ns(process, process)).unwrap_or(0)
    }
}

/// The first field of schedstat is ns on the CPU (Linux, Documentation/scheduler/sched-stats.rst);
/// utime and stime have but 10 ms.
fn on_cpu_ns(process: u32, thread: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Memory in bytes: of a tree, and of the whole kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Anonymous and shared pages that are resident; no files.
    pub process: u64,
    /// Slab of the whole machine: the sockets of both ends among others.
    pub slab: u64,
    /// Pages of TCP buffers of the whole machine.
    pub tcp: u64,
}

impl Memory {
    pub fn of(root: u32) -> Memory {
        let resident = |process: u32| {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            1024 * (number(&status, "RssAnon:") + number(&status, "RssShmem:"))
        };
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap_or("");
        Memory {
            process: tree(root).into_iter().map(resident).sum(),
            slab: 1024 * number(&memory, "Slab:"),
            tcp: rustix::param::page_size() as u64 * number(tcp, " mem "),
        }
    }
}

/// The number behind a word; 0 where there is none.
fn number(text: &str, word: &str) -> u64 {
    let rest = text.split_once(word).map_or("", |(_, rest)| rest).trim_start();
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Seconds that a core was idle, since it started: the fields 4 and 5 of its line in /proc/stat,
/// which count in hundredths (proc(5)). The other fields are samples, of which a core full of
/// softirqs has more than 100 a second.
pub fn core_idle_s(core: usize) -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let name = format!("cpu{core} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("");
    let idle = line.split_whitespace().skip(3).take(2);
    idle.filter_map(|count| count.parse::<u64>().ok()).sum::<u64>() as f64 / 100.0
}

/// TCP segments that the machine has sent, both ends of the loopback together.
pub fn segments_sent() -> u64 {
    let text = fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let pairs = names.split(' ').zip(values.split(' '));
    let value = pairs.into_iter().find(|(name, _)| *name == "OutSegs");
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

/// A child, ended with everything below it when it is dropped.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let all = tree(self.0.id());
        drop(self.0.stdin.take());
        signal(self.0.id(), Signal::TERM);
        let deadline = Instant::now() + END_WAIT;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
        // What its parent has left behind now belongs to somebody else, and still is ours to end.
        // Numbers are not given anew so soon.
        for process in all.into_iter().skip(1) {
            signal(process, Signal::KILL);
        }
    }
}

fn signal(process: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process as i32) {
        // It may have ended already.
        let _ = kill_process(pid, signal);
    }
}
