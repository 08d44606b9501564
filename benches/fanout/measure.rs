//! One run: one server, fresh, in one situation. What it cost and what the clients got.

pub mod in_turns;

use crate::feed::{Bursts, Feed, Schedule};
use crate::load::{Classes, Load, LoadError, Report};
use crate::process::{self, CpuMeter, Memory};
use crate::servers::{Running, Server, ServerError};
use crate::workload::Cell;
pub use in_turns::run_in_turns;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Time for a server to come to rest before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// A core is at rest when it was idle for this share of a look; that is waited for, but not for
/// ever. The kernel frees the sockets and rings of the run before for some seconds.
const REST_SHARE_MIN: f64 = 0.95;
const REST_LOOK: Duration = Duration::from_millis(500);
const REST_WAIT: Duration = Duration::from_secs(20);

/// How every run of a session is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub warmup: Duration,
    pub window: Duration,
    pub core_server: usize,
    pub core_load: usize,
    /// Flags that Tapecast is started with beside its usual ones.
    pub tapecast_flags: String,
    /// Only to see that all works: warm-up and window stay as short as they are.
    #[serde(default)]
    pub quick: bool,
}

/// The kernel acknowledges the first 16 segments of a connection at once (Linux,
/// include/net/tcp.h, TCP_MAX_QUICKACKS), which costs the server's core a quarter more.
const WARMUP_SENDS: u32 = 17;

/// A window of fewer bursts is the luck of each.
const WINDOW_BURSTS: u32 = 20;

/// Until the sockets of who does not keep up are full: of S1's stalled after some 5 s, and the slow
/// take longer. What fills them is work of the clients' kernel, which over loopback is done on the
/// server's core.
const WARMUP_FILLS: Duration = Duration::from_secs(12);

impl Plan {
    /// With a warm-up and a window that have room for enough of the cell's sends.
    pub fn settled(&self, cell: &Cell) -> Plan {
        if cell.market.is_quiet() || self.quick {
            return self.clone();
        }
        let bursts = WINDOW_BURSTS * Duration::from_micros(cell.market.every_us);
        let all_keep_up = cell.readers() >= cell.connections as f64;
        let fills = if all_keep_up { Duration::ZERO } else { WARMUP_FILLS };
        Plan {
            warmup: self.warmup.max(WARMUP_SENDS * cell.send_every()).max(fills),
            window: self.window.max(bursts),
            ..self.clone()
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Server(#[from] ServerError),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}")]
    Died(String),
}

/// Percentiles in µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    #[serde(alias = "p99_9")]
    pub p999: f64,
    pub max: f64,
}

/// What one run gave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub seconds: f64,
    pub connections: usize,
    /// Updates that clients got in the window, and messages or frames around them.
    pub ticks: u64,
    pub frames: u64,
    /// Receive calls of the load that gave bytes. Where it was not behind: sends of the server.
    pub reads: u64,
    pub bytes: u64,
    /// TCP segments of the whole machine, acknowledgements included.
    pub segments: u64,
    /// CPU time of the server's process tree in the window, with its core's softirqs, and of the
    /// load.
    pub server_cpu_s: f64,
    pub load_cpu_s: f64,
    /// Share of the server's core that was busy with something else.
    pub others_share: f64,
    /// From the event time to the read; `None` where nothing came.
    pub latency_us: Option<Latency>,
    /// From the event time until the last client had it.
    pub last_us: Option<Latency>,
    pub violations: u64,
    pub missing: u64,
    pub connects_per_s: f64,
    /// CPU time of the server in the opening phase, for each connection.
    pub connect_cpu_us: f64,
    pub connect_p99_us: f64,
    /// Bytes for each connection: of the server's processes, of slab and of TCP buffers; the
    /// kernel's are of both ends.
    pub process_bytes: f64,
    pub slab_bytes: f64,
    pub tcp_bytes: f64,
    pub bursts: u64,
    pub bursts_late: u64,
    pub burst_late_ms_max: f64,
    /// Clients that came and went in the meantime.
    pub churned: u64,
    pub classes: Classes,
    /// What was left of the run before kept the core busy for all of the wait.
    #[serde(default)]
    pub restless: bool,
    /// How long the server's turns took, in its own words.
    #[serde(default)]
    pub turns: Option<String>,
}

impl Figures {
    /// Of those who read, connections that were there at the start of the window and not at its
    /// end.
    pub fn closed(&self) -> u64 {
        self.classes.reading.start.saturating_sub(self.classes.reading.end)
    }

