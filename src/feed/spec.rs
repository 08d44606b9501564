//! The texts of `--feed`: what they mean, and what is wrong with one.

use super::replay::Replay;
use super::source::{Source, Subscribed};
use super::stdin::Stdin;
use super::synthetic::Synthetic;
use super::websocket::{CredentialsError, TlsError, Websocket, WebsocketSpec};
use crate::limits::{FEED_RATE_MAX, SYMBOLS_MAX};
use crate::market::Symbol;
use crate::wire::client::EndpointError;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// One `--feed` argument.
///
/// * `synthetic[:KEY=VALUE,…]`: see [`SyntheticSpec`].
/// * `replay:PATH[,OPTION…]`: see [`ReplaySpec`]. Commas up to the first known option belong to
///   the path.
/// * `websocket:URL[,OPTION…]`: see [`WebsocketSpec`].
/// * `stdin`: lines from standard input.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedSpec {
    Synthetic(SyntheticSpec),
    Replay(ReplaySpec),
    Stdin,
    Websocket(Box<WebsocketSpec>),
}

/// Records that a seeded random walk makes.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticSpec {
    /// `symbols=N`.
    pub symbols: u32,
    pub pace: Pace,
    /// `seed=N`: the same seed gives the same records, event times aside.
    pub seed: u64,
    /// `trades=PERCENT`: how many of the records are trades; 0 for quotes alone.
    pub trades_percent: u8,
    /// `names=PREFIX`: symbols `PREFIX0001` and so on in place of tickers.
    pub names: Option<String>,
    /// `test_symbols=on|off`: whether `TEST.A` to `TEST.Z` come in addition.
    pub test_symbols: bool,
}

/// When synthetic records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// `rate=N`: so many records a second, evenly, symbols at random.
    Rate(u32),
    /// `interval_ms=N,burst=N`: exactly `burst` records an interval, symbols in rotation.
    Bursts { interval_ms: u32, burst: u32 },
}

/// Records from a file of lines: plain, gzip or zstd, by its first bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySpec {
    pub path: PathBuf,
    /// `speed=1|10|max`, any number above 0: how much faster than it happened; `None` is `max`.
    pub speed: Option<f64>,
    /// `loop`: start over at the end.
    pub repeat: bool,
    /// `wait=N`: begin when so many sessions have subscribed.
    pub wait: u64,
    /// `restamp`: event times of now in place of the file's.
    pub restamp: bool,
}

/// What is wrong with a feed's text. Whoever reads it knows where it was given, and says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("{0}: unknown feed; give synthetic, replay:PATH, stdin or websocket:URL")]
    UnknownFeed(String),
    #[error("{feed}: unknown key {key:?}; known are {known}")]
    UnknownKey { feed: &'static str, key: String, known: &'static str },
    #[error("{feed}: {key}={value} does not fit; give {cure}")]
    BadValue { feed: &'static str, key: &'static str, value: String, cure: String },
    #[error("{feed}: {text} is given twice; give it once")]
    Twice { feed: &'static str, text: String },
    #[error("synthetic: rate excludes interval_ms and burst; give one or the other")]
    TwoPaces,
    #[error("synthetic: interval_ms and burst belong together; give both")]
    HalfPace,
    #[error("websocket: the URL is missing; give websocket:ws://HOST:PORT/v1/stream")]
    NoUrl,
    #[error("websocket: {0}")]
    Endpoint(EndpointError),
    #[error("replay: the path is missing; give replay:PATH")]
    NoPath,
}

