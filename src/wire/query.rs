//! The options in the URL of an upgrade, so that a browser needs no message to subscribe.
//!
//! Unknown options are ignored: proxies and pages add their own.

use super::interest::clamp_heartbeat_ms;
use super::refusal::quote;
use super::{Encoding, Item, Rate, Refusal, Subject, TimeStyle};
use crate::limits::{
    HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN, QUERIES_KEPT_MAX, QUERY_KEPT_BYTES_MAX, SESSION_SYMBOLS_MAX,
};
use crate::market::{Channel, ChannelSet};
use std::rc::Rc;

/// What the URL asks for, clamped; the format is beside it in [`super::Upgrade`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct UrlOptions {
    /// Every symbol with every channel; empty without `symbols`.
    pub items: Vec<Item>,
    pub max_hz: Option<Rate>,
    /// 0 is off.
    pub heartbeat_ms: Option<u32>,
}

/// All that a query says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Query {
    pub options: Rc<UrlOptions>,
    pub encoding: Option<Encoding>,
    pub times: TimeStyle,
}

/// Without `channels`: what the protocol names as the default.
const CHANNELS_DEFAULT: [Channel; 2] = [Channel::Trades, Channel::Quotes];

/// Queries that were read lately: the clients of one page ask for the same.
#[derive(Debug, Default)]
pub struct Queries {
    /// The newest first.
    recent: Vec<(Box<str>, Query)>,
}

impl Queries {
    /// Reads a query, or finds it read. The same text then has the same options, by address.
    pub(super) fn parse(&mut self, query: &str) -> Result<Query, Refusal> {
        if let Some(at) = self.recent.iter().position(|(text, _)| **text == *query) {
            self.recent[..=at].rotate_right(1);
            return Ok(self.recent[0].1.clone());
        }
        let read = parse(query)?;
        if query.len() <= QUERY_KEPT_BYTES_MAX {
            self.recent.truncate(QUERIES_KEPT_MAX - 1);
            self.recent.insert(0, (query.into(), read.clone()));
        }
        Ok(read)
    }
}

/// `query` is what follows the question mark, still encoded.
fn parse(query: &str) -> Result<Query, Refusal> {
    let (mut result, mut options) = (Query::default(), UrlOptions::default());
    let mut subjects = Vec::new();
    let mut channels = ChannelSet::NONE;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A name that cannot be decoded is none of ours.
        let Some(name) = decode(name) else { continue };
        let name = name.as_str();
        let known = ["symbols", "channels", "max_hz", "heartbeat_ms", "ts", "encoding"];
        if !known.contains(&name) {
            continue;
        }
        let value = decode(value)
            .ok_or_else(|| bad(name, value, "encode it as UTF-8 with %XX (RFC 3986)"))?;
        let value = value.as_str();
        match name {
            "symbols" => read_symbols(value, &mut subjects)?,
            "channels" => channels = channels.with(read_channels(value)?),
            "max_hz" => options.max_hz = Some(read_rate(value)?),
            "heartbeat_ms" => options.heartbeat_ms = Some(read_heartbeat_ms(value)?),
            "ts" => {
                let style = TimeStyle::from_name(value);
                result.times = style.ok_or_else(|| bad(name, value, "give rfc3339 or ns"))?;
            }
            _ => {
                let encoding = Encoding::from_name(value);
                let error = || bad(name, value, "give json or msgpack");
                result.encoding = Some(encoding.ok_or_else(error)?);
            }
        }
    }
    if channels.is_empty() {
        channels =
            CHANNELS_DEFAULT.into_iter().map(ChannelSet::of).fold(channels, ChannelSet::with);
    }
    options.items = cross(&subjects, channels)?;
    result.options = Rc::new(options);
    Ok(result)
}

fn cross(subjects: &[Subject], channels: ChannelSet) -> Result<Vec<Item>, Refusal> {
    if subjects.len() * channels.iter().count() > SESSION_SYMBOLS_MAX {
        return Err(Refusal::new(
            400,
            format!("symbols names too many; {SESSION_SYMBOLS_MAX} in all channels, or use *"),
        ));
    }
    let of_channel =
        |channel| subjects.iter().map(move |subject| Item { channel, subject: *subject });
    Ok(channels.iter().flat_map(of_channel).collect())
}

fn read_symbols(value: &str, subjects: &mut Vec<Subject>) -> Result<(), Refusal> {
    // A page with nothing to watch yet writes `symbols=`.
    for name in value.split(',').filter(|_| !value.is_empty()) {
        let subject = Subject::parse(name)
            .map_err(|problem| bad("symbols", name, &format!("{problem}; give AAPL,MSFT or *")))?;
        subjects.push(subject);
    }
    Ok(())
}

fn read_channels(value: &str) -> Result<ChannelSet, Refusal> {
    let mut channels = ChannelSet::NONE;
    for name in value.split(',') {
        let channel = Channel::from_name(name)
            .ok_or_else(|| bad("channels", name, "give some of trades,quotes,bars"))?;
        channels = channels.with(ChannelSet::of(channel));
    }
    Ok(channels)
}

