//! Events as a client may read them, from either encoding, fast enough for tens of millions.

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// One event with numbers of kind `N`: their text in JSON, floats in MessagePack.
#[derive(Deserialize)]
#[serde(bound(deserialize = "N: Deserialize<'de>"))]
pub struct Item<'a, N> {
    #[serde(rename = "T")]
    pub kind: &'a str,
    /// `None` where it is a list (`feed`).
    #[serde(rename = "S", default, deserialize_with = "one_symbol")]
    pub symbol: Option<&'a str>,
    pub sq: Option<u64>,
    pub sn: Option<u8>,
    pub t: Option<Stamp>,
    pub i: Option<u64>,
    pub x: Option<&'a str>,
    pub p: Option<N>,
    pub s: Option<N>,
    pub bx: Option<&'a str>,
    pub bp: Option<N>,
    pub bs: Option<N>,
    pub ax: Option<&'a str>,
    pub ap: Option<N>,
    #[serde(rename = "as")]
    pub ask_size: Option<N>,
    pub o: Option<f64>,
    pub h: Option<f64>,
    pub l: Option<f64>,
    /// Of a bar; the recordings have no conditions, whose key this is on a trade.
    #[serde(rename = "c")]
    pub close: Option<f64>,
    pub v: Option<f64>,
    pub n: Option<u64>,
    pub vw: Option<f64>,
    pub ch: Option<&'a str>,
    pub from: Option<u64>,
    pub to: Option<u64>,
}

fn one_symbol<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Option<&'a str>, D::Error> {
    struct SymbolVisitor;
    impl<'de> Visitor<'de> for SymbolVisitor {
        type Value = Option<&'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a symbol or a list of them")
        }

        fn visit_borrowed_str<E: Error>(self, symbol: &'de str) -> Result<Self::Value, E> {
            Ok(Some(symbol))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(None)
        }
    }
    from.deserialize_any(SymbolVisitor)
}

/// A number that can be compared with the text of a recording.
pub trait Number {
    fn is(&self, text: &str) -> bool;
}

/// Textually: no binary float may have been between.
impl Number for &RawValue {
    fn is(&self, text: &str) -> bool {
        self.get() == text
    }
}

/// The nearest float to the decimal, which is what Rust parses a text to.
impl Number for f64 {
    fn is(&self, text: &str) -> bool {
        text.parse() == Ok(*self)
    }
}

/// A time in ns: RFC 3339 text, an integer, or a MessagePack timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub i64);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stamp, D::Error> {
        deserializer.deserialize_any(StampVisitor)
    }
}

struct StampVisitor;

impl<'de> Visitor<'de> for StampVisitor {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_i64<E: Error>(self, ns: i64) -> Result<Stamp, E> {
        Ok(Stamp(ns))
    }

    fn visit_u64<E: Error>(self, ns: u64) -> Result<Stamp, E> {
        i64::try_from(ns).map(Stamp).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Stamp, E> {
        let time: jiff::Timestamp = text.parse().map_err(E::custom)?;
        i64::try_from(time.as_nanosecond()).map(Stamp).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Stamp, D::Error> {
        let (kind, data) = <(i8, Bytes)>::deserialize(extension)?;
        timestamp(kind, &data.0).map(Stamp).ok_or_else(|| D::Error::custom("no timestamp"))
    }
}

/// The timestamp extension of the MessagePack specification, all three forms.
fn timestamp(kind: i8, data: &[u8]) -> Option<i64> {
    let second = 1_000_000_000_i64;
    match (kind, data.len()) {
        (-1, 4) => Some(i64::from(u32::from_be_bytes(data.try_into().ok()?)) * second),
        (-1, 8) => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            Some((both & ((1 << 34) - 1)) as i64 * second + (both >> 34) as i64)
        }
        (-1, 12) => {
            let ns = u32::from_be_bytes(data[..4].try_into().ok()?);
            Some(i64::from_be_bytes(data[4..].try_into().ok()?) * second + i64::from(ns))
        }
        _ => None,
    }
}

struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}
