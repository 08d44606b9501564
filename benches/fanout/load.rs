//! The clients: a `tapecast load` process on the other core, and its report.

use crate::measure::Latency;
use crate::process::{self, Guarded};
use crate::servers::lines;
use crate::workload::{Cell, Interest};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// Time for all connections to open: the slowest server here opens a hundred a second.
const OPEN_WAIT: Duration = Duration::from_secs(180);

/// Time from the window's end to the report.
const REPORT_WAIT: Duration = Duration::from_secs(30);

/// Handshakes in flight.
const OPENING: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot start tapecast load: {0}")]
    Spawn(std::io::Error),
    #[error("the connections did not all open (at most {wait} s): {0}", wait = OPEN_WAIT.as_secs())]
    NotOpen(String),
    #[error("the load gave no report: {0}")]
    NoReport(String),
}

/// A load whose connections are opening or open.
pub struct Load {
    child: Guarded,
    out: Receiver<String>,
    log: Receiver<String>,
}

impl Load {
    /// Begins to open the connections.
    pub fn start(
        cell: &Cell,
        url: &str,
        dialect: &str,
        seconds: f64,
        seed: u64,
        core: usize,
    ) -> Result<Load, LoadError> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapecast"));
        command.args(["load", url, "--dialect", dialect, "--json", "--start-on-line"]);
        command.args(["--connections", &cell.connections.to_string()]);
        command.args(["--seconds", &seconds.to_string(), "--window", &OPENING.to_string()]);
        if dialect == "tapecast" {
            command.args(["--channels", "quotes"]);
        }
        match cell.interest {
            Interest::All => drop(command.args(["--symbols", "*"])),
            Interest::Same(each) => {
                let names: Vec<String> = (1..=each).map(crate::feed::symbol).collect();
                command.args(["--symbols", &names.join(",")]);
            }
            Interest::Random { each, of, cohorts } => {
                command.args(["--symbols-each", &each.to_string()]);
                command.args(["--symbols-of", &of.to_string(), "--seed", &seed.to_string()]);
                if let Some(cohorts) = cohorts {
                    command.args(["--cohorts", &cohorts.to_string()]);
                }
            }
        }
        command.args(["--rest-us", &cell.rest_us.to_string()]);
        let troubles = cell.troubles;
        for (flag, share) in [("--stall", troubles.stall), ("--slow", troubles.slow)] {
            if share > 0.0 {
                command.args([flag, &share.to_string()]);
            }
        }
        if troubles.churn_hz > 0 {
            command.args(["--churn", &troubles.churn_hz.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn_pinned(command, core).map_err(LoadError::Spawn)?;
        let out = lines(child.stdout.take().expect("it is piped"));
        let log = lines(child.stderr.take().expect("it is piped"));
        Ok(Load { child: Guarded(child), out, log })
    }

    /// Returns when all connections are open.
    pub fn wait_open(&mut self) -> Result<(), LoadError> {
        match self.out.recv_timeout(OPEN_WAIT) {
            Ok(line) if line.trim() == "open" => Ok(()),
            Ok(line) => Err(LoadError::NotOpen(format!("it said {line:?}; {}", self.last_words()))),
            Err(_) => Err(LoadError::NotOpen(self.last_words())),
        }
    }

    /// Its window begins now.
    pub fn count(&mut self) -> Result<(), LoadError> {
        let stdin = self.child.0.stdin.as_mut().expect("it is piped, and only this uses it");
        let written = stdin.write_all(b"count\n").and_then(|()| stdin.flush());
        written.map_err(|_| LoadError::NoReport(self.last_words()))
    }

    /// All that it found, once its window is over.
    pub fn report(&mut self) -> Result<Report, LoadError> {
        let mut text = String::new();
        while let Ok(line) = self.out.recv_timeout(REPORT_WAIT) {
            text.push_str(&line);
            text.push('\n');
        }
        match serde_json::from_str(&text) {
            Ok(report) => Ok(report),
            Err(error) => Err(LoadError::NoReport(format!("{error}; {}", self.last_words()))),
        }
    }

    fn last_words(&mut self) -> String {
        std::thread::sleep(Duration::from_millis(50)); // what is on its way from its stderr
        self.log.try_iter().collect::<Vec<_>>().join(" | ")
    }
}

/// What is used of the JSON that `tapecast load --json` writes; of those who read all at once,
/// within the window.
#[derive(Debug, Deserialize)]
pub struct Report {
    pub ticks: u64,
    pub frames: u64,
    pub reads: u64,
    pub bytes: u64,
    pub missing: u64,
    pub violations: u64,
    pub cpu_s: f64,
    pub connects_per_s: f64,
    pub connect_us: Latency,
    pub latency_us: Option<Latency>,
    pub last_us: Latency,
    pub churned: u64,
    pub classes: Classes,
}

/// Open connections when the window began and when it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    pub reading: StartEnd,
    pub slow: StartEnd,
    pub stalled: StartEnd,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StartEnd {
    pub start: u64,
    pub end: u64,
}
