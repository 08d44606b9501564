//! The servers that can be measured, and how each is started.

use crate::process::{self, Guarded};
use crate::workload::Cell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Time from the start to the line with the address. Runtimes that compile first are slow.
const READY_WAIT: Duration = Duration::from_secs(20);

/// One that can be asked for by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    pub name: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Tapecast,
    /// A bare loop of ours that sends the same bytes: what the kernel asks for it.
    Floor,
    /// Somebody else's, started by `benches/peers/run`.
    Peer,
}

pub const TAPECAST: &str = "tapecast";
pub const FLOOR_SEND: &str = "floor-send";
pub const FLOOR_RING: &str = "floor-ring";
/// Accepts, receives and answers upgrades, and sends nothing: of W3 alone.
pub const FLOOR_CONNECT: &str = "floor-connect";

pub const FLOORS: [&str; 3] = [FLOOR_SEND, FLOOR_RING, FLOOR_CONNECT];
pub const PEERS: [&str; 7] =
    ["bun", "ws", "ws-frames", "tungstenite", "fastwebsockets", "nats", "nchan"];

/// Why a server cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("there is no server {0:?}; known are {1}")]
    Unknown(String, String),
    #[error("cannot start {0}: {1}; install peers with benches/peers/install")]
    Spawn(String, std::io::Error),
    #[error("{0} said no address within {wait} s; its log: {1}", wait = READY_WAIT.as_secs())]
    NotReady(String, String),
}

impl Server {
    pub fn named(name: &str) -> Result<Server, ServerError> {
        let kind = match name {
            TAPECAST => Kind::Tapecast,
            name if FLOORS.contains(&name) => Kind::Floor,
            name if PEERS.contains(&name) => Kind::Peer,
            name => {
                let known = [&[TAPECAST], &FLOORS[..], &PEERS[..]].concat().join(", ");
                return Err(ServerError::Unknown(name.into(), known));
            }
        };
        Ok(Server { name: name.into(), kind })
    }

    /// Tapecast, the floors that this package has, and the peers that are installed.
    pub fn installed() -> Vec<Server> {
        let ours = [TAPECAST].into_iter().chain(FLOORS).chain(PEERS);
        let servers = ours.filter_map(|name| Server::named(name).ok());
        servers.filter(Server::is_installed).collect()
    }

    pub fn is_installed(&self) -> bool {
        match self.kind {
            Kind::Tapecast => true,
            Kind::Floor => floor_program().is_some(),
            Kind::Peer => is_peer_installed(&self.name),
        }
    }

    /// Whether it takes part: not all can do all.
    pub fn can(&self, cell: &Cell) -> bool {
        use crate::workload::Interest;
        let is_all = cell.interest == Interest::All;
        match self.name.as_str() {
            TAPECAST | FLOOR_SEND | FLOOR_RING => true,
            FLOOR_CONNECT => cell.workload == "W3",
            // Of the peers NATS alone has a subscription of everything (`tick.>`), which `tapecast
            // load` does not ask for: it knows the symbols of a peer by their names only.
            _ => !is_all,
        }
    }

