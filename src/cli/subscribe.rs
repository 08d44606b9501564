//! `tapecast subscribe`: prints what a client gets, and keeps at it.
//!
//! A connection that ends is dialled again as the protocol asks of the right client: after the
//! server's hint or with backoff, and with `since`, so that nothing is printed twice.

mod connection;
mod mute;
mod table;
#[cfg(test)]
mod tests;
mod view;

use crate::feed::{Backoff, Dialer, TlsError};
use crate::market::{Channel, ChannelSet, Symbol, SymbolError};
use crate::wire::client::{Endpoint, EndpointError, Wish, printable};
use connection::{Ending, Plan, READ_SLEEP, Session};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use view::View;

/// Prints a server's stream: a table on a terminal, lines otherwise.
///
/// Data goes to stdout, everything about the connection to stderr. Reconnects by itself.
#[derive(Debug, Clone, clap::Args)]
pub struct SubscribeArgs {
    /// The server's stream, like ws://127.0.0.1:9001/v1/stream
    pub url: String,
    /// Another node of the same publisher, to go on at when one is lost; may be given several times
    #[arg(long = "or", value_name = "URL")]
    pub others: Vec<String>,
    /// Symbols, or * for all; the URL's `symbols` option is added to them
    #[arg(value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Print the events as the server wrote them, one a line
    #[arg(long)]
    pub json: bool,
    /// Channels, joined by commas: quotes, trades, bars [default: the URL's, or quotes,trades]
    #[arg(long, value_name = "LIST")]
    pub channels: Option<String>,
    /// Ask for at most this many frames a second (the server then merges quotes)
    #[arg(long, value_name = "HZ")]
    pub max_hz: Option<f64>,
    /// Ask for a heartbeat in this interval
    #[arg(long, value_name = "MS")]
    pub heartbeat_ms: Option<u64>,
    /// Certificates of whom to trust for wss:// [default: whom the system trusts]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// End after this many events
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// End after this many seconds
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
}

/// Why there is nothing to print, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error("{0}")]
    Url(#[from] EndpointError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no symbol is given; name some behind the URL, or '*' for all")]
    NoSymbols,
    #[error("the symbol {0:?} cannot be asked for: {1}")]
    Symbol(String, SymbolError),
    #[error("--channels {0:?} is not a channel; quotes, trades and bars are")]
    Channel(String),
    #[error("the URL asks for encoding={0:?}, but subscribe reads JSON; leave the option out")]
    Encoding(String),
    #[error("--{flag} {value} is out of range; give {range}")]
    Range { flag: &'static str, value: String, range: &'static str },
    #[error("{0}")]
    Ended(String),
    #[error("no connection could be opened within --seconds; is the server running?")]
    NeverOpen,
}

