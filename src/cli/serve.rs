//! `tapecast serve`: flags → settings → server → exit code.

mod admission;
mod boundaries;
mod intake;
mod overload;
mod summary;
mod watch;

use crate::config::{Settings, SocketOptions};
use crate::control::Signals;
use crate::hub::HubSettings;
use crate::panics;
use crate::server::{Server, StartError};
use admission::AdmissionArgs;
use boundaries::BoundaryArgs;
use intake::IntakeArgs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

pub use overload::OverloadArgs;

/// Serves one or more feeds to WebSocket subscribers. Without flags it starts with a built-in
/// synthetic feed on 127.0.0.1:9001. SIGTERM or SIGINT stops it in order, a second one at once.
///
/// Exit codes: 0 stopped in order, 1 failed, 2 wrong use, 70 an internal error that restarts did
/// not cure, 71 a shard that was stuck.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Address and port of the stream; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    pub listen: SocketAddr,
    /// Shards, each pinned to a core [default: one per core that the process may use]
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
    /// Where ticks come from; may be given more than once [default: synthetic].
    ///
    /// synthetic[:symbols=500,rate=20000,seed=1]: a seeded random walk. Also
    /// interval_ms=40,burst=50 for exact loads, trades=PERCENT (0: quotes alone), names=SYM
    /// (SYM0001 ...), test_symbols=off.
    ///
    /// replay:PATH[,speed=1|10|max,loop,wait=N,restamp]: NDJSON, plain, .gz or .zst. wait=N begins
    /// when N sessions have subscribed; restamp gives event times of now.
    ///
    /// stdin: the same lines from standard input.
    #[arg(long = "feed", value_name = "SPEC", verbatim_doc_comment)]
    pub feeds: Vec<String>,
    /// Trades that are kept for clients that are behind or resume
    #[arg(long, value_name = "N", default_value_t = HubSettings::default().tape_ticks)]
    pub tape_ticks: usize,
    /// Seconds over which a stop spreads its closes
    #[arg(long, value_name = "S", default_value_t = Settings::default().drain_ms / 1000)]
    pub drain_seconds: u64,
    /// Batching window in ms; 0 sends as soon as the turn comes
    #[arg(long, value_name = "MS", default_value_t = HubSettings::default().flush_ms)]
    pub flush_ms: u64,
    /// Serve /echo, which returns each message: for conformance suites
    #[arg(long)]
    pub echo: bool,
    #[command(flatten)]
    pub admission: AdmissionArgs,
    #[command(flatten)]
    pub deadlines: DeadlineArgs,
    #[command(flatten)]
    pub sockets: SocketArgs,
    #[command(flatten)]
    pub boundaries: BoundaryArgs,
    #[command(flatten)]
    pub overload: OverloadArgs,
    #[command(flatten)]
    pub intake: IntakeArgs,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Deadlines")]
