//! Events in JSON, by a full parser: for what is rare, and for what the scan does not know.

use crate::cli::load::digest::Line;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members that are checked or counted.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "T", borrow)]
    kind: &'a str,
    /// A `feed` event may give something else than one name here.
    #[serde(rename = "S", borrow)]
    symbol: Option<&'a RawValue>,
    sq: Option<u64>,
    sn: Option<u8>,
    t: Option<EventTime>,
    #[serde(borrow)]
    ch: Option<&'a str>,
    from: Option<u64>,
    to: Option<u64>,
    n: Option<u64>,
    code: Option<u64>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
}

/// Microseconds since the Unix epoch, from integer ns or RFC 3339.
struct EventTime(i64);

/// Every event of an array in order; or what is wrong.
pub fn parse_array(payload: &[u8], take: impl FnMut(Line)) -> Result<(), String> {
    let events: Vec<Event> = serde_json::from_str(text(payload)?)
        .map_err(|error| format!("a frame is not an array of events: {error}"))?;
    events.into_iter().map(Line::from).for_each(take);
    Ok(())
}

pub fn parse_object(payload: &[u8], mut take: impl FnMut(Line)) -> Result<(), String> {
    let event: Event = serde_json::from_str(text(payload)?)
        .map_err(|error| format!("a frame is not one event: {error}"))?;
    take(event.into());
    Ok(())
}

fn text(payload: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(payload).map_err(|error| format!("a text frame is not UTF-8: {error}"))
}

impl<'a> From<Event<'a>> for Line<'a> {
    fn from(event: Event<'a>) -> Line<'a> {
        // A symbol has no byte that JSON escapes (see `market::Symbol`): the raw text is the name.
        let name = |raw: &'a RawValue| raw.get().strip_prefix('"')?.strip_suffix('"');
        Line {
            kind: event.kind,
            symbol: event.symbol.and_then(name),
            sq: event.sq,
            is_snapshot: event.sn == Some(1),
            event_us: event.t.map(|time| time.0),
            channel: event.ch,
            from: event.from,
            to: event.to,
            item_count: event.n,
            code: event.code,
            message: event.msg,
        }
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventTime, D::Error> {
        deserializer.deserialize_any(EventTimeVisitor)
    }
}

struct EventTimeVisitor;

impl Visitor<'_> for EventTimeVisitor {
    type Value = EventTime;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("integer nanoseconds or an RFC 3339 time")
    }

    fn visit_u64<E: de::Error>(self, ns: u64) -> Result<EventTime, E> {
        Ok(EventTime((ns / 1000) as i64))
    }

    fn visit_i64<E: de::Error>(self, ns: i64) -> Result<EventTime, E> {
        Ok(EventTime(ns.div_euclid(1000)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EventTime, E> {
        let time: jiff::Timestamp = text.parse().map_err(E::custom)?;
        Ok(EventTime(time.as_microsecond()))
    }
}