    pub fn cpu_us_per_tick(&self) -> Option<f64> {
        (self.ticks > 0).then(|| self.server_cpu_s * 1e6 / self.ticks as f64)
    }

    /// A frame is a send, but of peers of single messages.
    pub fn cpu_us_per_send(&self) -> Option<f64> {
        (self.frames > 0).then(|| self.server_cpu_s * 1e6 / self.frames as f64)
    }

    pub fn sends_per_s(&self) -> f64 {
        self.frames as f64 / self.seconds
    }

    /// Of one core that does nothing else: what was measured waits for the load.
    pub fn connects_per_s_of_a_core(&self) -> Option<f64> {
        (self.connect_cpu_us > 0.0).then(|| 1e6 / self.connect_cpu_us)
    }

    /// Share of its core.
    pub fn server_share(&self) -> f64 {
        self.server_cpu_s / self.seconds
    }

    pub fn load_share(&self) -> f64 {
        self.load_cpu_s / self.seconds
    }

    pub fn ticks_per_s(&self) -> f64 {
        self.ticks as f64 / self.seconds
    }

    /// Those since the look.
    fn add_bursts(&mut self, feed: Option<(&Feed, Bursts)>) {
        let Some((feed, before)) = feed else { return };
        let after = feed.bursts();
        self.bursts = after.count - before.count;
        self.bursts_late = after.late - before.late;
        self.burst_late_ms_max = after.late_ns_max as f64 / 1e6;
    }
}

/// Starts the server, opens the connections, warms up, counts, and ends all.
pub fn run(cell: &Cell, server: &Server, plan: &Plan, seed: u64) -> Result<Figures, RunError> {
    let mut stand = Stand::open(cell, server, plan, plan.window, seed)?;
    // A market without ticks is a pipe that stays open.
    let feed = (!cell.market.is_quiet())
        .then(|| stand.start_feed(cell, Schedule::steady(&cell.market), plan.core_load));
    std::thread::sleep(plan.warmup);
    stand.count(feed.as_ref(), plan)?;
    stand.close(feed)
}

/// A server with all of its clients, and what is known of them.
struct Stand {
    running: Running,
    load: Load,
    cpu: CpuMeter,
    figures: Figures,
}

impl Stand {
    /// Starts the server and opens the connections; the load's window will be so long.
    fn open(
        cell: &Cell,
        server: &Server,
        plan: &Plan,
        window: Duration,
        seed: u64,
    ) -> Result<Stand, RunError> {
        let restless = !has_come_to_rest(plan.core_server);
        let running = server.start(cell, plan.core_server, &plan.tapecast_flags)?;
        running.separate(plan.core_server, plan.core_load);
        std::thread::sleep(SETTLE);
        let mut cpu = CpuMeter::new(running.root, plan.core_server);
        let seconds = window.as_secs_f64();
        let (memory_before, cpu_before) = (Memory::of(running.root), cpu.total_ns());
        let url = &running.url;
        let load = Load::start(cell, url, server.dialect(), seconds, seed, plan.core_load)?;
        let mut stand = Stand { running, load, cpu, figures: Figures::default() };
        stand.load.wait_open().map_err(|error| stand.died_or(error))?;
        let connected_ns = stand.cpu.total_ns() - cpu_before;
        std::thread::sleep(SETTLE);
        let each = 1.0 / cell.connections as f64;
        let figures = &mut stand.figures;
        figures.restless = restless;
        figures.connections = cell.connections;
        figures.connect_cpu_us = connected_ns as f64 / 1e3 * each;
        add_memory(figures, memory_before, Memory::of(stand.running.root), each);
        Ok(stand)
    }

