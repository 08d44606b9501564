//! Server and load generator as processes, and what the system says of them.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_tapecast");

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for an event, with a deadline.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Each test loads the machine and measures: one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that has failed leaves nothing behind that another minds.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process whose output is kept. Killed when it is dropped.
pub struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    pub stdin: Option<ChildStdin>,
}

impl Process {
    pub fn start(mut command: Command) -> Process {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program is there");
        let output = Arc::new(Mutex::new(String::new()));
        keep(child.stdout.take().expect("piped"), output.clone());
        keep(child.stderr.take().expect("piped"), output.clone());
        let stdin = child.stdin.take();
        Process { child, output, stdin }
    }

    pub fn output(&self) -> String {
        self.output.lock().expect("no panic holds it").clone()
    }

    pub fn says(&self, text: &str) -> bool {
        self.output().contains(text)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }

    pub fn wait(&mut self) -> bool {
        let status = wait_for("a process's end", || self.child.try_wait().expect("our child"));
        status.success()
    }

    /// `VmRSS`, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is ours");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- output of {} ---\n{}", self.child.id(), self.output());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(from: impl Read + Send + 'static, to: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut output = to.lock().expect("no panic holds it");
            output.push_str(&line);
            output.push('\n');
        }
    });
}

pub struct Server {
    pub process: Process,
    /// Address and port.
    pub address: String,
}

impl Server {
    /// `tapecast serve` on a free port, in a control group where one is given.
    pub fn start(flags: &str, group: Option<&Group>) -> Server {
        let mut command = match group {
            None => Command::new(BINARY),
            Some(group) => {
                let mut shell = Command::new("sh");
                let procs = group.path.join("cgroup.procs");
                let line = format!("echo $$ > {} && exec \"$0\" \"$@\"", procs.display());
                shell.args(["-c", &line, BINARY]);
                shell
            }
        };
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "off"])
            .args(flags.split_whitespace());
        let process = Process::start(command);
        let address = wait_for("the server's address", || {
            let output = process.output();
            let url = output.lines().find_map(|line| line.trim().strip_prefix("stream"))?;
            Some(url.trim().strip_prefix("ws://")?.strip_suffix("/v1/stream")?.to_string())
        });
        Server { process, address }
    }

    /// `tapecast load` against it.
    pub fn load(&self, flags: &str) -> Process {
        let mut command = Command::new(BINARY);
        command.args(["load", &format!("ws://{}/v1/stream", self.address)]);
        command.args(flags.split_whitespace());
        Process::start(command)
    }

    pub fn sockets(&self) -> Sockets {
        Sockets::of(&self.address)
    }
}

/// The kernel's view of the sockets of a listening address, by ss(8).
#[derive(Debug, Default)]
pub struct Sockets {
    pub count: u64,
    /// Unread, unsent and kept in advance: what counts as TCP memory.
    pub buffer_bytes: u64,
}

impl Sockets {
    pub fn of(address: &str) -> Sockets {
        Sockets::select(&["src", address])
    }

    /// Those at the other end, where they are on this machine too.
    pub fn peers_of(address: &str) -> Sockets {
        Sockets::select(&["dst", address])
    }

    fn select(filter: &[&str]) -> Sockets {
        let output =
            Command::new("ss").args(["-tmnHO", "state", "connected"]).args(filter).output();
        let output = output.expect("ss is part of iproute2");
        let mut sockets = Sockets::default();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some((_, memory)) = line.split_once("skmem:(") else { continue };
            let memory = memory.trim_end_matches(|c| c != ')').trim_end_matches(')');
            sockets.count += 1;
            for field in memory.split(',') {
                let of_buffers = field.starts_with('f') || field.starts_with('w');
                let unread = field.starts_with('r') && !field.starts_with("rb");
                if of_buffers || unread {
                    let bytes: u64 = field[1..].parse().expect("a number");
                    sockets.buffer_bytes += bytes;
                }
            }
        }
        sockets
    }
}

/// A control group of version 1 that limits memory, removed when it is dropped.
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// `None` where the machine has no such hierarchy, or we may not use it.
    pub fn limited(bytes: u64) -> Option<Group> {
        let path = format!("/sys/fs/cgroup/memory/tapecast-test-{}", std::process::id());
        let path = PathBuf::from(path);
        fs::create_dir(&path).ok()?;
        let group = Group { path };
        let limit = group.path.join("memory.limit_in_bytes");
        fs::write(limit, bytes.to_string()).ok()?;
        Some(group)
    }

    fn read(&self, file: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).expect("a file of the group");
        text.trim().parse().expect("a number")
    }

    /// The most that the group has used.
    pub fn max_bytes(&self) -> u64 {
        self.read("memory.max_usage_in_bytes")
    }

    /// How often its limit was hit.
    pub fn hits(&self) -> u64 {
        self.read("memory.failcnt")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel lets a group go only when its last process has been waited for.
        let _ = fs::remove_dir(&self.path);
    }
}