pub struct DeadlineArgs {
    /// Time for a client's upgrade request to arrive whole
    #[arg(long, value_name = "MS", default_value_t = HubSettings::default().handshake_ms)]
    pub handshake_ms: u64,
    /// Silence of a client after which it is pinged
    #[arg(long, value_name = "MS", default_value_t = HubSettings::default().ping_ms)]
    pub ping_ms: u64,
    /// Time for the answer to a ping
    #[arg(long, value_name = "MS", default_value_t = HubSettings::default().pong_ms)]
    pub pong_ms: u64,
    /// Time without any progress of a send after which a client is closed
    #[arg(long, value_name = "MS", default_value_t = HubSettings::default().write_stall_ms)]
    pub write_stall_ms: u64,
    /// Time for a closing connection to end
    #[arg(long, value_name = "MS", default_value_t = HubSettings::default().close_ms)]
    pub close_ms: u64,
    /// Time without a tick after which a feed counts as stale
    #[arg(long, value_name = "MS", default_value_t = Settings::default().feed_stale_ms)]
    pub feed_stale_ms: u64,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Socket options")]
pub struct SocketArgs {
    /// TCP_USER_TIMEOUT: ends a peer that acknowledges nothing
    #[arg(long, value_name = "MS", default_value_t = SocketOptions::default().user_timeout_ms)]
    pub user_timeout_ms: u32,
    /// SO_SNDBUF (the kernel doubles it): bounds the kernel's memory for a client
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = SocketOptions::default().send_buffer_bytes
    )]
    pub send_buffer_bytes: u32,
    /// SO_RCVBUF (the kernel doubles it)
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = SocketOptions::default().receive_buffer_bytes
    )]
    pub receive_buffer_bytes: u32,
    /// TCP_NOTSENT_LOWAT: a socket with so much unsent takes no more
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = SocketOptions::default().notsent_lowat_bytes
    )]
    pub notsent_lowat_bytes: u32,
    /// Silence before the first keepalive probe
    #[arg(long, value_name = "S", default_value_t = SocketOptions::default().keepalive_idle_s)]
    pub keepalive_idle_s: u32,
    /// Connections that wait for their accept, per shard
    #[arg(long, value_name = "N", default_value_t = SocketOptions::default().backlog)]
    pub backlog: u32,
}

impl ServeArgs {
    /// What the flags come to; not checked yet.
    pub fn settings(&self) -> Settings {
        let feeds = match self.feeds.is_empty() {
            true => vec!["synthetic".to_string()],
            false => self.feeds.clone(),
        };
        let hub = HubSettings {
            tape_ticks: self.tape_ticks,
            flush_ms: self.flush_ms,
            handshake_ms: self.deadlines.handshake_ms,
            ping_ms: self.deadlines.ping_ms,
            pong_ms: self.deadlines.pong_ms,
            write_stall_ms: self.deadlines.write_stall_ms,
            close_ms: self.deadlines.close_ms,
            echo: self.echo,
            lag: self.overload.lag(),
            intake_bytes_per_second: self.intake.intake_bytes_per_second,
            fault_injection: self.boundaries.fault_injection,
            ..HubSettings::default()
        };
        let sockets = SocketOptions {
            user_timeout_ms: self.sockets.user_timeout_ms,
            send_buffer_bytes: self.sockets.send_buffer_bytes,
            receive_buffer_bytes: self.sockets.receive_buffer_bytes,
            notsent_lowat_bytes: self.sockets.notsent_lowat_bytes,
            keepalive_idle_s: self.sockets.keepalive_idle_s,
            backlog: self.sockets.backlog,
            ..SocketOptions::default()
        };
        Settings {
            listen: self.listen,
            shards: self.shards,
            feeds,
            hub,
            admission: self.admission.settings(),
            sockets,
            drain_ms: self.drain_seconds.saturating_mul(1000),
            feed_stale_ms: self.deadlines.feed_stale_ms,
            memory_budget_bytes: self.overload.memory_budget,
            boundaries: self.boundaries.settings(),
        }
    }
}

/// Runs until a signal. 0: stopped in order; 1: failed; 2: wrong use; others are given by
/// [`Failure`](crate::server::Failure).
pub fn run(args: &ServeArgs) -> ExitCode {
    let settings = args.settings();
    if let Err(error) = settings.check() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    panics::install();
    let (mut signals, server) = match start(&settings) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: {error}");
            let wrong_use = matches!(error, StartError::Spec(_));
            return ExitCode::from(if wrong_use { 2 } else { 1 });
        }
    };
    // A reader of our output that has gone is no reason to end.
    let _ = print_what_runs(&settings, &server);
    watch::until_stopped(&settings, &mut signals, server)
}

fn start(settings: &Settings) -> Result<(Signals, Server), StartError> {
    let signals = Signals::new().map_err(StartError::Descriptors)?;
    Ok((signals, Server::start(settings)?))
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
