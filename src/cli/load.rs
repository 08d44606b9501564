//! `tapecast load`: many connections at once, each stream checked while it is measured.
//!
//! One thread and one epoll: a receive costs the generator less than the send costs the server,
//! since equal frames are parsed once and only compared afterwards. The work is in [`Driver`].

mod args;
mod ask;
mod census;
mod check;
mod churn;
mod connection;
mod cpu;
mod cue;
mod dial;
mod dialect;
mod digest;
mod driver;
mod findings;
mod frame_cache;
mod interest;
mod last_reader;
mod pace;
mod report;
mod sink;
mod slow;
mod symbols;
mod tally;
#[cfg(test)]
mod tests;

pub use args::{LoadArgs, LoadError};
pub use dialect::Dialect;
pub use report::Report;

use crate::server::descriptors::raise_descriptor_limit;
use crate::wire::client::Endpoint;
use ask::Ask;
use check::{FirstSeen, Ledger};
use driver::{Driver, Plan};
use findings::Findings;
use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use symbols::SymbolTable;

/// Descriptors that are not connections: standard streams, epoll, files, a resolver's.
const DESCRIPTORS_SPARE: u64 = 32;

/// Runs, prints the report on stdout and errors on stderr. 0: good; 1: violations, or nothing
/// opened; 2: wrong use.
pub fn run(args: &LoadArgs) -> ExitCode {
    // The file first: a run may take hours, and its report would then have no place.
    let loaded = args.check_ranges().and_then(|()| report_file(args));
    let loaded = loaded.and_then(|file| Ok((file, load(args)?)));
    let (file, report) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("tapecast load: {error}");
            return error.exit_code();
        }
    };
    let out = &mut io::stdout().lock();
    // A reader that has gone has read enough.
    let _ = match args.json {
        true => writeln!(out, "{}", to_json(&report)),
        false => write!(out, "{report}"),
    };
    if let Err(error) = write_report(file, &report) {
        eprintln!("tapecast load: {error}");
        return error.exit_code();
    }
    ExitCode::from(if report.is_good() { 0 } else { 1 })
}

/// The run itself, without printing.
pub fn load(args: &LoadArgs) -> Result<Report, LoadError> {
    let mut symbols = SymbolTable::default();
    args.check_ranges()?;
    let (ask, interest) = Ask::new(args, &mut symbols)?;
    let (_, hard) = raise_descriptor_limit()?;
    let passing = args.churn.map_or(0, churn::open_max);
    let needed = args.connections as u64 + passing as u64 + DESCRIPTORS_SPARE;
    if needed > hard {
        return Err(LoadError::Descriptors { asked: args.connections, needed, hard });
    }
    let plan = Plan {
        address: resolve(&ask.endpoint)?,
        ask,
        connection_count: args.connections,
        window: args.window,
        counting_time: Duration::from_secs_f64(args.seconds),
        receive_buffer_bytes: args.rcvbuf,
        stall_share: args.stall,
        slow_share: args.slow,
        churn_hz: args.churn,
        is_cued: args.start_on_line,
        rest: Duration::from_micros(args.rest_us),
    };
    let (first_seen, findings) = (FirstSeen::default(), Findings::default());
    let terms = plan.ask.terms();
    let ledger = Ledger { symbols, interest, terms, first_seen, findings };
    let (census, sink) = Driver::new(plan.clone(), ledger)?.run()?;
    Ok(Report::new(&plan, census, sink))
}

fn resolve(endpoint: &Endpoint) -> Result<SocketAddr, LoadError> {
    let failed = |error| LoadError::Resolve(endpoint.authority(), error);
    let mut found = (endpoint.host.as_str(), endpoint.port).to_socket_addrs().map_err(failed)?;
    found.next().ok_or_else(|| failed(io::Error::other("the name has no address")))
}

/// Empty, as a shell's `>` would make it.
fn report_file(args: &LoadArgs) -> Result<Option<(&Path, File)>, LoadError> {
    let Some(path) = &args.report else { return Ok(None) };
    let file = File::create(path).map_err(|error| LoadError::Report(path.clone(), error))?;
    Ok(Some((path, file)))
}

fn write_report(file: Option<(&Path, File)>, report: &Report) -> Result<(), LoadError> {
    let Some((path, mut file)) = file else { return Ok(()) };
    let text = to_json(report) + "\n";
    file.write_all(text.as_bytes()).map_err(|error| LoadError::Report(path.to_path_buf(), error))
}

fn to_json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has string keys and finite numbers")
}
