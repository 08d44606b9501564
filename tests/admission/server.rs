//! A `tapecast serve` process and what it says.

use super::wait_for;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One symbol that ticks twice a second: next to no load, and every quote is seen.
pub const FEED: &str =
    "synthetic:symbols=1,names=SYM,interval_ms=500,burst=1,trades=0,test_symbols=off";

/// Killed when it is dropped, if it has not been stopped in order.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// With flags that are split at blanks.
    pub fn start(flags: &str) -> Server {
        Server::spawn(Command::new(env!("CARGO_BIN_EXE_tapecast")), flags)
    }

    /// With so many descriptors, as its hard limit.
    pub fn with_descriptors(count: u32, flags: &str) -> Server {
        let mut shell = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_tapecast");
        shell.args(["-c", &format!("ulimit -n {count}; exec \"$0\" \"$@\""), program]);
        Server::spawn(shell, flags)
    }

    fn spawn(mut command: Command, flags: &str) -> Server {
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "off"]).args([
            "--feed",
            FEED,
            "--drain-seconds",
            "0",
        ]);
        command.args(flags.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary that cargo has just built");
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, copy) = (child.stderr.take().expect("it is piped"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                copy.lock().expect("no panic holds it").push_str(&(line + "\n"));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.trim().strip_prefix("stream")?.trim();
            url.strip_prefix("ws://")?.strip_suffix("/v1/stream")?.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.expect("it prints its address");
        Server { child, address, log }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("no panic holds it").clone()
    }

    /// Sets the soft limit of descriptors while it runs.
    pub fn limit_descriptors(&self, soft: u64, hard: u64) {
        let limit = Rlimit { current: Some(soft), maximum: Some(hard) };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("our own child");
    }

    /// Descriptors that it has open.
    pub fn descriptors(&self) -> u64 {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).expect("proc(5)").count() as u64
    }

    /// CPU time that it has used, of all its threads (proc(5), fields 14 and 15).
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("proc(5)");
        let fields = stat.rsplit_once(") ").expect("a command").1.split(' ').skip(11).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Stops it, and gives what it counted: `count of a word` in the summary that it logs.
    pub fn stop(mut self) -> Summary {
        kill_process(self.pid(), Signal::TERM).expect("our own child");
        let status = wait_for("the server's end", || self.child.try_wait().expect("our child"));
        let log = wait_for("its summary", || Some(self.log()).filter(|log| log.contains("told:")));
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        Summary(log)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last log of a server that has stopped.
pub struct Summary(String);

impl Summary {
    /// The count behind `word=`, 0 where it is not mentioned.
    pub fn count(&self, word: &str) -> usize {
        let start = self.0.rfind("refused: ").expect("the summary is logged at the end");
        let mut words = self.0[start..].split_whitespace();
        let of_word = words.find_map(|pair| pair.strip_prefix(word)?.strip_prefix('='));
        of_word.map_or(0, |count| count.parse().expect("a number"))
    }
}