    /// What `tapecast load` must speak to it.
    pub fn dialect(&self) -> &'static str {
        match (self.kind, self.name.as_str()) {
            (Kind::Tapecast | Kind::Floor, _) => "tapecast",
            (_, "nats") => "nats",
            (_, "nchan") => "nchan",
            _ => "messages",
        }
    }

    fn command(&self, cell: &Cell, extra: &str) -> Command {
        let mut command = match self.kind {
            Kind::Tapecast => Command::new(env!("CARGO_BIN_EXE_tapecast")),
            Kind::Floor => Command::new(floor_program().unwrap_or_default()),
            Kind::Peer => Command::new(peers_run()),
        };
        match self.kind {
            Kind::Tapecast => {
                command.args([
                    "serve",
                    "--listen",
                    "127.0.0.1:0",
                    "--shards",
                    "1",
                    "--admin",
                    "off",
                ]);
                command.args(["--feed", "stdin", "--drain-seconds", "0", "--flush-ms"]);
                command.arg(cell.flush_ms.to_string());
                // Who stalls is there at the end as at the start, and pings are no ticks.
                for flag in ["--write-stall-ms", "--user-timeout-ms", "--ping-ms"] {
                    command.args([flag, "3600000"]);
                }
                command.args(extra.split_whitespace());
            }
            Kind::Floor => drop(command.args(floor_flags(&self.name, cell))),
            Kind::Peer => drop(command.arg(&self.name)),
        }
        command
    }

    /// Starts it on `core` and waits for its address.
    pub fn start(&self, cell: &Cell, core: usize, extra: &str) -> Result<Running, ServerError> {
        let mut command = self.command(cell, extra);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = process::spawn_pinned(command, core);
        let child = spawned.map_err(|error| ServerError::Spawn(self.name.clone(), error))?;
        let mut child = Guarded(child);
        let stdin = child.0.stdin.take().expect("it is piped");
        let log = lines(child.0.stderr.take().expect("it is piped"));
        let lines = lines(child.0.stdout.take().expect("it is piped"));
        let mut root = child.0.id();
        let mut url = None;
        // Which process is the server's is said before the address, where it is not our child.
        while let Ok(line) = lines.recv_timeout(READY_WAIT) {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("server"), Some(pid)) => root = pid.parse().unwrap_or(root),
                (Some("stream"), Some(address)) => {
                    url = Some(address.to_string());
                    break;
                }
                _ => {}
            }
        }
        let Some(url) = url else {
            drop(child);
            let log: Vec<String> = log.try_iter().collect();
            return Err(ServerError::NotReady(self.name.clone(), log.join(" | ")));
        };
        Ok(Running { child, stdin: Some(stdin), url, root, log })
    }
}

/// Ends when it is dropped.
pub struct Running {
    pub child: Guarded,
    pub stdin: Option<ChildStdin>,
    pub url: String,
    /// Of the tree whose CPU and memory are the server's.
    pub root: u32,
    log: mpsc::Receiver<String>,
}

impl Running {
    /// Moves what belongs to the launch but not to the server to the load's core.
    pub fn separate(&self, core_server: usize, core_load: usize) {
        if self.root != self.child.0.id() {
            process::pin_tree(self.child.0.id(), core_load);
            process::pin_tree(self.root, core_server);
        }
    }

    /// Stops it in order; says how long its turns took, where it tells.
    pub fn stop(mut self) -> Option<String> {
        drop(self.stdin.take());
        drop(self.child);
        self.log.iter().find_map(|line| Some(line.split_once("shard 0: ")?.1.to_string()))
    }

    /// Whether it ended by itself, and what it said last.
    pub fn has_died(&mut self) -> Option<String> {
        let status = self.child.0.try_wait().ok()??;
        let log: Vec<String> = self.log.try_iter().collect();
        Some(format!("the server ended with {status}: {}", log.last().map_or("", |l| l)))
    }
}

/// Lines of a pipe, read by a thread so that a wait can have an end.
pub fn lines(pipe: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Read on when nobody listens: a full pipe would stop the writer.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn peers_run() -> PathBuf {
    package().join("benches/peers/run")
}

fn is_peer_installed(name: &str) -> bool {
    let mut command = Command::new(peers_run());
    command.args(["--check", name]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The floor's bench, beside our own program; the newest where there are several.
fn floor_program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let entries = std::fs::read_dir(own.parent()?).ok()?.flatten();
    let is_floor = |name: &str| name.starts_with("floor-") && !name.contains('.');
    let floors = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_floor));
    let newest = floors.max_by_key(|entry| entry.metadata().and_then(|m| m.modified()).ok());
    newest.map(|entry| entry.path())
}

fn floor_flags(name: &str, cell: &Cell) -> Vec<String> {
    let flag = match name {
        FLOOR_SEND => "--send",
        FLOOR_RING => "--ring",
        _ => "--connect",
    };
    vec![flag.to_string(), "--flush-ms".into(), cell.flush_ms.to_string()]
}
