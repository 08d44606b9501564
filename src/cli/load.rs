//! `tapecast load`: many connections at once, each stream checked while it is measured.
//!
//! One thread and one epoll: a receive costs the generator less than the send costs the server,
//! since equal frames are parsed once and only compared afterwards. The work is in [`Driver`].

mod check;
mod connection;
mod cpu;
mod digest;
mod driver;
mod findings;
mod frame_cache;
mod report;
mod symbols;
mod tally;
#[cfg(test)]
mod tests;

pub use report::Report;

use crate::market::{Channel, ChannelSet, Symbol};
use crate::server::descriptors::raise_descriptor_limit;
use crate::wire::client::{Endpoint, EndpointError};
use check::{FirstSeen, Interest, Ledger};
use driver::{Driver, Plan};
use findings::Findings;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use symbols::SymbolTable;

/// Descriptors that are not connections: standard streams, epoll, files, a resolver's.
const DESCRIPTORS_SPARE: u64 = 32;

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
    #[error("--symbols {0:?}: {1}")]
    Symbol(String, crate::market::SymbolError),
    #[error("--channels {0:?} is not a channel; quotes, trades and bars are")]
    Channel(String),
    #[error("--ts {0:?} is not a form of event times; ns and rfc3339 are")]
    Ts(String),
    #[error("--{flag} {value} is out of range; give {range}")]
    Range { flag: &'static str, value: String, range: &'static str },
    #[error("the URL asks for encoding={0:?}, but load reads JSON; leave the option out")]
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
    fn exit_code(&self) -> ExitCode {
        match self {
            LoadError::Resolve(..) | LoadError::Report(..) | LoadError::Io(_) => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// Runs, prints the report on stdout and errors on stderr. 0: good; 1: violations, or nothing
/// opened; 2: wrong use.
pub fn run(args: &LoadArgs) -> ExitCode {
    let report = match load(args) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("tapecast load: {error}");
            return error.exit_code();
        }
    };
    if args.json {
        println!("{}", to_json(&report));
    } else {
        print!("{report}");
    }
    if let Err(error) = write_report(args, &report) {
        eprintln!("tapecast load: {error}");
        return error.exit_code();
    }
    ExitCode::from(if report.is_good() { 0 } else { 1 })
}

/// The run itself, without printing.
pub fn load(args: &LoadArgs) -> Result<Report, LoadError> {
    let mut symbols = SymbolTable::default();
    let (endpoint, interest) = target(args, &mut symbols)?;
    check_ranges(args)?;
    let (_, hard) = raise_descriptor_limit()?;
    let needed = args.connections as u64 + DESCRIPTORS_SPARE;
    if needed > hard {
        return Err(LoadError::Descriptors { asked: args.connections, needed, hard });
    }
    let plan = Plan {
        address: resolve(&endpoint)?,
        endpoint,
        connection_count: args.connections,
        window: args.window,
        counting_time: Duration::from_secs_f64(args.seconds),
        receive_buffer_bytes: args.rcvbuf,
        stall_share: args.stall,
    };
    let (first_seen, findings) = (FirstSeen::default(), Findings::default());
    let ledger = Ledger { symbols, interest, first_seen, findings };
    let (census, sink) = Driver::new(plan.clone(), ledger)?.run()?;
    Ok(Report::new(&plan, census, sink))
}

/// What to dial, and what to expect there: flags first, then the URL's options, then defaults.
fn target(args: &LoadArgs, table: &mut SymbolTable) -> Result<(Endpoint, Interest), LoadError> {
    let mut endpoint = Endpoint::parse(&args.url)?;
    if let Some(encoding) = endpoint.option("encoding").filter(|e| *e != "json") {
        return Err(LoadError::Encoding(encoding.to_string()));
    }
    let flag_or_option = |flag: &Option<String>, name: &str| {
        flag.clone().or_else(|| endpoint.option(name).map(str::to_string))
    };
    let symbols = flag_or_option(&args.symbols, "symbols").ok_or(LoadError::NoSymbols)?;
    let channels =
        flag_or_option(&args.channels, "channels").unwrap_or("quotes,trades".to_string());
    let ts = flag_or_option(&args.ts, "ts").unwrap_or("ns".to_string());
    if !["ns", "rfc3339"].contains(&ts.as_str()) {
        return Err(LoadError::Ts(ts));
    }
    endpoint.set_option("symbols", &symbols);
    endpoint.set_option("channels", &channels);
    endpoint.set_option("ts", &ts);
    if let Some(max_hz) = args.max_hz {
        endpoint.set_option("max_hz", &max_hz.to_string());
    }
    if let Some(heartbeat_ms) = args.heartbeat_ms {
        endpoint.set_option("heartbeat_ms", &heartbeat_ms.to_string());
    }
    let names = parse_symbols(&symbols)?;
    let interest = Interest::new(names.as_deref(), parse_channels(&channels)?, table);
    Ok((endpoint, interest))
}

/// `None` is all of them.
fn parse_symbols(list: &str) -> Result<Option<Vec<String>>, LoadError> {
    let names: Vec<String> =
        list.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect();
    if names.is_empty() {
        return Err(LoadError::NoSymbols);
    }
    if names.iter().any(|name| name == "*") {
        return Ok(None);
    }
    for name in &names {
        Symbol::parse(name).map_err(|error| LoadError::Symbol(name.clone(), error))?;
    }
    Ok(Some(names))
}

fn parse_channels(list: &str) -> Result<ChannelSet, LoadError> {
    list.split(',').try_fold(ChannelSet::NONE, |set, name| {
        let channel = Channel::from_name(name);
        let channel = channel.ok_or_else(|| LoadError::Channel(name.to_string()))?;
        Ok(set.with(ChannelSet::of(channel)))
    })
}

fn check_ranges(args: &LoadArgs) -> Result<(), LoadError> {
    let checks = [
        (args.connections > 0, "connections", args.connections.to_string(), "1 or more"),
        (args.window > 0, "window", args.window.to_string(), "1 or more"),
        (
            args.seconds > 0.0 && args.seconds <= 1e6,
            "seconds",
            args.seconds.to_string(),
            "more than 0 and at most 1000000",
        ),
        ((0.0..=1.0).contains(&args.stall), "stall", args.stall.to_string(), "0 to 1"),
    ];
    for (is_good, flag, value, range) in checks {
        if !is_good {
            return Err(LoadError::Range { flag, value, range });
        }
    }
    Ok(())
}

fn resolve(endpoint: &Endpoint) -> Result<SocketAddr, LoadError> {
    let failed = |error| LoadError::Resolve(endpoint.authority(), error);
    let mut found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs().map_err(failed)?;
    found.next().ok_or_else(|| failed(io::Error::other("the name has no address")))
}

fn write_report(args: &LoadArgs, report: &Report) -> Result<(), LoadError> {
    let Some(path) = &args.report else { return Ok(()) };
    let text = to_json(report) + "\n";
    std::fs::write(path, text).map_err(|error| LoadError::Report(path.clone(), error))
}

fn to_json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has string keys and finite numbers")
}