fn read_rate(value: &str) -> Result<Rate, Refusal> {
    let rate = value.parse().ok().and_then(Rate::from_hz);
    rate.ok_or_else(|| bad("max_hz", value, "give 0 (off) or updates a second, as 4"))
}

fn read_heartbeat_ms(value: &str) -> Result<u32, Refusal> {
    let cure = || format!("give 0 (off) or {HEARTBEAT_MS_MIN} to {HEARTBEAT_MS_MAX}");
    let ms = value.parse().ok().and_then(clamp_heartbeat_ms);
    ms.ok_or_else(|| bad("heartbeat_ms", value, &cure()))
}

fn bad(name: &str, value: &str, cure: &str) -> Refusal {
    Refusal::new(400, format!("bad option {name}={}: {cure}", quote(value)))
}

/// Percent decoding (RFC 3986, section 2.1). A `+` stays: it occurs in symbols, blanks do not.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_string());
    }
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            plain => plain,
        });
    }
    String::from_utf8(out).ok()
}

fn digit(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(query: &str) -> Vec<String> {
        let query = parse(query).expect("a valid query");
        let text = |item: &Item| format!("{} {}", item.channel.name(), item.subject.as_str());
        query.options.items.iter().map(text).collect()
    }

    #[test]
    fn symbols_meet_channels() {
        assert_eq!(items("symbols=A,B"), ["trades A", "trades B", "quotes A", "quotes B"]);
        assert_eq!(items("channels=bars&symbols=*"), ["bars *"]);
        assert_eq!(
            items("symbols=BTC%2fUSD%2CA%2B&channels=quotes"),
            ["quotes BTC/USD", "quotes A+"]
        );
        assert_eq!(items("sym%62ols=A&channels=trades&symbols=B"), ["trades A", "trades B"]);
        for nothing in ["", "symbols", "symbols=", "channels=bars", "&&=&x=%zz&%zz=1&utm=1"] {
            assert!(items(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_was_read_lately_is_not_read_again() {
        let mut queries = Queries::default();
        let mut read = |text: &str| queries.parse(text).expect("valid").options;
        let first = read("symbols=A");
        assert!(Rc::ptr_eq(&first, &read("symbols=A")));
        for n in 0..QUERIES_KEPT_MAX {
            assert_eq!(read(&format!("symbols=B{n}")).items.len(), 2);
            assert!(Rc::ptr_eq(&first, &read("symbols=A")), "it is asked for all the time");
        }
        let long = format!("symbols=A{}", ",B".repeat(QUERY_KEPT_BYTES_MAX));
        assert_eq!(read(&long), read(&long));
        assert!(!Rc::ptr_eq(&read(&long), &read(&long)), "it would hold too much");
        assert!(queries.parse("max_hz=x").is_err() && queries.parse("max_hz=x").is_err());
    }

    #[test]
    fn options_are_read_and_clamped() {
        let query = parse("max_hz=0.01&heartbeat_ms=5&ts=ns&encoding=msgpack").expect("valid");
        assert_eq!(query.options.max_hz, Some(Rate { millihertz: 100 }));
        assert_eq!(query.options.heartbeat_ms, Some(HEARTBEAT_MS_MIN));
        assert_eq!((query.times, query.encoding), (TimeStyle::Nanos, Some(Encoding::MessagePack)));
        let query = parse("max_hz=0&heartbeat_ms=0&ts=rfc3339&encoding=json").expect("valid");
        assert_eq!((query.options.max_hz, query.options.heartbeat_ms), (Some(Rate::OFF), Some(0)));
        assert_eq!(parse("").expect("valid"), Query::default());
    }

    #[test]
    fn bad_options_are_named_with_value_and_cure() {
        for (query, words) in [
            ("symbols=A,,B", "bad option symbols=\"\": a symbol is empty"),
            ("symbols=A%20B", "bad option symbols=\"A B\""),
            ("symbols=%zz", "bad option symbols=\"%zz\": encode it"),
            ("symbols=%ff", "encode it"),
            ("symbols=%4", "encode it"),
            ("channels=quote", "bad option channels=\"quote\": give some of trades,quotes,bars"),
            ("channels=", "bad option channels=\"\""),
            ("max_hz=fast", "bad option max_hz=\"fast\""),
            ("max_hz=-1", "bad option max_hz"),
            ("max_hz=NaN", "bad option max_hz"),
            ("heartbeat_ms=1s", "bad option heartbeat_ms=\"1s\""),
            ("ts=iso", "bad option ts=\"iso\": give rfc3339 or ns"),
            ("encoding=xml", "bad option encoding=\"xml\": give json or msgpack"),
        ] {
            let refusal = parse(query).expect_err("an error");
            let mut out = Vec::new();
            refusal.response(&mut out);
            let text = String::from_utf8(out).expect("UTF-8");
            assert!(refusal.status == 400 && text.contains(words), "{query}: {text}");
        }
    }
}
