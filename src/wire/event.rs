//! What the server says beside market events: each function appends one complete frame, whose
//! payload is an array of one object.
//!
//! These are rare or personal, so they go through serde; lines of ticks do not.

use super::clockface::Clockface;
use super::frame::write_message;
use super::msgpack::{TIMESTAMP_TYPE, timestamp};
use super::{Encoding, Format, MessageId, Rate, TimeStyle};
use crate::market::{Channel, FeedState};
use serde::{Serialize, Serializer};

/// Version of the protocol, in the first event.
const VERSION: u32 = 1;

/// What a client may ask for, as it is told when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Symbols in all channels together.
    pub symbols: usize,
    /// Symbols in one `since`.
    pub since: usize,
    /// Bytes of one message from the client.
    pub message_bytes: usize,
}

/// What a session is subscribed to, and the options in force.
#[derive(Debug, Clone, Copy)]
pub struct Subscription<'a> {
    pub id: Option<&'a MessageId>,
    /// By `Channel as usize`; `*` stands among the names.
    pub symbols: [&'a [&'a str]; 3],
    pub max_hz: Rate,
    pub heartbeat_ms: u32,
}

/// The first event of a connection. `session` is the correlation id that logs carry.
pub fn connected(format: Format, epoch: &str, session: &str, limits: &Limits, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Connected<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        msg: &'a str,
        v: u32,
        epoch: &'a str,
        session: &'a str,
        limits: &'a Limits,
    }
    let event = Connected { kind: "success", msg: "connected", v: VERSION, epoch, session, limits };
    write(format, &event, out);
}

/// The answer to `auth`.
pub fn authenticated(format: Format, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Authenticated<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        msg: &'a str,
    }
    write(format, &Authenticated { kind: "success", msg: "authenticated" }, out);
}

/// The answer to `subscribe`, `unsubscribe` and `list`: one frame of any length.
pub fn subscription(format: Format, subscription: &Subscription<'_>, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Members<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a MessageId>,
        trades: &'a [&'a str],
        quotes: &'a [&'a str],
        bars: &'a [&'a str],
        max_hz: Rate,
        heartbeat_ms: u32,
    }
    let symbols = |channel: Channel| subscription.symbols[channel as usize];
    let event = Members {
        kind: "subscription",
        id: subscription.id,
        trades: symbols(Channel::Trades),
        quotes: symbols(Channel::Quotes),
        bars: symbols(Channel::Bars),
        max_hz: subscription.max_hz,
        heartbeat_ms: subscription.heartbeat_ms,
    };
    write(format, &event, out);
}

/// The answer to `ping`; `now_ns` is the server's time.
pub fn pong(format: Format, id: Option<&MessageId>, now_ns: i64, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Pong<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a MessageId>,
        t: Time,
    }
    write(format, &Pong { kind: "pong", id, t: Time { ns: now_ns, format } }, out);
}

/// An error in one message; the connection stays.
pub fn error(format: Format, code: u16, msg: &str, id: Option<&MessageId>, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Error<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        code: u16,
        msg: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a MessageId>,
    }
    write(format, &Error { kind: "error", code, msg, id }, out);
}

/// `age_ms` is the age of the feed's last tick, `None` before the first; `items` the number of
/// market events put into frames for this connection so far.
pub fn heartbeat(
    format: Format,
    now_ns: i64,
    feed: FeedState,
    age_ms: Option<u64>,
    items: u64,
    out: &mut Vec<u8>,
) {
    #[derive(Serialize)]
    struct Heartbeat<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        t: Time,
        feed: &'a str,
        age_ms: Option<u64>,
        n: u64,
    }
    let t = Time { ns: now_ns, format };
    write(format, &Heartbeat { kind: "hb", t, feed: feed.name(), age_ms, n: items }, out);
}

/// A feed became stale, went down or came back; `symbols` are those of it that the client has.
pub fn feed(format: Format, state: FeedState, symbols: &[&str], out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Feed<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        state: &'a str,
        #[serde(rename = "S")]
        symbols: &'a [&'a str],
    }
    write(format, &Feed { kind: "feed", state: state.name(), symbols }, out);
}

/// The server will close this connection in `in_ms`; the client reconnects after `retry_ms`.
pub fn shutdown(format: Format, in_ms: u64, retry_ms: u64, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Shutdown<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        in_ms: u64,
        retry_ms: u64,
    }
    write(format, &Shutdown { kind: "shutdown", in_ms, retry_ms }, out);
}

/// Sequence numbers start again; a snapshot follows.
pub fn epoch(format: Format, epoch: &str, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Epoch<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
        epoch: &'a str,
    }
    write(format, &Epoch { kind: "epoch", epoch }, out);
}

/// The reason of a Close frame with code 1012 or 1013: at most 82 of the 123 bytes that fit.
pub fn retry_reason(retry_ms: u64, jitter_ms: u64) -> String {
    format!(r#"{{"retry_ms":{retry_ms},"jitter_ms":{jitter_ms}}}"#)
}

fn write<T: Serialize>(format: Format, event: &T, out: &mut Vec<u8>) {
    // Texts, numbers and lists of them have no way to fail, and memory takes every byte.
    let (is_text, payload) = match format.encoding {
        Encoding::Json => (true, serde_json::to_vec(&[event]).expect("plain data is JSON")),
        Encoding::MessagePack => {
            (false, rmp_serde::to_vec_named(&[event]).expect("plain data is MessagePack"))
        }
    };
    write_message(is_text, &payload, out);
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            MessageId::Number(number) => serializer.serialize_i64(*number),
            MessageId::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// In hertz: an integer where it is one, so that what a client sent as `4` comes back as `4`.
impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.millihertz % 1000 {
            0 => serializer.serialize_u32(self.millihertz / 1000),
            _ => serializer.serialize_f64(self.hz()),
        }
    }
}

/// A time in the style of the connection, as the lines of ticks have it.
struct Time {
    ns: i64,
    format: Format,
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.format.times, self.format.encoding) {
            (TimeStyle::Nanos, _) => serializer.serialize_i64(self.ns),
            (TimeStyle::Rfc3339, Encoding::Json) => {
                let mut text = Vec::new();
                Clockface::new().write(self.ns, &mut text);
                serializer.serialize_str(std::str::from_utf8(&text).expect("digits are ASCII"))
            }
            (TimeStyle::Rfc3339, Encoding::MessagePack) => {
                let (bytes, length) = timestamp(self.ns);
                let data = (TIMESTAMP_TYPE, Data(&bytes[..length]));
                serializer.serialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, &data)
            }
        }
    }
}

/// serde takes a slice of bytes for a list of numbers; this is one value.
struct Data<'a>(&'a [u8]);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[cfg(test)]
mod tests;