    fn start_feed(&mut self, cell: &Cell, schedule: Schedule, core: usize) -> Feed {
        let pipe = self.running.stdin.take().expect("nothing else takes it");
        Feed::start(cell.market, schedule, pipe, core)
    }

    /// A load that fails because its server is gone says less than the server.
    fn died_or(&mut self, error: LoadError) -> RunError {
        self.running.has_died().map_or(RunError::Load(error), RunError::Died)
    }

    /// What the load found, when its window is over.
    fn close(mut self, feed: Option<Feed>) -> Result<Figures, RunError> {
        let report = self.load.report();
        let report = report.map_err(|error| self.died_or(error))?;
        add_report(&mut self.figures, &report);
        if let Some(feed) = feed {
            self.running.stdin = Some(feed.stop());
        }
        match self.running.has_died() {
            Some(words) => Err(RunError::Died(words)),
            None => {
                self.figures.turns = self.running.stop();
                Ok(self.figures)
            }
        }
    }

    /// The window: what is counted on the server's side of it.
    fn count(&mut self, feed: Option<&Feed>, plan: &Plan) -> Result<(), RunError> {
        let before = feed.map(Feed::begin_count);
        let segments_before = process::segments_sent();
        let idle_before = process::core_idle_s(plan.core_server);
        let cpu_before = self.cpu.total_ns();
        let start = Instant::now();
        self.load.count().map_err(|error| self.died_or(error))?;
        std::thread::sleep(plan.window.saturating_sub(start.elapsed()));
        let figures = &mut self.figures;
        figures.server_cpu_s = (self.cpu.total_ns() - cpu_before) as f64 / 1e9;
        figures.seconds = start.elapsed().as_secs_f64();
        let idle_s = process::core_idle_s(plan.core_server) - idle_before;
        let busy_s = figures.seconds - idle_s;
        figures.others_share = ((busy_s - figures.server_cpu_s) / figures.seconds).max(0.0);
        figures.segments = process::segments_sent() - segments_before;
        figures.add_bursts(feed.zip(before));
        Ok(())
    }
}

/// What is left of the run before would be charged to this one, or disturb it. `false` where it
/// was waited for in vain.
fn has_come_to_rest(core: usize) -> bool {
    let began = Instant::now();
    while began.elapsed() < REST_WAIT {
        let (look, idle) = (Instant::now(), process::core_idle_s(core));
        std::thread::sleep(REST_LOOK);
        let idle_s = process::core_idle_s(core) - idle;
        if idle_s >= REST_SHARE_MIN * look.elapsed().as_secs_f64() {
            return true;
        }
    }
    false
}

fn add_memory(figures: &mut Figures, before: Memory, after: Memory, each: f64) {
    let grown = |before: u64, after: u64| (after as f64 - before as f64) * each;
    figures.process_bytes = grown(before.process, after.process);
    figures.slab_bytes = grown(before.slab, after.slab);
    figures.tcp_bytes = grown(before.tcp, after.tcp);
}

fn add_report(figures: &mut Figures, report: &Report) {
    figures.ticks = report.ticks;
    figures.frames = report.frames;
    figures.reads = report.reads;
    figures.bytes = report.bytes;
    figures.violations = report.violations;
    figures.missing = report.missing;
    figures.load_cpu_s = report.cpu_s;
    figures.connects_per_s = report.connects_per_s;
    figures.connect_p99_us = report.connect_us.p99;
    // A histogram of nothing has zeros.
    let filled = |latency: &Latency| latency.max > 0.0;
    figures.latency_us = report.latency_us.filter(filled);
    figures.last_us = Some(report.last_us).filter(filled);
    figures.churned = report.churned;
    figures.classes = report.classes;
}
