//! The texts of `--feed`: what they mean, and what is wrong with one.

mod common;
mod intake;
mod nats;
mod options;
mod replay;
mod synthetic;
mod websocket;

pub use common::CommonSpec;
pub use intake::{TcpSpec, UnixSpec};
pub use replay::ReplaySpec;
pub use synthetic::{Pace, SyntheticSpec};
pub use websocket::WebsocketSpec;

use super::intake::{self as publishers, Intake, IntakeLimits, ListenError, Listening};
use super::nats::{Following, NatsFeed};
use super::replay::Replay;
use super::selected::Selected;
use super::source::{Source, Subscribed};
use super::stdin::Stdin;
use super::synthetic::Synthetic;
use super::websocket::{CredentialsError, MEMORY_BYTES as UPSTREAM_BYTES, TlsError, Websocket};
use crate::config::Settings;
use crate::wire::client::{EndpointError, without_logins};
use common::COMMON_KEYS;
use options::Options;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// One `--feed` argument: `KIND[:SUBJECT][,OPTION…]`.
///
/// Each kind has a file here, with its own options; those of [`CommonSpec`] go with every kind.
/// Commas up to the first known option belong to the subject.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedSpec {
    pub kind: FeedKind,
    pub common: CommonSpec,
}

/// Where the records come from.
///
/// * `synthetic[:KEY=VALUE,…]`: see [`SyntheticSpec`].
/// * `replay:PATH[,OPTION…]`: see [`ReplaySpec`].
/// * `stdin[:OPTION…]`: lines from standard input.
/// * `tcp:ADDRESS[,OPTION…]`: lines of many publishers, see [`TcpSpec`].
/// * `unix:PATH[,OPTION…]`: the same at a Unix socket, see [`UnixSpec`].
/// * `nats:URL[,OPTION…]`: see [`Following`].
/// * `api[:OPTION…]`: lines in bodies that are posted to the admin port.
/// * `websocket:URL[,OPTION…]`: another server's stream, see [`WebsocketSpec`].
#[derive(Debug, Clone, PartialEq)]
pub enum FeedKind {
    Synthetic(SyntheticSpec),
    Replay(ReplaySpec),
    Stdin,
    Tcp(TcpSpec),
    Unix(UnixSpec),
    Api,
    Nats(Box<Following>),
    Websocket(Box<WebsocketSpec>),
}

