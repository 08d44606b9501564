//! The flags of `tapecast load`, and why a run did not happen.

use super::dialect::Dialect;
use crate::limits::SYMBOLS_MAX;
use crate::wire::client::EndpointError;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Most symbols that a connection can draw: its request target must fit the head of an upgrade
/// (16 KiB here, 8 KiB with some other servers), and a name with its comma takes seven bytes.
pub const SYMBOLS_EACH_MAX: usize = 2000;

/// Opens many connections to a server, checks every stream, and reports rates and latencies.
///
/// Latencies are from the event time, so they mean something for feeds whose event times are of
/// now: `synthetic`, or `replay` with `restamp`.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// The server's stream, like ws://127.0.0.1:9001/v1/stream; its options are kept unless a
    /// flag says otherwise
    pub url: String,
    /// Connections to open
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub connections: usize,
    /// Seconds to count, from when all connections are open
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    pub seconds: f64,
    /// Symbols that every connection subscribes, joined by commas, or * for all
    #[arg(long, value_name = "A,B|*")]
    pub symbols: Option<String>,
    /// Symbols that each connection draws at random, by itself, of those of --symbols-of
    #[arg(long, value_name = "K", requires = "symbols_of", conflicts_with = "symbols")]
    pub symbols_each: Option<usize>,
    /// Symbols to draw from: S00001, S00002 and so on up to this number
    #[arg(long, value_name = "N", requires = "symbols_each")]
    pub symbols_of: Option<usize>,
    /// Different draws, which the connections take in turn [default: one for each connection]
    #[arg(long, value_name = "N", requires = "symbols_each")]
    pub cohorts: Option<u64>,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What the server speaks
    #[arg(long, value_enum, default_value_t = Dialect::Tapecast)]
    pub dialect: Dialect,
    /// Channels, joined by commas: quotes, trades, bars [default: the URL's, or quotes,trades]
    #[arg(long, value_name = "LIST")]
    pub channels: Option<String>,
    /// Handshakes in flight while connections are opened
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub window: usize,
    /// Ask for at most this many frames a second (the server then merges quotes)
    #[arg(long, value_name = "HZ")]
    pub max_hz: Option<f64>,
    /// Form of event times: ns or rfc3339 [default: the URL's, or ns]
    #[arg(long, value_name = "FORM")]
    pub ts: Option<String>,
    /// Ask for heartbeats, whose item counts are checked
    #[arg(long, value_name = "MS")]
    pub heartbeat_ms: Option<u64>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Receive buffer of each socket (SO_RCVBUF), set before it connects
    #[arg(long, value_name = "BYTES")]
    pub rcvbuf: Option<usize>,
    /// Share of the connections that never read after they opened, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub stall: f64,
    /// Share of the connections that read slowly: 1 KiB every 100 ms, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub slow: f64,
    /// Further connections a second that connect, subscribe, stay for 100 ms and close
    #[arg(long, value_name = "HZ")]
    pub churn: Option<f64>,
    /// Rest between two looks at the sockets, at most 100000. What arrives meanwhile wakes nobody,
    /// which a server on the same machine would pay for; latencies grow by up to the rest
    #[arg(long, value_name = "US", default_value_t = 0)]
    pub rest_us: u64,
    /// Encoding to ask for: json or msgpack [default: the URL's, or json]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Print `open` on stdout when all connections are open, and begin to count when a line
    /// comes on stdin
    #[arg(long)]
    pub start_on_line: bool,
    /// Print the report as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Why a run did not happen, or its report was not written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{0}")]
    Url(#[from] EndpointError),
    #[error("--symbols is missing; give names joined by commas, or --symbols '*' for all")]
    NoSymbols,
    #[error("--dialect {0} has no subscription to all symbols; name them, joined by commas")]
    AllSymbols(Dialect),
    #[error(
        "--{flag} is an option of Tapecast's own protocol; leave it out with --dialect {dialect}"
    )]
    Dialect { flag: &'static str, dialect: Dialect },
    #[error("--start-on-line: stdin ended before a line came; write one when counting may begin")]
    NoLine,
    #[error("--symbols {0:?}: {1}")]
    Symbol(String, crate::market::SymbolError),
    #[error("--channels {0:?} is not a channel; quotes, trades and bars are")]
    Channel(String),
    #[error("--ts {0:?} is not a form of event times; ns and rfc3339 are")]
    Ts(String),
    #[error("--{flag} {value} is out of range; give {range}")]
    Range { flag: &'static str, value: String, range: &'static str },
    #[error("--encoding {0:?} is not an encoding; json and msgpack are")]
    Encoding(String),
    #[error(
        "--connections {asked} needs {needed} file descriptors and this process may have {hard}; \
         use fewer, or raise the hard limit (ulimit -Hn, or LimitNOFILE= of a systemd unit)"
    )]
    Descriptors { asked: usize, needed: u64, hard: u64 },
    #[error("cannot resolve {0}: {1}")]
    Resolve(String, io::Error),
    #[error("cannot write --report {0:?}: {1}; name a file in a directory that can be written")]
    Report(PathBuf, io::Error),
    #[error("the run broke off: {0}")]
    Io(#[from] io::Error),
}

impl LoadError {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            LoadError::Resolve(..)
            | LoadError::Report(..)
            | LoadError::NoLine
            | LoadError::Io(_) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// What one thread can dial beside its readers.
const CHURN_HZ_MAX: f64 = 5000.0;

/// Within which all deadlines of a run are still seen in time.
const REST_US_MAX: u64 = 100_000;

impl LoadArgs {
    pub fn check_ranges(&self) -> Result<(), LoadError> {
        let of = self.symbols_of.unwrap_or(SYMBOLS_MAX);
        let each = self.symbols_each.unwrap_or(1);
        let checks = [
            (self.connections > 0, "connections", self.connections.to_string(), "1 or more"),
            (self.window > 0, "window", self.window.to_string(), "1 or more"),
            (
                self.seconds > 0.0 && self.seconds <= 1e6,
                "seconds",
                self.seconds.to_string(),
                "more than 0 and at most 1000000",
            ),
            ((0.0..=1.0).contains(&self.stall), "stall", self.stall.to_string(), "0 to 1"),
            (
                (0.0..=1.0 - self.stall).contains(&self.slow),
                "slow",
                self.slow.to_string(),
                "0 to 1, and with --stall at most 1",
            ),
            (
                self.churn.is_none_or(|hz| (0.1..=CHURN_HZ_MAX).contains(&hz)),
                "churn",
                self.churn.unwrap_or(0.0).to_string(),
                "0.1 to 5000",
            ),
            (self.rest_us <= REST_US_MAX, "rest-us", self.rest_us.to_string(), "0 to 100000"),
            ((1..=SYMBOLS_MAX).contains(&of), "symbols-of", of.to_string(), "1 to 100000"),
            (self.cohorts != Some(0), "cohorts", "0".to_string(), "1 or more"),
            (
                (1..=SYMBOLS_EACH_MAX.min(of)).contains(&each),
                "symbols-each",
                each.to_string(),
                "1 to 2000, and at most --symbols-of",
            ),
        ];
        for (is_good, flag, value, range) in checks {
            if !is_good {
                return Err(LoadError::Range { flag, value, range });
            }
        }
        Ok(())
    }
}
