//! A frame reduced to what is checked and measured, so that it is parsed once however many
//! connections get it.

use super::symbols::SymbolTable;
use crate::market::Channel;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What one text frame says, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Digest {
    pub entries: Vec<Entry>,
    /// Event times of the items that are not of a snapshot, in µs since the Unix epoch, each with
    /// the number of neighbours that share it.
    pub times: Vec<(i64, u32)>,
    /// Trades, quotes and bars.
    pub item_count: u32,
}

/// Items are nearly everything, so they stay small and in place (16 bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Item { symbol: u32, channel: Channel, is_snapshot: bool, sq: u64 },
    Rare(Box<Rare>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rare {
    Greeting,
    Gap {
        symbol: u32,
        channel: Channel,
        from: Option<u64>,
        to: Option<u64>,
    },
    Heartbeat {
        item_count: u64,
    },
    Epoch,
    Error {
        code: u64,
        message: String,
    },
    Shutdown,
    /// Acks, feed states, and what later versions add.
    Other,
    /// Not what the protocol says; the text says why.
    Malformed(String),
}

const _: () = assert!(size_of::<Entry>() == 16, "the checker walks entries; they stay compact");

#[derive(Deserialize)]
struct Line<'a> {
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

/// What a text frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An array of events.
    Array,
    /// One event.
    Object,
}

/// Replaces what `digest` held. A frame of another shape is one malformed entry.
pub fn digest_frame(payload: &[u8], shape: Shape, symbols: &mut SymbolTable, digest: &mut Digest) {
    digest.entries.clear();
    digest.times.clear();
    digest.item_count = 0;
    let text = match std::str::from_utf8(payload) {
        Ok(text) => text,
        Err(error) => return digest.malformed(format!("a text frame is not UTF-8: {error}")),
    };
    let outcome = match shape {
        Shape::Array => serde_json::from_str::<Vec<Line>>(text)
            .map(|lines| lines.iter().for_each(|line| digest.push(line, symbols))),
        Shape::Object => serde_json::from_str::<Line>(text).map(|line| digest.push(&line, symbols)),
    };
    if let Err(error) = outcome {
        let expected = match shape {
            Shape::Array => "an array of events",
            Shape::Object => "one event",
        };
        digest.malformed(format!("a frame is not {expected}: {error}"));
    }
}

impl Digest {
    fn push(&mut self, line: &Line, symbols: &mut SymbolTable) {
        let channel = match line.kind {
            "t" => Channel::Trades,
            "q" => Channel::Quotes,
            "b" => Channel::Bars,
            _ => return self.push_rare(line, symbols),
        };
        let (Some(symbol), Some(sq), Some(time)) = (line.symbol(symbols), line.sq, &line.t) else {
            return self.malformed(format!("a {:?} event lacks one of S, sq and t", line.kind));
        };
        let is_snapshot = line.sn == Some(1);
        self.item_count += 1;
        self.entries.push(Entry::Item { symbol, channel, is_snapshot, sq });
        if is_snapshot {
            return;
        }
        match self.times.last_mut() {
            Some((last, count)) if *last == time.0 => *count += 1,
            _ => self.times.push((time.0, 1)),
        }
    }

    fn push_rare(&mut self, line: &Line, symbols: &mut SymbolTable) {
        let rare = match line.kind {
            "success" if line.msg.as_deref() == Some("connected") => Rare::Greeting,
            "gap" => {
                let channel = line.ch.and_then(Channel::from_name);
                let (Some(symbol), Some(channel)) = (line.symbol(symbols), channel) else {
                    return self.malformed("a gap lacks S or a known ch".to_string());
                };
                Rare::Gap { symbol, channel, from: line.from, to: line.to }
            }
            "hb" => match line.n {
                Some(item_count) => Rare::Heartbeat { item_count },
                None => return self.malformed("a heartbeat lacks n".to_string()),
            },
            "epoch" => Rare::Epoch,
            "shutdown" => Rare::Shutdown,
            "error" => {
                let message = line.msg.as_deref().unwrap_or("").to_string();
                Rare::Error { code: line.code.unwrap_or(0), message }
            }
            _ => Rare::Other,
        };
        self.entries.push(Entry::Rare(Box::new(rare)));
    }

