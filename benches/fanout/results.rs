//! Everything that was measured, as it is kept in `results.json`.

use crate::measure::{Figures, Plan};
use crate::workload::Cell;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Of one directory. Cells may come from several sessions on the same machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub cells: Vec<CellResults>,
}

/// One cell: its runs, and how it came to its number of users.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CellResults {
    pub cell: Cell,
    pub session: Session,
    pub runs: Vec<Run>,
    /// Only where the number of users was searched for.
    pub search: Vec<Step>,
}

/// A round of one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub server: String,
    pub round: usize,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Figures(Box<Figures>),
    Failed(String),
}

/// One try of a search.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    pub users: usize,
    /// Of the rate per client.
    pub raised: usize,
    pub mean_ms: f64,
    pub server_share: f64,
    pub carried: bool,
    /// Why not.
    pub why: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// When the command was given, which is the same for all its cells; older ones have none.
    #[serde(default)]
    pub began: String,
    pub commit: String,
    pub date: String,
    pub command: String,
    pub plan: Plan,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    pub memory_mib: u64,
    pub governor: String,
    pub descriptors: u64,
}

/// As a shell takes it: cells have names with blanks.
pub fn quoted(argument: String) -> String {
    if argument.contains(' ') { format!("'{argument}'") } else { argument }
}

impl Session {
    pub fn now(plan: &Plan) -> Session {
        let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        let arguments: Vec<String> = arguments.map(quoted).collect();
        static BEGAN: OnceLock<String> = OnceLock::new();
        let now = jiff::Timestamp::now();
        Session {
            began: BEGAN.get_or_init(|| now.to_string()).clone(),
            commit: commit(),
            date: now.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            command: format!("cargo bench --bench fanout -- {}", arguments.join(" ")),
            plan: plan.clone(),
        }
    }

    /// Measured by one command at one commit.
    pub fn is_of_one_with(&self, other: &Session) -> bool {
        let began = |session: &Session| {
            let known = !session.began.is_empty();
            if known { session.began.clone() } else { session.command.clone() }
        };
        self.commit == other.commit && began(self) == began(other)
    }

    /// Nobody can check out what was measured.
    pub fn is_of_no_commit(&self) -> bool {
        self.commit.ends_with(CHANGED) || self.commit == UNKNOWN
    }
}

/// Behind the commit, where the tree has changes that are not committed.
const CHANGED: &str = " with changes";
const UNKNOWN: &str = "unknown";

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
        output.ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string())
    };
    let hash = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    match (hash.as_str(), changes.is_empty()) {
        ("", _) => UNKNOWN.into(),
        (hash, true) => hash.into(),
        (hash, false) => format!("{hash}{CHANGED}"),
    }
}

impl Machine {
    pub fn this(descriptors: u64) -> Machine {
        let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_string());
        let of = |text: &str, word: &str| {
            let line = text.lines().find(|line| line.starts_with(word))?;
            Some(line.split_once(':')?.1.trim().to_string())
        };
        let processors = read("/proc/cpuinfo").unwrap_or_default();
        let memory = of(&read("/proc/meminfo").unwrap_or_default(), "MemTotal").unwrap_or_default();
        let kib: u64 = memory.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let governor = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
        Machine {
            cpu: of(&processors, "model name").unwrap_or("unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
            memory_mib: kib / 1024,
            governor: read(governor).unwrap_or("not visible (a virtual machine)".into()),
            descriptors,
        }
    }
}

impl Results {
    /// What is there already; nothing, where there is none.
    pub fn read(directory: &Path) -> io::Result<Results> {
        let text = fs::read_to_string(directory.join("results.json"))?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    pub fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        fs::write(directory.join("results.json"), text + "\n")
    }

    /// In place of what was there of the same cell.
    pub fn put(&mut self, results: CellResults) {
        match self.cells.iter_mut().find(|old| old.cell.name == results.cell.name) {
            Some(old) => *old = results,
            None => self.cells.push(results),
        }
    }

    /// Cells of no commit.
    pub fn uncommitted(&self) -> Vec<&str> {
        let uncommitted = self.cells.iter().filter(|cell| cell.session.is_of_no_commit());
        uncommitted.map(|cell| cell.cell.name.as_str()).collect()
    }

    /// All cells of a workload.
    pub fn of<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = &'a CellResults> {
        self.cells.iter().filter(move |results| results.cell.workload == workload)
    }
}

impl Run {
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Figures(figures) => Some(figures),
            Outcome::Failed(_) => None,
        }
    }
}

impl CellResults {
    /// Rounds of a server that gave figures.
    pub fn figures<'a>(&'a self, server: &'a str) -> impl Iterator<Item = (usize, &'a Figures)> {
        let of_server = self.runs.iter().filter(move |run| run.server == server);
        of_server.filter_map(|run| Some((run.round, run.figures()?)))
    }

    /// In the order in which they first ran.
    pub fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> = Vec::new();
        for run in &self.runs {
            if !servers.contains(&run.server.as_str()) {
                servers.push(&run.server);
            }
        }
        servers
    }
}