/// Why a feed cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FeedOpenError {
    #[error("--feed replay: cannot read {path}: {why}; give the path of a file, then options")]
    Replay { path: PathBuf, why: io::Error },
    #[error("--feed replay: {0} is not a regular file; pipe it in and give --feed stdin")]
    NotAFile(PathBuf),
    #[error("--feed websocket: {0}")]
    Tls(#[from] TlsError),
    #[error("--feed websocket: {0}")]
    Credentials(#[from] CredentialsError),
}

const SYNTHETIC_KEYS: &str =
    "symbols, rate, interval_ms, burst, seed, trades, names and test_symbols";

impl Default for SyntheticSpec {
    fn default() -> SyntheticSpec {
        SyntheticSpec {
            symbols: 500,
            pace: Pace::Rate(20_000),
            seed: 1,
            trades_percent: 10,
            names: None,
            test_symbols: true,
        }
    }
}

impl FeedSpec {
    /// The kind, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            FeedSpec::Synthetic(_) => "synthetic",
            FeedSpec::Replay(_) => "replay",
            FeedSpec::Stdin => "stdin",
            FeedSpec::Websocket(_) => "websocket",
        }
    }

    /// Whether it begins only when sessions have subscribed.
    pub fn waits_for_sessions(&self) -> bool {
        matches!(self, FeedSpec::Replay(spec) if spec.wait > 0)
    }

    /// What may change while it runs.
    pub fn pace(&self) -> Option<Pace> {
        match self {
            FeedSpec::Synthetic(spec) => Some(spec.pace),
            FeedSpec::Replay(_) | FeedSpec::Stdin | FeedSpec::Websocket(_) => None,
        }
    }

    /// Whether the other one is the same feed, perhaps at another pace.
    pub fn is_same_but_pace(&self, other: &FeedSpec) -> bool {
        match (self, other) {
            (FeedSpec::Synthetic(a), FeedSpec::Synthetic(b)) => {
                *a == SyntheticSpec { pace: a.pace, ..b.clone() }
            }
            _ => self == other,
        }
    }

    /// Opens what the feed reads, so that a missing file is an error before the server starts.
    pub fn open(&self, subscribed: &Subscribed) -> Result<Box<dyn Source>, FeedOpenError> {
        Ok(match self {
            FeedSpec::Synthetic(spec) => Box::new(Synthetic::new(spec)),
            FeedSpec::Replay(spec) => Box::new(Replay::open(spec, subscribed)?),
            FeedSpec::Stdin => Box::new(Stdin::standard_input()),
            FeedSpec::Websocket(spec) => Box::new(Websocket::new(spec)?),
        })
    }
}

impl FromStr for FeedSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<FeedSpec, SpecError> {
        let (kind, options) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "synthetic" => parse_synthetic(options).map(FeedSpec::Synthetic),
            "replay" => parse_replay(options).map(FeedSpec::Replay),
            "websocket" => Ok(FeedSpec::Websocket(Box::new(WebsocketSpec::parse(options)?))),
            "stdin" if text == "stdin" => Ok(FeedSpec::Stdin),
            _ => Err(SpecError::UnknownFeed(text.into())),
        }
    }
}

fn parse_synthetic(options: &str) -> Result<SyntheticSpec, SpecError> {
    let feed = "synthetic";
    let mut spec = SyntheticSpec::default();
    let (mut rate, mut interval_ms, mut burst) = (None, None, None);
    for (at, option) in options.split(',').enumerate().filter(|(_, option)| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        if options.split(',').take(at).any(|o| o.split('=').next() == Some(key)) {
            return Err(SpecError::Twice { feed, text: key.into() });
        }
        match key {
            // Room is left for the test symbols.
            "symbols" => spec.symbols = whole(feed, "symbols", value, 1, SYMBOLS_MAX as u32 - 26)?,
            "rate" => rate = Some(whole(feed, "rate", value, 1, FEED_RATE_MAX)?),
            "interval_ms" => {
                interval_ms = Some(whole(feed, "interval_ms", value, 1, 3_600_000)?);
            }
            "burst" => burst = Some(whole(feed, "burst", value, 1, FEED_RATE_MAX)?),
            "seed" => spec.seed = whole(feed, "seed", value, 0, u64::MAX)?,
            "trades" => spec.trades_percent = whole(feed, "trades", value, 0, 100)?,
            "names" => spec.names = Some(value.to_string()),
            "test_symbols" => spec.test_symbols = parse_switch(feed, value)?,
            _ => {
                let key = key.to_string();
                return Err(SpecError::UnknownKey { feed, key, known: SYNTHETIC_KEYS });
            }
        }
    }
    spec.pace = match (rate, interval_ms, burst) {
        (None, None, None) => spec.pace,
        (Some(rate), None, None) => Pace::Rate(rate),
        (None, Some(interval_ms), Some(burst)) => Pace::Bursts { interval_ms, burst },
        (Some(_), ..) => return Err(SpecError::TwoPaces),
        (None, ..) => return Err(SpecError::HalfPace),
    };
    check_names(&spec)?;
    Ok(spec)
}

