//! One run: a server, its feed and its readers, and what its threads used meanwhile.

use crate::Plan;
use crate::feeder::{Feeder, Way};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_tapecast");

/// Before the window, for connections and caches.
const WARM_UP: Duration = Duration::from_millis(500);

/// Microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub shard_us: f64,
    pub ingest_us: f64,
    /// Of the thread that reads the pipe or follows NATS.
    pub feed_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// Ended when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn measure(plan: Plan, way: Way, url: &str) -> Measured {
    let feed = match way {
        Way::Pipe => "stdin".to_string(),
        Way::Nats => format!("nats:{url},history=off"),
    };
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--shards", "1"]);
    command.args(["--feed", &feed]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::null());
    let mut server = Process(command.spawn().expect("the binary that cargo has just built"));
    let (stream, admin) = addresses(&mut server.0);
    let feeder = match way {
        Way::Pipe => {
            Feeder::by_pipe(server.0.stdin.take().expect("it is piped"), plan.ticks_per_second)
        }
        Way::Nats => Feeder::by_nats(url, format!("e{}", server.0.id()), plan.ticks_per_second),
    };
    let ticks = || status(&admin)["feeds"][0]["ticks"].as_u64().unwrap_or(0);
    wait_until("the feed", || ticks() > 0);
    let readers = readers(&stream, plan);
    let clients = || status(&admin)["totals"]["sessions"].as_u64().unwrap_or(0);
    wait_until("the readers", || clients() as usize == plan.connections);
    thread::sleep(WARM_UP);
    let (before, ticks_before) = (cpu(server.0.id()), ticks());
    thread::sleep(Duration::from_secs(plan.seconds));
    let (after, count) = (cpu(server.0.id()), (ticks() - ticks_before) as f64);
    let latency = status(&admin)["shards"][0]["latency_us"].clone();
    drop(readers);
    feeder.stop();
    let each = |name: &str| (of(&after, name) - of(&before, name)) / count;
    Measured {
        shard_us: each("shard"),
        ingest_us: each("ingest"),
        feed_us: each("feed-"),
        p50_us: latency["p50"].as_f64().unwrap_or(f64::NAN),
        p99_us: latency["p99"].as_f64().unwrap_or(f64::NAN),
    }
}

fn readers(stream: &str, plan: Plan) -> Process {
    let mut command = Command::new(BINARY);
    command.args(["load", stream, "--symbols", "*", "--channels", "quotes"]);
    command.args(["--connections", &plan.connections.to_string(), "--seconds", "120"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().expect("the binary that cargo has just built"))
}

/// The URLs that a server prints first.
fn addresses(server: &mut Child) -> (String, String) {
    let mut lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let mut url = |name: &str| {
        let mut lines = lines.by_ref().map_while(Result::ok);
        let line = lines.find_map(|line| Some(line.trim().strip_prefix(name)?.trim().to_string()));
        line.unwrap_or_else(|| panic!("no {name} was printed"))
    };
    let both = (url("stream"), url("admin"));
    thread::spawn(move || lines.for_each(drop));
    both
}

fn status(admin: &str) -> Value {
    let url = format!("{}/api/status", admin.trim_end_matches('/'));
    let mut answer = ureq::get(&url).call().expect("the admin port answers");
    let text = answer.body_mut().read_to_string().expect("text");
    serde_json::from_str(&text).expect("JSON")
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Name and microseconds of CPU of each thread (proc(5): `schedstat` begins with nanoseconds).
fn cpu(process: u32) -> Vec<(String, f64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let read = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let spent_ns: f64 = spent.split(' ').next()?.parse().ok()?;
        Some((name.trim().to_string(), spent_ns / 1_000.0))
    };
    tasks.filter_map(Result::ok).filter_map(read).collect()
}

fn of(threads: &[(String, f64)], name: &str) -> f64 {
    threads.iter().filter(|(own, _)| own.starts_with(name)).map(|(_, spent)| spent).sum()
}