/// What is wrong with a feed's text. Whoever reads it knows where it was given, and says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error(
        "{0}: unknown feed; give synthetic, replay:PATH, stdin, tcp:ADDRESS, unix:PATH, api, \
         nats:URL or websocket:URL"
    )]
    UnknownFeed(String),
    #[error("{feed}: unknown key {key:?}; known are {known}")]
    UnknownKey { feed: &'static str, key: String, known: String },
    #[error("{feed}: {key}={value} does not fit; give {cure}")]
    BadValue { feed: &'static str, key: &'static str, value: String, cure: String },
    #[error("{feed}: {text} is given twice; give it once")]
    Twice { feed: &'static str, text: String },
    #[error("synthetic: rate excludes interval_ms and burst; give one or the other")]
    TwoPaces,
    #[error("synthetic: interval_ms and burst belong together; give both")]
    HalfPace,
    #[error("{0}: the path is missing; give {0}:PATH")]
    NoPath(&'static str),
    #[error("nats: {0}")]
    Nats(String),
    #[error("websocket: the URL is missing; give websocket:ws://HOST:PORT/v1/stream")]
    NoUrl,
    #[error("websocket: {0}")]
    Endpoint(EndpointError),
    #[error("tcp: {0:?} is no address; give tcp:127.0.0.1:9100 or tcp:[::1]:9100, then options")]
    NoAddress(String),
}

/// Why a feed cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FeedOpenError {
    #[error("--feed replay: cannot read {path}: {why}; give the path of a file, then options")]
    Replay { path: PathBuf, why: io::Error },
    #[error("--feed replay: {0} is not a regular file; pipe it in and give --feed stdin")]
    NotAFile(PathBuf),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("--feed websocket: {0}")]
    Tls(#[from] TlsError),
    #[error("--feed websocket: {0}")]
    Credentials(#[from] CredentialsError),
}

impl FeedSpec {
    /// The kind, in one word.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            FeedKind::Synthetic(_) => "synthetic",
            FeedKind::Replay(_) => "replay",
            FeedKind::Stdin => "stdin",
            FeedKind::Tcp(_) => "tcp",
            FeedKind::Unix(_) => "unix",
            FeedKind::Api => "api",
            FeedKind::Nats(_) => "nats",
            FeedKind::Websocket(_) => "websocket",
        }
    }

    /// What feeds are called, in their order, in the log as on the admin port: by the kind, and by
    /// the number as well where another has the same.
    pub fn names(specs: &[FeedSpec]) -> Vec<String> {
        let name = |(number, spec): (usize, &FeedSpec)| {
            let alike = specs.iter().filter(|other| other.kind() == spec.kind()).count();
            match alike {
                1 => spec.kind().to_string(),
                _ => format!("{}-{number}", spec.kind()),
            }
        };
        specs.iter().enumerate().map(name).collect()
    }

    /// The sequence of which this feed is one line, where it is given.
    pub fn line(&self) -> Option<&str> {
        self.common.line.as_deref()
    }

    /// Whether it begins only when sessions have subscribed.
    pub fn waits_for_sessions(&self) -> bool {
        matches!(&self.kind, FeedKind::Replay(spec) if spec.wait > 0)
    }

    /// What may change while it runs.
    pub fn pace(&self) -> Option<Pace> {
        match &self.kind {
            FeedKind::Synthetic(spec) => Some(spec.pace),
            _ => None,
        }
    }

    /// Connections that publishers may have with it at once; `None` where it does not listen.
    pub fn publishers_max(&self) -> Option<usize> {
        match &self.kind {
            FeedKind::Tcp(spec) => Some(spec.limits.connections),
            FeedKind::Unix(spec) => Some(spec.limits.connections),
            _ => None,
        }
    }

    /// What it may hold beside the tables that all feeds share, in bytes.
    pub fn memory_bytes(&self) -> usize {
        match &self.kind {
            FeedKind::Websocket(_) => UPSTREAM_BYTES,
            _ => self.publishers_max().map_or(0, publishers::memory_bytes),
        }
    }

    /// Whether others bring its lines.
    pub fn takes_publishers(&self) -> bool {
        matches!(self.kind, FeedKind::Tcp(_) | FeedKind::Unix(_) | FeedKind::Api)
    }

    /// Whether the other one is the same feed, perhaps at another pace.
    pub fn is_same_but_pace(&self, other: &FeedSpec) -> bool {
        let same_kind = match (&self.kind, &other.kind) {
            (FeedKind::Synthetic(a), FeedKind::Synthetic(b)) => {
                *a == SyntheticSpec { pace: a.pace, ..b.clone() }
            }
            (a, b) => a == b,
        };
        same_kind && self.common == other.common
    }

    /// The same with what the server's settings say besides.
    pub fn with_settings(mut self, settings: &Settings) -> FeedSpec {
        if let FeedKind::Nats(following) = &mut self.kind {
            following.settings = settings.nats.clone();
            following.trades_max = settings.hub.tape_ticks as u64;
        }
        self
    }

    /// Opens what the feed reads, so that a missing file is an error before the server starts.
    pub fn open(&self, subscribed: &Subscribed) -> Result<Box<dyn Source>, FeedOpenError> {
        let source: Box<dyn Source> = match &self.kind {
            FeedKind::Synthetic(spec) => Box::new(Synthetic::new(spec)),
            FeedKind::Replay(spec) => Box::new(Replay::open(spec, subscribed)?),
            FeedKind::Stdin => Box::new(Stdin::standard_input()),
            FeedKind::Tcp(spec) => self.intake(Some(Listening::tcp(spec.address)?), spec.limits),
            FeedKind::Unix(spec) => {
                self.intake(Some(Listening::unix(&spec.path, spec.mode)?), spec.limits)
            }
            FeedKind::Nats(following) => Box::new(NatsFeed::new(Following::clone(following))),
            FeedKind::Api => self.intake(None, intake::API_LIMITS),
            FeedKind::Websocket(spec) => Box::new(Websocket::new(spec)?),
        };
        Ok(Selected::wrap(source, &self.common))
    }

    fn intake(&self, listening: Option<Listening>, limits: IntakeLimits) -> Box<dyn Source> {
        Box::new(Intake::new(self.kind().into(), listening, limits))
    }
}

impl FromStr for FeedSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<FeedSpec, SpecError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let (kind, common) = match kind {
            "synthetic" => with(SyntheticSpec::parse(rest)?, FeedKind::Synthetic),
            "replay" => with(ReplaySpec::parse(rest)?, FeedKind::Replay),
            "tcp" => with(TcpSpec::parse(rest)?, FeedKind::Tcp),
            "nats" => with(nats::parse(rest)?, FeedKind::Nats),
            "websocket" => {
                let (spec, common) = WebsocketSpec::parse(rest)?;
                (FeedKind::Websocket(Box::new(spec)), common)
            }
            "unix" => with(UnixSpec::parse(rest)?, FeedKind::Unix),
            "api" => (FeedKind::Api, only_common("api", rest)?),
            "stdin" => (FeedKind::Stdin, only_common("stdin", rest)?),
            _ => return Err(SpecError::UnknownFeed(without_logins(text))),
        };
        Ok(FeedSpec { kind, common })
    }
}

fn with<S>((spec, common): (S, CommonSpec), kind: fn(S) -> FeedKind) -> (FeedKind, CommonSpec) {
    (kind(spec), common)
}

/// The options of a kind that has none of its own.
fn only_common(feed: &'static str, text: &str) -> Result<CommonSpec, SpecError> {
    let mut options = Options::split(feed, [&[], COMMON_KEYS], text)?;
    let common = CommonSpec::take(&mut options)?;
    options.finish()?;
    Ok(common)
}

#[cfg(test)]
mod tests;
