//! A `tapecast serve` process, its log, and what the system says about it.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A session's end, from the log.
#[derive(Debug, Clone)]
pub struct Ended {
    pub peer: SocketAddr,
    /// `CloseReason::word`.
    pub reason: String,
    pub at: Instant,
}

#[derive(Default)]
struct Log {
    ended: Vec<Ended>,
    /// All other lines.
    text: String,
}

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<(Mutex<Log>, Condvar)>,
}

impl Server {
    /// One shard on the first core.
    pub fn start(near: IpAddr, flags: &str) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapecast"));
        command
            .args(["serve", "--shards", "1", "--listen", &format!("{near}:0"), "--admin", "off"])
            .args(flags.split_whitespace())
            .envs([("TAPECAST_LOG", "tapecast=debug"), ("NO_COLOR", "1")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary that cargo has just built");
        let log = Arc::new((Mutex::new(Log::default()), Condvar::new()));
        let stderr = child.stderr.take().expect("it is piped");
        let to = log.clone();
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| note(&to, &line));
        });
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.trim().strip_prefix("stream")?.trim();
            url.strip_prefix("ws://")?.strip_suffix("/v1/stream").map(str::to_string)
        });
        let url = url.unwrap_or_else(|| {
            let _ = child.wait();
            panic!("no URL was printed: {}", log.0.lock().expect("no panic holds it").text)
        });
        thread::spawn(move || lines.for_each(drop));
        Server { child, address: url.parse().expect("an address and a port"), log }
    }

    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).expect("the server runs").count()
    }

    /// The same without the file that the server opens for a moment each second, of the kernel's
    /// memory.
    pub fn descriptors_at_rest(&self) -> usize {
        let reading = |_| {
            thread::sleep(Duration::from_millis(5));
            self.descriptors()
        };
        (0..3).map(reading).min().expect("three readings")
    }

    /// Waits until the sessions of all these peers have ended, and gives their ends.
    pub fn wait_ended(&self, peers: &HashSet<SocketAddr>, patience: Duration) -> Vec<Ended> {
        let (log, more) = &*self.log;
        let until = Instant::now() + patience;
        let mut found: HashMap<SocketAddr, Ended> = HashMap::new();
        let mut seen = 0;
        let mut guard = log.lock().expect("no panic holds it");
        loop {
            for ended in &guard.ended[seen..] {
                if peers.contains(&ended.peer) {
                    found.insert(ended.peer, ended.clone());
                }
            }
            seen = guard.ended.len();
            if found.len() == peers.len() {
                return found.into_values().collect();
            }
            let left = until.saturating_duration_since(Instant::now());
            let (held, text) = (peers.len() - found.len(), &guard.text);
            assert!(!left.is_zero(), "{held} of {} sessions have not ended: {text}", peers.len());
            guard = more.wait_timeout(guard, left).expect("no panic holds it").0;
        }
    }

    /// Forgets the ends so far: ports are used again.
    pub fn forget_ends(&self) {
        self.log.0.lock().expect("no panic holds it").ended.clear();
    }

    /// Sessions that have ended since the last `forget_ends`, for those that must not.
    pub fn ends(&self) -> Vec<Ended> {
        self.log.0.lock().expect("no panic holds it").ended.clone()
    }

    /// Bytes that the kernel holds unsent or unacknowledged for peers at this address.
    pub fn unsent_bytes(&self, far: IpAddr) -> usize {
        self.sockets(far).iter().map(|(_, bytes)| bytes).sum()
    }

    /// The peers at this address, whoever opened them.
    pub fn peers(&self, far: IpAddr) -> HashSet<SocketAddr> {
        self.sockets(far).into_iter().map(|(port, _)| SocketAddr::new(far, port)).collect()
    }

    /// Port and bytes unacknowledged, of the server's established sockets to this address.
    fn sockets(&self, far: IpAddr) -> Vec<(u16, usize)> {
        let IpAddr::V4(far) = far else { panic!("the network has IPv4 addresses") };
        // The address in the byte order of the machine; state 01 is established (proc(5)).
        let far = format!("{:08X}:", u32::from_ne_bytes(far.octets()));
        let local_port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").expect("proc is mounted");
        let ours = table.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, "01", queues, ..] = words[..] else { return None };
            let port = remote.strip_prefix(&far)?;
            let port = u16::from_str_radix(port, 16).ok()?;
            let bytes = usize::from_str_radix(queues.split(':').next()?, 16).ok()?;
            local.ends_with(&local_port).then_some((port, bytes))
        });
        ours.collect()
    }

    /// Waits until the sockets to `far` take nothing more.
    pub fn wait_full(&self, far: IpAddr) {
        const STILL: Duration = Duration::from_millis(400);
        let until = Instant::now() + Duration::from_secs(60);
        let (mut bytes, mut since) = (0, Instant::now());
        while bytes == 0 || since.elapsed() < STILL {
            let now_bytes = self.unsent_bytes(far);
            if now_bytes != bytes {
                (bytes, since) = (now_bytes, Instant::now());
            }
            assert!(Instant::now() < until, "the sockets are never full: {bytes} bytes");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it as an operator does; it must end in order, and nothing may have panicked.
    pub fn stop(mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        let status = self.child.wait().expect("it is our child");
        let text = self.text();
        assert!(status.success(), "{status}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }

    fn text(&self) -> String {
        self.log.0.lock().expect("no panic holds it").text.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.text());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn note(log: &(Mutex<Log>, Condvar), line: &str) {
    let mut guard = log.0.lock().expect("no panic holds it");
    match parse_end(line) {
        Some((peer, reason)) => guard.ended.push(Ended { peer, reason, at: Instant::now() }),
        None => {
            guard.text.push_str(line);
            guard.text.push('\n');
        }
    }
    log.1.notify_all();
}

/// Peer and reason of a line that says `session ended`.
fn parse_end(line: &str) -> Option<(SocketAddr, String)> {
    if !line.contains("session ended") {
        return None;
    }
    let word = |name: &str| {
        let rest = &line[line.find(name)? + name.len()..];
        Some(rest.split_whitespace().next()?.trim_matches('"').to_string())
    };
    Some((word("peer=")?.parse().ok()?, word("reason=")?))
}
