//! What a client reads: HTTP head, frames, and both encodings as one kind of value.

use serde_json::{Map, Value, json};
use tapecast::limits::FRAME_PAYLOAD_BYTES_MAX;

#[derive(Debug)]
pub enum Frame {
    Events(Vec<Value>),
    Ping,
    Pong(Vec<u8>),
    Close(u16, Vec<u8>),
}

/// Where an HTTP head ends.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The first frame of `bytes` and its length, if it is there whole. Panics where it is malformed.
pub fn frame(bytes: &[u8], msgpack: bool) -> Option<(Frame, usize)> {
    let [first, second, ..] = *bytes else { return None };
    assert_eq!(first & 0xf0, 0x80, "final, and no reserved bit");
    assert_eq!(second & 0x80, 0, "a server's frame has no mask");
    let (header, length) = match second {
        126 => {
            let length = u16::from_be_bytes(bytes.get(2..4)?.try_into().expect("two bytes"));
            assert!(length > 125, "the shortest length");
            (4, usize::from(length))
        }
        127 => panic!("no frame of this server is that long"),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(header..header + length)?;
    let frame = match first & 0x0f {
        1 | 2 => {
            assert!(length <= FRAME_PAYLOAD_BYTES_MAX, "{length} bytes in one frame");
            assert_eq!(first & 0x0f == 2, msgpack, "the encoding's opcode");
            Frame::Events(events(payload, msgpack))
        }
        8 => {
            assert!((2..=125).contains(&length), "a close code");
            let code = u16::from_be_bytes(payload[..2].try_into().expect("two bytes"));
            Frame::Close(code, payload[2..].to_vec())
        }
        9 => Frame::Ping,
        10 => Frame::Pong(payload.to_vec()),
        other => panic!("opcode {other}"),
    };
    Some((frame, header + length))
}

fn events(payload: &[u8], msgpack: bool) -> Vec<Value> {
    let value = if msgpack {
        let mut rest = payload;
        let value = unpack(&mut rest);
        assert!(rest.is_empty(), "bytes after the array");
        value
    } else {
        serde_json::from_slice(payload).expect("JSON")
    };
    match value {
        Value::Array(events) if !events.is_empty() => events,
        other => panic!("not an array of events: {other}"),
    }
}

/// An event time: ns, and whether it came as an integer (`ts=ns`).
pub fn time(value: &Value) -> (i64, bool) {
    match value {
        Value::Number(ns) => (ns.as_i64().expect("ns"), true),
        Value::String(text) => {
            let time: jiff::Timestamp = text.parse().expect("RFC 3339");
            (i64::try_from(time.as_nanosecond()).expect("in range"), false)
        }
        other => (other["timestamp"].as_i64().expect("a MessagePack timestamp"), false),
    }
}

/// One MessagePack value. A timestamp becomes an object of its own.
fn unpack(rest: &mut &[u8]) -> Value {
    let marker = take(rest, 1)[0];
    match marker {
        0x00..=0x7f => json!(marker),
        0xe0..=0xff => json!(marker as i8),
        0x80..=0x8f => map(rest, usize::from(marker & 0x0f)),
        0x90..=0x9f => array(rest, usize::from(marker & 0x0f)),
        0xa0..=0xbf => text(rest, usize::from(marker & 0x1f)),
        0xc0 => Value::Null,
        0xc2 | 0xc3 => json!(marker == 0xc3),
        0xc7 => {
            let length = uint(rest, 1) as usize;
            timestamp(rest, length)
        }
        0xca => json!(f32::from_be_bytes(take(rest, 4).try_into().expect("four"))),
        0xcb => json!(f64::from_be_bytes(take(rest, 8).try_into().expect("eight"))),
        0xcc..=0xcf => json!(uint(rest, 1 << (marker - 0xcc))),
        0xd0 => json!(uint(rest, 1) as i8),
        0xd1 => json!(uint(rest, 2) as i16),
        0xd2 => json!(uint(rest, 4) as i32),
        0xd3 => json!(uint(rest, 8) as i64),
        0xd6 => timestamp(rest, 4),
        0xd7 => timestamp(rest, 8),
        0xd9..=0xdb => {
            let length = uint(rest, 1 << (marker - 0xd9)) as usize;
            text(rest, length)
        }
        0xdc | 0xdd => {
            let length = uint(rest, 2 << (marker - 0xdc)) as usize;
            array(rest, length)
        }
        0xde | 0xdf => {
            let length = uint(rest, 2 << (marker - 0xde)) as usize;
            map(rest, length)
        }
        other => panic!("MessagePack marker {other:#x}"),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at_checked(length).expect("the value ends before the payload");
    *rest = left;
    taken
}

fn uint(rest: &mut &[u8], length: usize) -> u64 {
    take(rest, length).iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn text(rest: &mut &[u8], length: usize) -> Value {
    json!(std::str::from_utf8(take(rest, length)).expect("UTF-8"))
}

fn array(rest: &mut &[u8], length: usize) -> Value {
    (0..length).map(|_| unpack(rest)).collect()
}

fn map(rest: &mut &[u8], length: usize) -> Value {
    let mut map = Map::new();
    for _ in 0..length {
        let key = unpack(rest).as_str().expect("a text key").to_string();
        assert!(map.insert(key, unpack(rest)).is_none(), "a key stands twice");
    }
    Value::Object(map)
}

/// The timestamp extension of the MessagePack specification, type -1.
fn timestamp(rest: &mut &[u8], length: usize) -> Value {
    assert_eq!(uint(rest, 1), 0xff, "the timestamp's type");
    let (seconds, fraction) = match length {
        4 => (uint(rest, 4) as i64, 0),
        8 => {
            let both = uint(rest, 8);
            ((both & ((1 << 34) - 1)) as i64, (both >> 34) as i64)
        }
        12 => {
            let fraction = uint(rest, 4) as i64;
            (uint(rest, 8) as i64, fraction)
        }
        other => panic!("a timestamp of {other} bytes"),
    };
    json!({"timestamp": seconds * 1_000_000_000 + fraction})
}
