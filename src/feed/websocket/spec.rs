//! `websocket:URL,OPTION…`: what the text of such a feed means.

use super::credentials::{CredentialsSource, KeySource};
use crate::feed::SpecError;
use crate::market::{Channel, ChannelSet, Symbol};
use crate::wire::client::Endpoint;
use std::path::PathBuf;

const FEED: &str = "websocket";

/// Time without any sign of life after which a connection is given up.
const STALE_MS_DEFAULT: u64 = 10_000;
const STALE_MS_MIN: u64 = 200;
const STALE_MS_MAX: u64 = 3_600_000;

const KNOWN: &str = "key=, key_file=, secret_file=, symbols=, channels=, stale_ms= and ca_file=";

/// An upstream that speaks Alpaca's v2 dialect, as another Tapecast does.
#[derive(Debug, Clone, PartialEq)]
pub struct WebsocketSpec {
    /// Without `symbols` and `channels`: these are asked for by command.
    pub endpoint: Endpoint,
    /// `symbols=AAPL|MSFT`, or the URL's; `*` for all, which is the default.
    pub symbols: Vec<String>,
    /// `channels=trades|quotes|bars`, or the URL's; without them trades and quotes, and of another
    /// Tapecast bars too.
    pub channels: Option<ChannelSet>,
    /// `key=`, `key_file=` and `secret_file=`.
    pub credentials: Option<CredentialsSource>,
    /// `stale_ms=N`.
    pub stale_ms: u64,
    /// `ca_file=PATH`: whom to trust where it is not whom the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl WebsocketSpec {
    /// Commas up to the first known option belong to the URL.
    pub fn parse(text: &str) -> Result<WebsocketSpec, SpecError> {
        let parts: Vec<&str> = text.split(',').collect();
        let url_parts = parts.iter().position(|part| is_known(part)).unwrap_or(parts.len());
        let url = parts[..url_parts].join(",");
        if url.is_empty() {
            return Err(SpecError::NoUrl);
        }
        let mut endpoint = Endpoint::parse(&url).map_err(SpecError::Endpoint)?;
        if let Some(value) = endpoint.option("encoding").filter(|encoding| *encoding != "json") {
            return Err(bad("encoding", value, "a URL without it: a feed reads JSON"));
        }
        let in_url = endpoint.take_option("symbols").map(|list| list.replace(',', "|"));
        let channels_in_url = endpoint.take_option("channels").map(|list| list.replace(',', "|"));
        let mut options = Options::default();
        for part in &parts[url_parts..] {
            options.take(part)?;
        }
        let symbols = options.symbols.or(in_url).unwrap_or_else(|| "*".to_string());
        let channels = options.channels.or(channels_in_url);
        Ok(WebsocketSpec {
            endpoint,
            symbols: parse_symbols(&symbols)?,
            channels: channels.map(|list| parse_channels(&list)).transpose()?,
            credentials: credentials(options.key, options.key_file, options.secret_file)?,
            stale_ms: options.stale_ms.unwrap_or(STALE_MS_DEFAULT),
            ca_file: options.ca_file.map(PathBuf::from),
        })
    }
}

/// What stands behind the URL, each at most once.
#[derive(Default)]
struct Options {
    key: Option<String>,
    key_file: Option<String>,
    secret_file: Option<String>,
    symbols: Option<String>,
    channels: Option<String>,
    stale_ms: Option<u64>,
    ca_file: Option<String>,
}

impl Options {
    fn take(&mut self, option: &str) -> Result<(), SpecError> {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        let place = match key {
            "key" => &mut self.key,
            "key_file" => &mut self.key_file,
            "secret_file" => &mut self.secret_file,
            "symbols" => &mut self.symbols,
            "channels" => &mut self.channels,
            "ca_file" => &mut self.ca_file,
            "stale_ms" if self.stale_ms.is_none() => {
                let number = value.parse().ok();
                let fits = number.filter(|ms| (STALE_MS_MIN..=STALE_MS_MAX).contains(ms));
                let cure = format!("a whole number from {STALE_MS_MIN} to {STALE_MS_MAX}");
                self.stale_ms = Some(fits.ok_or_else(|| bad("stale_ms", value, &cure))?);
                return Ok(());
            }
            "stale_ms" => return Err(SpecError::Twice { feed: FEED, text: key.into() }),
            _ => {
                // The value may be a secret that was meant for another place.
                return Err(SpecError::UnknownKey { feed: FEED, key: key.into(), known: KNOWN });
            }
        };
        if value.is_empty() {
            return Err(bad("an option", option, "a value behind the '=', or leave it out"));
        }
        if place.replace(value.to_string()).is_some() {
            return Err(SpecError::Twice { feed: FEED, text: key.into() });
        }
        Ok(())
    }
}

fn is_known(part: &str) -> bool {
    let keys = ["key", "key_file", "secret_file", "symbols", "channels", "stale_ms", "ca_file"];
    part.split_once('=').is_some_and(|(key, _)| keys.contains(&key))
}

