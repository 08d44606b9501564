//! `tapecast serve`: flags, variables and file → settings → server → exit code.

mod admission;
mod args;
mod feeds;
mod overload;
mod reload;
mod summary;
mod watch;

pub use args::{GivenSettings, ServeArgs, SettingFlags};
pub use feeds::specs as feed_specs;

use crate::config::{Config, ConfigErrors, Settings, Sources};
use crate::control::{Admin, AdminError, AdminPort, LogLevel, Signals};
use crate::panics;
use crate::server::{Server, StartError};
use crate::wire::client::without_logins;
use reload::Reload;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Reads the configuration whole, with what the feeds' texts mean, and tells of variables that
/// look like settings and are none. For commands that print what they find.
pub fn check_aloud(sources: &Sources) -> Result<Config, ConfigErrors> {
    tell_mistyped(sources);
    check(sources)
}

/// The same for commands that have feeds of their own.
pub fn load_aloud(sources: &Sources) -> Result<Config, ConfigErrors> {
    tell_mistyped(sources);
    sources.load()
}

fn tell_mistyped(sources: &Sources) {
    for (name, near) in sources.mistyped_variables() {
        eprintln!("warning: {name} is no setting and is not read; did you mean {near}?");
    }
}

/// Reads the configuration whole, with what the feeds' texts mean.
pub fn check(sources: &Sources) -> Result<Config, ConfigErrors> {
    let (config, mut errors) = sources.read();
    errors.extend(feeds::specs(&config).err().into_iter().flat_map(|found| found.0));
    if errors.is_empty() { Ok(config) } else { Err(ConfigErrors(errors)) }
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
    let Running { mut signals, server, admin } = match start(&config.settings, &log) {
        Ok(started) => started,
        Err(error) => {
            let (text, is_setting) = match &error {
                NotServing::Server(error) => (explained(error, &config), key_of(error).is_some()),
                NotServing::Admin(error) => (error.to_string(), false),
            };
            eprintln!("error: {text}");
            return ExitCode::from(if is_setting { 2 } else { 1 });
        }
    };
    for (name, near) in sources.mistyped_variables() {
        tracing::warn!("{name} is no setting and is not read; did you mean {near}?");
    }
    // A reader of our output that has gone is no reason to end.
    let address = admin.as_ref().map(|admin| admin.address);
    let _ = print_what_runs(&config.settings, &server, address);
    let exit = watch::until_stopped(Reload::new(sources, config, log), &mut signals, server);
    // Last of all, so that who asked for the stop is answered, and how it goes can be seen.
    admin.into_iter().for_each(Admin::stop);
    exit
}

struct Running {
    signals: Signals,
    server: Server,
    admin: Option<Admin>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
enum NotServing {
    #[error(transparent)]
    Server(#[from] StartError),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

fn start(settings: &Settings, log: &LogLevel) -> Result<Running, NotServing> {
    // First of all, since a second server on a machine fails here, and nothing has begun yet.
    let port = settings.admin.map(AdminPort::bind).transpose()?;
    let signals = Signals::new().map_err(StartError::Descriptors)?;
    let server = Server::start(settings)?;
    let view = server.view(settings, log.clone(), signals.stop_asker());
    let admin = port.map(|port| port.serve(view)).transpose()?;
    Ok(Running { signals, server, admin })
}

/// The setting that is wrong by itself, where it is one, and not the machine.
fn key_of(error: &StartError) -> Option<&'static str> {
    match error {
        StartError::TooManySessions { .. } => Some("max_sessions"),
        StartError::NoShare { key, .. } => Some(key),
        StartError::Memory(error) if error.is_given() => Some("memory_budget"),
        _ => None,
    }
}

/// With the place where the setting was given.
fn explained(error: &StartError, config: &Config) -> String {
    key_of(error).map_or_else(|| error.to_string(), |key| format!("{}: {error}", config.given(key)))
}

fn print_what_runs(
    settings: &Settings,
    server: &Server,
    admin: Option<SocketAddr>,
) -> io::Result<()> {
    let (budget, address) = (&server.budget, server.address);
    let url = format!("ws://{address}/v1/stream");
    let cores: Vec<_> = server.shards.iter().map(|shard| shard.core.to_string()).collect();
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let shards_mib = mib(budget.shard_bytes) * budget.shards as f64;
    let sessions = budget.sessions_max;
    let out = &mut io::stdout().lock();
    writeln!(out, "tapecast {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  stream   {url}")?;
    if let Some(admin) = admin {
        writeln!(out, "  admin    http://{admin}/")?;
    }
    writeln!(out, "  shards   {} on core {}", budget.shards, cores.join(", "))?;
    writeln!(out, "  feeds    {}", without_logins(&settings.feeds.join("  ")))?;
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
    if settings.admission.proxies.announce {
        writeln!(out, "  clients  come through a proxy of trusted_proxies (proxy_protocol)")?;
        return out.flush();
    }
    writeln!(out, "  open     {url}?symbols=AAPL,MSFT (any WebSocket client)")?;
    writeln!(out, "  or run   tapecast subscribe {url} AAPL MSFT")?;
    out.flush()
}