/// The longest of the names must be a symbol.
fn check_names(spec: &SyntheticSpec) -> Result<(), SpecError> {
    let Some(prefix) = &spec.names else { return Ok(()) };
    let longest = format!("{prefix}{:04}", spec.symbols);
    let cure = match Symbol::parse(&longest) {
        Ok(_) if !prefix.is_empty() => return Ok(()),
        Ok(_) => "a prefix such as names=SYM".to_string(),
        Err(why) => format!("a prefix such as names=SYM ({why})"),
    };
    let (feed, key) = ("synthetic", "names");
    Err(SpecError::BadValue { feed, key, value: prefix.clone(), cure })
}

fn parse_replay(options: &str) -> Result<ReplaySpec, SpecError> {
    let feed = "replay";
    let key_of = |option: &str| option.split('=').next().unwrap_or("").to_string();
    let known = |option: &str| match option.split_once('=') {
        None => matches!(option, "loop" | "restamp"),
        Some((key, _)) => matches!(key, "speed" | "wait"),
    };
    let parts: Vec<&str> = options.split(',').collect();
    let path_parts = parts.iter().position(|part| known(part)).unwrap_or(parts.len());
    let path = parts[..path_parts].join(",");
    if path.is_empty() {
        return Err(SpecError::NoPath);
    }
    let (speed, path) = (Some(1.0), PathBuf::from(path));
    let mut spec = ReplaySpec { path, speed, repeat: false, wait: 0, restamp: false };
    let options = &parts[path_parts..];
    for (at, option) in options.iter().enumerate() {
        let key = key_of(option);
        if options[..at].iter().any(|earlier| key_of(earlier) == key) {
            return Err(SpecError::Twice { feed, text: key });
        }
        match option.split_once('=') {
            None if *option == "loop" => spec.repeat = true,
            None if *option == "restamp" => spec.restamp = true,
            Some(("speed", value)) => spec.speed = parse_speed(value)?,
            Some(("wait", value)) => spec.wait = whole(feed, "wait", value, 0, u64::MAX)?,
            _ => {
                let known = "speed=, wait=, loop and restamp";
                return Err(SpecError::UnknownKey { feed, key: option.to_string(), known });
            }
        }
    }
    Ok(spec)
}

fn parse_speed(value: &str) -> Result<Option<f64>, SpecError> {
    if value == "max" {
        return Ok(None);
    }
    let speed: Option<f64> = value.parse().ok().filter(|s| (1e-6..=1e6).contains(s));
    speed.map(Some).ok_or_else(|| SpecError::BadValue {
        feed: "replay",
        key: "speed",
        value: value.into(),
        cure: "max, or a number from 0.000001 to 1000000 such as speed=10".into(),
    })
}

fn parse_switch(feed: &'static str, value: &str) -> Result<bool, SpecError> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => {
            let (key, cure) = ("test_symbols", "on or off".into());
            Err(SpecError::BadValue { feed, key, value: value.into(), cure })
        }
    }
}