fn bad(key: &'static str, value: &str, cure: &str) -> SpecError {
    SpecError::BadValue { feed: FEED, key, value: value.into(), cure: cure.into() }
}

fn parse_symbols(list: &str) -> Result<Vec<String>, SpecError> {
    let mut symbols: Vec<String> = Vec::new();
    for symbol in list.split('|').filter(|symbol| !symbol.is_empty()) {
        if symbol != "*"
            && let Err(why) = Symbol::parse(symbol)
        {
            return Err(bad("symbols", symbol, &format!("symbols like AAPL|MSFT, or * ({why})")));
        }
        if !symbols.iter().any(|known| known == symbol) {
            symbols.push(symbol.to_string());
        }
    }
    if symbols.is_empty() {
        Err(bad("symbols", list, "symbols like AAPL|MSFT, or *"))
    } else {
        Ok(symbols)
    }
}

fn parse_channels(list: &str) -> Result<ChannelSet, SpecError> {
    list.split('|').try_fold(ChannelSet::NONE, |set, name| {
        let channel = Channel::from_name(name);
        let channel = channel.ok_or_else(|| bad("channels", name, "some of trades|quotes|bars"))?;
        Ok(set.with(ChannelSet::of(channel)))
    })
}

fn credentials(
    key: Option<String>,
    key_file: Option<String>,
    secret_file: Option<String>,
) -> Result<Option<CredentialsSource>, SpecError> {
    let key = match (key, key_file) {
        (Some(key), None) => Some(KeySource::Text(key)),
        (None, Some(path)) => Some(KeySource::File(path.into())),
        (None, None) => None,
        (Some(_), Some(path)) => return Err(bad("key_file", &path, "key or key_file, not both")),
    };
    match (key, secret_file) {
        (Some(key), Some(path)) => {
            Ok(Some(CredentialsSource::Given { key, secret_file: path.into() }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(bad("key", "…", "secret_file= too: a key needs its secret")),
        (None, Some(path)) => Err(bad("secret_file", &path, "key= or key_file= too")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_what_they_say() {
        let spec = WebsocketSpec::parse("ws://node:9001").expect("a spec");
        assert_eq!(spec.endpoint.to_string(), "ws://node:9001/v1/stream");
        assert_eq!((spec.symbols, spec.channels), (vec!["*".to_string()], None));
        assert_eq!((spec.stale_ms, spec.credentials), (10_000, None));
        let text = "wss://a/v2/iex?symbols=A,B&x=1,2,symbols=C|D|C,channels=trades|bars,key=K,\
                    secret_file=s,stale_ms=500,ca_file=ca.pem";
        let spec = WebsocketSpec::parse(text).expect("a spec");
        assert_eq!(spec.endpoint.to_string(), "wss://a/v2/iex?x=1,2");
        assert_eq!(spec.symbols, ["C", "D"]);
        let channels = ChannelSet::of(Channel::Trades).with(ChannelSet::of(Channel::Bars));
        assert_eq!((spec.channels, spec.stale_ms), (Some(channels), 500));
        let key = KeySource::Text("K".to_string());
        let given = CredentialsSource::Given { key, secret_file: "s".into() };
        assert_eq!((spec.credentials, spec.ca_file), (Some(given), Some("ca.pem".into())));
        let spec = WebsocketSpec::parse("ws://a?symbols=A,B&channels=quotes").expect("a spec");
        assert_eq!(spec.symbols, ["A", "B"]);
        assert_eq!(spec.channels, Some(ChannelSet::of(Channel::Quotes)));
    }

    /// Method: wrong texts; each message must have these words.
    #[test]
    fn errors_name_key_value_and_cure() {
        for (text, words) in [
            ("", vec!["URL is missing"]),
            ("symbols=A", vec!["URL is missing"]),
            ("http://a", vec!["http://a", "ws://"]),
            ("ws://me:pw@a", vec!["\"a\"", "password"]),
            ("ws://a?encoding=msgpack", vec!["encoding=msgpack", "JSON"]),
            ("ws://a,symbols=A B", vec!["A B", "0x20"]),
            ("ws://a,channels=news", vec!["news", "trades"]),
            ("ws://a,key=K", vec!["secret_file="]),
            ("ws://a,secret_file=s", vec!["key="]),
            ("ws://a,key=K,key_file=k,secret_file=s", vec!["not both"]),
            ("ws://a,stale_ms=1", vec!["stale_ms=1", "200"]),
            ("ws://a,stale_ms=500,stale_ms=500", vec!["stale_ms", "twice"]),
            ("ws://a,key=K,secret=S", vec!["\"secret\"", "secret_file="]),
            ("ws://a,key=", vec!["key=", "value"]),
        ] {
            let error = WebsocketSpec::parse(text).expect_err(text).to_string();
            assert!(words.iter().all(|word| error.contains(*word)), "{text}: {error}");
        }
    }
}
