//! `websocket:URL,OPTION…`: what the text of such a feed means.

use super::common::COMMON_KEYS;
use super::options::Options;
use super::{CommonSpec, SpecError};
use crate::feed::websocket::{CredentialsSource, KeySource};
use crate::market::{Channel, ChannelSet, Symbol};
use crate::wire::client::Endpoint;
use std::path::PathBuf;

const FEED: &str = "websocket";

/// Time without any sign of life after which a connection is given up.
const STALE_MS_DEFAULT: u64 = 10_000;
const STALE_MS_MIN: u64 = 200;
const STALE_MS_MAX: u64 = 3_600_000;

const KEYS: &[&str] =
    &["key=", "key_file=", "secret_file=", "symbols=", "channels=", "stale_ms=", "ca_file="];

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
    pub fn parse(text: &str) -> Result<(WebsocketSpec, CommonSpec), SpecError> {
        if text.split(',').any(|part| part.starts_with("secret=")) {
            // Not as an unknown key, which would be shown with its value.
            return Err(bad("secret", "…", "secret_file=PATH: who lists processes reads flags"));
        }
        let (url, mut options) = Options::after_subject(FEED, [KEYS, COMMON_KEYS], text)?;
        if url.is_empty() {
            return Err(SpecError::NoUrl);
        }
        let common = CommonSpec::take(&mut options)?;
        let mut endpoint = Endpoint::parse(url).map_err(SpecError::Endpoint)?;
        if let Some(value) = endpoint.option("encoding").filter(|encoding| *encoding != "json") {
            return Err(bad("encoding", value, "a URL without it: a feed reads JSON"));
        }
        let in_url = endpoint.take_option("symbols").map(|list| list.replace(',', "|"));
        let channels_in_url = endpoint.take_option("channels").map(|list| list.replace(',', "|"));
        let symbols = take_text(&mut options, "symbols")?.or(in_url);
        let channels = take_text(&mut options, "channels")?.or(channels_in_url);
        let [key, key_file, secret_file] =
            ["key", "key_file", "secret_file"].map(|key| take_text(&mut options, key));
        let stale_ms = options.take_whole("stale_ms", STALE_MS_MIN, STALE_MS_MAX)?;
        let spec = WebsocketSpec {
            endpoint,
            symbols: parse_symbols(symbols.as_deref().unwrap_or("*"))?,
            channels: channels.map(|list| parse_channels(&list)).transpose()?,
            credentials: credentials(key?, key_file?, secret_file?)?,
            stale_ms: stale_ms.unwrap_or(STALE_MS_DEFAULT),
            ca_file: take_text(&mut options, "ca_file")?.map(PathBuf::from),
        };
        options.finish()?;
        Ok((spec, common))
    }
}

fn take_text(options: &mut Options<'_>, key: &'static str) -> Result<Option<String>, SpecError> {
    match options.take(key) {
        Some("") => Err(bad(key, "", "a value behind the '=', or leave it out")),
        value => Ok(value.map(str::to_string)),
    }
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
        let parse = |text: &str| WebsocketSpec::parse(text).expect("a spec").0;
        let spec = parse("ws://node:9001");
        assert_eq!(spec.endpoint.to_string(), "ws://node:9001/v1/stream");
        assert_eq!((spec.symbols, spec.channels), (vec!["*".to_string()], None));
        assert_eq!((spec.stale_ms, spec.credentials), (10_000, None));
        let text = "wss://a/v2/iex?symbols=A,B&x=1,2,symbols=C|D|C,channels=trades|bars,key=K,\
                    secret_file=s,stale_ms=500,ca_file=ca.pem";
        let spec = parse(text);
        assert_eq!(spec.endpoint.to_string(), "wss://a/v2/iex?x=1,2");
        assert_eq!(spec.symbols, ["C", "D"]);
        let channels = ChannelSet::of(Channel::Trades).with(ChannelSet::of(Channel::Bars));
        assert_eq!((spec.channels, spec.stale_ms), (Some(channels), 500));
        let key = KeySource::Text("K".to_string());
        let given = CredentialsSource::Given { key, secret_file: "s".into() };
        assert_eq!((spec.credentials, spec.ca_file), (Some(given), Some("ca.pem".into())));
        let spec = parse("ws://a?symbols=A,B&channels=quotes");
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
            ("ws://a,secret=S3", vec!["secret=…", "secret_file="]),
            ("ws://a,key=K,secret_file=s,sym=A", vec!["sym", "symbols="]),
            ("ws://a,key=", vec!["key=", "value"]),
        ] {
            let error = WebsocketSpec::parse(text).expect_err(text).to_string();
            assert!(words.iter().all(|word| error.contains(*word)), "{text}: {error}");
        }
    }
}