/// A whole number from `min` to `max`.
fn whole<T: FromStr + PartialOrd + Display>(
    feed: &'static str,
    key: &'static str,
    value: &str,
    min: T,
    max: T,
) -> Result<T, SpecError> {
    let number = value.parse().ok().filter(|n| (&min..=&max).contains(&n));
    number.ok_or_else(|| {
        let cure = format!("a whole number from {min} to {max}");
        SpecError::BadValue { feed, key, value: value.into(), cure }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_what_they_say() {
        let synthetic = |text: &str| match text.parse() {
            Ok(FeedSpec::Synthetic(spec)) => spec,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(synthetic("synthetic"), SyntheticSpec::default());
        let spec = synthetic("synthetic:symbols=50,names=SYM,interval_ms=100,burst=50,trades=0");
        assert_eq!(spec.pace, Pace::Bursts { interval_ms: 100, burst: 50 });
        assert_eq!((spec.symbols, spec.trades_percent), (50, 0));
        assert_eq!((spec.names.as_deref(), spec.test_symbols), (Some("SYM"), true));
        let spec = synthetic("synthetic:rate=7,seed=9,test_symbols=off");
        assert_eq!((spec.pace, spec.seed, spec.test_symbols), (Pace::Rate(7), 9, false));
        let Ok(FeedSpec::Replay(spec)) = "replay:a,b=c.gz,speed=max,loop,wait=3,restamp".parse()
        else {
            panic!("a replay")
        };
        let expected = ReplaySpec {
            path: "a,b=c.gz".into(),
            speed: None,
            repeat: true,
            wait: 3,
            restamp: true,
        };
        assert_eq!(spec, expected);
        let Ok(FeedSpec::Replay(spec)) = "replay:C:x,speed=0.5".parse() else { panic!("replay") };
        assert_eq!((spec.path, spec.speed), ("C:x".into(), Some(0.5)));
        assert_eq!("stdin".parse(), Ok(FeedSpec::Stdin));
    }

    #[test]
    fn feeds_that_differ_in_pace_alone_are_told_from_others() {
        let same = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| text.parse::<FeedSpec>().expect("a spec"));
            a.is_same_but_pace(&b)
        };
        assert!(same("synthetic", "synthetic:rate=5"));
        assert!(same("synthetic:rate=5", "synthetic:interval_ms=5,burst=1"));
        assert!(same("replay:a,loop", "replay:a,loop") && same("stdin", "stdin"));
        assert!(!same("synthetic", "synthetic:rate=5,seed=2"));
        assert!(!same("replay:a", "replay:a,speed=2") && !same("stdin", "synthetic"));
    }

    /// Method: wrong texts; each message must have these words.
    #[test]
    fn errors_name_key_value_and_cure() {
        for (text, words) in [
            ("nasdaq", vec!["nasdaq", "replay:PATH"]),
            ("stdin:x", vec!["stdin:x"]),
            ("synthetic:rat=5", vec!["\"rat\"", "rate"]),
            ("synthetic:rate=0", vec!["rate=0", "from 1 to"]),
            ("synthetic:rate=fast", vec!["rate=fast"]),
            ("synthetic:symbols=100000", vec!["symbols=100000", "99974"]),
            ("synthetic:rate=5,burst=5", vec!["rate", "interval_ms"]),
            ("synthetic:burst=5", vec!["give both"]),
            ("synthetic:seed=1,seed=2", vec!["seed", "twice"]),
            ("synthetic:trades=101", vec!["trades=101", "100"]),
            ("synthetic:names=A B", vec!["names=A B", "0x20"]),
            ("synthetic:names=", vec!["names=", "prefix"]),
            ("synthetic:test_symbols=no", vec!["test_symbols=no", "on or off"]),
            ("replay", vec!["path"]),
            ("replay:loop", vec!["path"]),
            ("replay:x,loop,sped=1", vec!["sped=1", "speed="]),
            ("replay:x,speed=-1", vec!["speed=-1", "max"]),
            ("replay:x,speed=nan", vec!["speed=nan"]),
            ("replay:x,wait=soon", vec!["wait=soon"]),
            ("replay:x,loop,loop", vec!["loop", "twice"]),
        ] {
            let error = text.parse::<FeedSpec>().expect_err(text).to_string();
            let named = |word: &&str| error.contains(*word);
            assert!(words.iter().all(named), "{text}: {error}");
        }
    }
}
