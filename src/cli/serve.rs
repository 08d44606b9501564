//! `tapecast serve`: flags, variables and file → settings → server → exit code.

mod admission;
mod args;
mod feeds;
mod overload;
mod reload;
mod summary;
mod watch;

pub use args::ServeArgs;

use crate::config::{Config, ConfigErrors, Settings, Sources};
use crate::control::{LogLevel, Signals};
use crate::panics;
use crate::server::{Server, StartError};
use reload::Reload;
use std::io::{self, Write};
use std::process::ExitCode;

/// Reads the configuration whole, with what the feeds' texts mean.
pub fn check(sources: &Sources) -> Result<Config, ConfigErrors> {
    let config = sources.load()?;
    feeds::specs(&config)?;
    Ok(config)
}

/// Runs until a signal. 0: stopped in order; 1: failed; 2: wrong use; others are given by
/// [`Failure`](crate::server::Failure).
pub fn run(args: &ServeArgs) -> ExitCode {
    let sources = args.sources();
    let config = match check(&sources) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    let log = LogLevel::start(&config.settings.log).expect("the level has been checked");
    panics::install();
    let (mut signals, server) = match start(&config.settings) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {}", explained(&error, &config));
            return ExitCode::from(if key_of(&error).is_some() { 2 } else { 1 });
        }
    };
    for (name, near) in sources.mistyped_variables() {
        tracing::warn!("{name} is no setting and is not read; did you mean {near}?");
    }
    // A reader of our output that has gone is no reason to end.
    let _ = print_what_runs(&config.settings, &server);
    watch::until_stopped(Reload::new(sources, config, log), &mut signals, server)
}

fn start(settings: &Settings) -> Result<(Signals, Server), StartError> {
    let signals = Signals::new().map_err(StartError::Descriptors)?;
    Ok((signals, Server::start(settings)?))
}

/// The setting that is wrong by itself, where it is one, and not the machine.
fn key_of(error: &StartError) -> Option<&'static str> {
    match error {
        StartError::TooManySessions { .. } => Some("max_sessions"),
        StartError::Memory(error) if error.is_given() => Some("memory_budget"),
        _ => None,
    }
}

/// With the place where the setting was given.
fn explained(error: &StartError, config: &Config) -> String {
    key_of(error).map_or_else(|| error.to_string(), |key| format!("{}: {error}", config.given(key)))
}

fn print_what_runs(settings: &Settings, server: &Server) -> io::Result<()> {
    let (budget, address) = (&server.budget, server.address);
    let url = format!("ws://{address}/v1/stream");
    let cores: Vec<_> = server.shards.iter().map(|shard| shard.core.to_string()).collect();
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let shards_mib = mib(budget.shard_bytes) * budget.shards as f64;
    let sessions = budget.sessions_max;
    let out = &mut io::stdout().lock();
    writeln!(out, "tapecast {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  stream   {url}")?;
    writeln!(out, "  shards   {} on core {}", budget.shards, cores.join(", "))?;
    writeln!(out, "  feeds    {}", settings.feeds.join("  "))?;
    admission::print(&settings.admission, budget, out)?;
    writeln!(out, "  tape     {} trades", settings.hub.tape_ticks)?;
    overload::print(&server.memory, out)?;
    writeln!(
        out,
        "  memory   {shards_mib:.0} MiB for {} shards + {sessions} sessions x {} bytes = {:.0} MiB \
         at rest; the kernel adds at most {} KiB for a client that does not read",
        budget.shards,
        budget.session_bytes,
        shards_mib + mib(sessions * budget.session_bytes),
        budget.socket_bytes_max / 1024
    )?;
    writeln!(out, "  open     {url}?symbols=AAPL,MSFT (any WebSocket client)")?;
    writeln!(out, "  or run   tapecast subscribe {url} AAPL MSFT")?;
    out.flush()
}
