//! A `tapecast serve` process.

use super::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

pub const BINARY: &str = env!("CARGO_BIN_EXE_tapecast");

/// Killed when it is dropped, if it has not been stopped in order.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// As it is printed after the stream's.
    admin: Option<SocketAddr>,
    pub stdin: Option<ChildStdin>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `tapecast serve` on a free port with these flags, split at blanks, and waits until
    /// it says where it listens.
    pub fn start(flags: &str) -> Server {
        Server::start_with(flags.split_whitespace().map(str::to_string).collect())
    }

    /// With a feed whose text may hold blanks.
    pub fn with_feed(feed: &str, flags: &str) -> Server {
        let flags = flags.split_whitespace().map(str::to_string);
        Server::start_with(
            ["--feed".to_string(), feed.to_string()].into_iter().chain(flags).collect(),
        )
    }

    fn start_with(flags: Vec<String>) -> Server {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(&flags);
        if !flags.iter().any(|flag| flag == "--admin") {
            command.args(["--admin", "127.0.0.1:0"]);
        }
        Server::spawn(command)
    }

    /// From a command that ends in being `tapecast serve`.
    pub fn spawn(mut command: Command) -> Server {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary that cargo has just built");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().expect("it is piped");
        copy(stderr, log.clone());
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.trim().strip_prefix("stream")?.trim();
            url.strip_prefix("ws://")?.strip_suffix("/v1/stream").map(str::to_string)
        });
        let Some(url) = url else {
            let status = child.wait().expect("it has ended or will");
            panic!("no URL was printed, {status}: {}", log.lock().expect("no panic holds it"));
        };
        let address = url.parse().expect("an address and a port");
        let next = lines.next().and_then(Result::ok).unwrap_or_default();
        let admin = next.trim().strip_prefix("admin").map(|url| {
            let address = url.trim().trim_start_matches("http://").trim_end_matches('/');
            address.parse().expect("an address and a port")
        });
        thread::spawn(move || lines.for_each(drop));
        let stdin = child.stdin.take();
        Server { child, address, admin, stdin, log }
    }

    /// Panics: it was started with `--admin off`.
    pub fn admin(&self) -> SocketAddr {
        self.admin.expect("an admin port")
    }

    pub fn admin_if_any(&self) -> Option<SocketAddr> {
        self.admin
    }

    pub fn url(&self, target: &str) -> String {
        format!("ws://{}{target}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("no panic holds it").clone()
    }

    /// Waits for a word in what it logs.
    pub fn wait_for_log(&self, word: &str) {
        wait_for(&format!("{word:?} in the log"), || self.log().contains(word).then_some(()));
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is ours and not yet waited for");
    }

    pub fn has_exited(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    pub fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the server's end", || self.child.try_wait().expect("it is our child"))
    }

    /// Stops it as an operator does, and expects that this succeeds and that nothing panicked.
    pub fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_exit();
        let log = self.log();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(from: impl Read + Send + 'static, to: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut log = to.lock().expect("no panic holds it");
            log.push_str(&line);
            log.push('\n');
        }
    });
}