impl SubscribeError {
    fn exit_code(&self) -> ExitCode {
        match self {
            SubscribeError::Ended(_) | SubscribeError::NeverOpen => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }
}

/// Runs until `--count` or `--seconds` is reached, the reader of stdout goes away, or the server
/// ends it for good. 0: reached; 1: ended; 2: wrong use.
pub fn run(args: &SubscribeArgs) -> ExitCode {
    match subscribe(args, View::stdout(args.json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tapecast subscribe: {}", printable(&error.to_string()));
            error.exit_code()
        }
    }
}

fn subscribe(args: &SubscribeArgs, view: View) -> Result<(), SubscribeError> {
    let plan = plan(args)?;
    let mut session = Session::new(view, args.count, &plan.wish.symbols);
    let mut backoff = Backoff::new(fastrand::Rng::new());
    loop {
        let ending = session.connect(&plan);
        if session.has_flowed {
            backoff.data_flowed();
        }
        let (why, hint) = match ending {
            Ending::Done => return finish(session),
            Ending::OutputGone => return Ok(()),
            Ending::Final(why) => {
                // What was already taken is shown; the reason is the more telling error.
                let _ = session.view.finish();
                return Err(SubscribeError::Ended(why));
            }
            Ending::Lost { why, hint } => (why, hint),
        };
        let wait = backoff.wait(hint);
        session.view.note(&format!("{why}; next try in {:.1} s", wait.as_secs_f64()));
        let left = plan.deadline.map(|deadline| deadline.duration_since(Instant::now()));
        std::thread::sleep(left.map_or(wait, |left| left.min(wait)));
        if left.is_some_and(|left| left <= wait) {
            return finish(session);
        }
    }
}

fn finish(mut session: Session) -> Result<(), SubscribeError> {
    if !session.was_open {
        return Err(SubscribeError::NeverOpen);
    }
    let finished = session.view.finish();
    finished.map_err(|error| SubscribeError::Ended(format!("cannot write to stdout: {error}")))
}

fn plan(args: &SubscribeArgs) -> Result<Plan, SubscribeError> {
    let mut endpoint = Endpoint::parse(&args.url)?;
    if let Some(encoding) = endpoint.option("encoding").filter(|e| *e != "json") {
        return Err(SubscribeError::Encoding(encoding.to_string()));
    }
    check_ranges(args)?;
    // Both are asked for by command, which alone can say `since`.
    let in_url = endpoint.take_option("symbols").unwrap_or_default();
    let channels_in_url = endpoint.take_option("channels");
    let given = args.symbols.iter().flat_map(|list| list.split(',')).chain(in_url.split(','));
    let mut symbols: Vec<String> = Vec::new();
    for symbol in given.filter(|symbol| !symbol.is_empty()) {
        if symbol != "*" {
            Symbol::parse(symbol).map_err(|e| SubscribeError::Symbol(symbol.to_string(), e))?;
        }
        if !symbols.iter().any(|known| known == symbol) {
            symbols.push(symbol.to_string());
        }
    }
    if symbols.is_empty() {
        return Err(SubscribeError::NoSymbols);
    }
    let channels = args.channels.clone().or(channels_in_url);
    let channels = parse_channels(channels.as_deref().unwrap_or("quotes,trades"))?;
    let (max_hz, heartbeat_ms) = (args.max_hz, args.heartbeat_ms);
    let deadline = args.seconds.map(|s| Instant::now() + Duration::from_secs_f64(s));
    let wish = Wish {
        symbols,
        channels,
        max_hz,
        heartbeat_ms,
        ns_times: false,
        misses_first_trades: false,
    };
    let mut dialers = vec![Dialer::new(endpoint, args.ca_file.as_deref(), READ_SLEEP)?];
    for other in &args.others {
        let mut endpoint = Endpoint::parse(other)?;
        // What is asked for stands in the first.
        for option in ["symbols", "channels", "encoding"] {
            endpoint.take_option(option);
        }
        dialers.push(Dialer::new(endpoint, args.ca_file.as_deref(), READ_SLEEP)?);
    }
    Ok(Plan { dialers, wish, deadline })
}

fn parse_channels(list: &str) -> Result<ChannelSet, SubscribeError> {
    list.split(',').try_fold(ChannelSet::NONE, |set, name| {
        let channel = Channel::from_name(name);
        let channel = channel.ok_or_else(|| SubscribeError::Channel(name.to_string()))?;
        Ok(set.with(ChannelSet::of(channel)))
    })
}

fn check_ranges(args: &SubscribeArgs) -> Result<(), SubscribeError> {
    let range = |flag, value: String, range| Err(SubscribeError::Range { flag, value, range });
    match args {
        SubscribeArgs { count: Some(0), .. } => range("count", "0".to_string(), "1 or more"),
        SubscribeArgs { seconds: Some(s), .. } if !(*s > 0.0 && *s <= 1e9) => {
            range("seconds", s.to_string(), "more than 0 and at most 1000000000")
        }
        SubscribeArgs { max_hz: Some(hz), .. } if !(hz.is_finite() && *hz >= 0.0) => {
            range("max-hz", hz.to_string(), "0 (off) or more")
        }
        _ => Ok(()),
    }
}