    fn malformed(&mut self, why: String) {
        self.entries.push(Entry::Rare(Box::new(Rare::Malformed(why))));
    }
}

impl Line<'_> {
    /// A symbol has no byte that JSON escapes (see `market::Symbol`), so the raw text is the name.
    fn symbol(&self, symbols: &mut SymbolTable) -> Option<u32> {
        let quoted = self.symbol?.get();
        symbols.intern(quoted.strip_prefix('"')?.strip_suffix('"')?)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        let mut digest = Digest::default();
        digest_frame(text.as_bytes(), Shape::Array, &mut SymbolTable::default(), &mut digest);
        digest
    }

    #[test]
    fn items_are_reduced_to_what_is_checked() {
        let got = digest(
            r#"[{"T":"q","S":"AAPL","bp":1.5,"t":1700000000000001999,"sq":7,"sn":1},
                {"T":"t","S":"MSFT","c":["@","F"],"t":"2023-11-14T22:13:20.000001Z","sq":3},
                {"T":"t","S":"AAPL","t":1700000000000001000,"sq":1},
                {"T":"b","S":"AAPL","n":12,"t":1700000000000002000,"sq":2}]"#,
        );
        let item =
            |symbol, channel, is_snapshot, sq| Entry::Item { symbol, channel, is_snapshot, sq };
        let expected = [
            item(0, Channel::Quotes, true, 7),
            item(1, Channel::Trades, false, 3),
            item(0, Channel::Trades, false, 1),
            item(0, Channel::Bars, false, 2),
        ];
        assert_eq!(got.entries, expected);
        assert_eq!(got.item_count, 4);
        assert_eq!(got.times, [(1_700_000_000_000_001, 2), (1_700_000_000_000_002, 1)]);
    }

    #[test]
    fn the_rest_is_kept_by_kind() {
        let got = digest(
            r#"[{"T":"success","msg":"connected","v":1,"limits":{"since":9}},
                {"T":"gap","S":"A","ch":"trades","to":9},{"T":"hb","t":1,"feed":"ok","n":5},
                {"T":"feed","state":"down","S":["A","B"]},{"T":"error","code":405,"msg":"a\nb"},
                {"T":"epoch","epoch":"x"},{"T":"shutdown","in_ms":1,"retry_ms":2}]"#,
        );
        let rare: Vec<Rare> = got
            .entries
            .into_iter()
            .map(|entry| match entry {
                Entry::Rare(rare) => *rare,
                item => panic!("{item:?}"),
            })
            .collect();
        let expected = [
            Rare::Greeting,
            Rare::Gap { symbol: 0, channel: Channel::Trades, from: None, to: Some(9) },
            Rare::Heartbeat { item_count: 5 },
            Rare::Other,
            Rare::Error { code: 405, message: "a\nb".to_string() },
            Rare::Epoch,
            Rare::Shutdown,
        ];
        assert_eq!(rare, expected);
    }

    #[test]
    fn what_is_no_event_is_malformed() {
        for bad in [
            "{}",
            "[",
            "[1]",
            r#"[{"T":"q","S":"A","t":1}]"#,
            r#"[{"T":"t","sq":1,"t":1}]"#,
            r#"[{"T":"q","S":"A","sq":1,"t":"noon"}]"#,
            r#"[{"T":"gap","S":"A","ch":"news"}]"#,
            r#"[{"T":"hb"}]"#,
        ] {
            let entries = digest(bad).entries;
            let [Entry::Rare(rare)] = entries.as_slice() else { panic!("{bad}: {entries:?}") };
            assert!(matches!(**rare, Rare::Malformed(_)), "{bad}");
        }
    }
}
