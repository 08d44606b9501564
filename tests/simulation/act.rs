//! What a client does: requests and frames as bytes, beside what they mean.

use super::world::{NAMES, World};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// (symbol or `*`, channel).
pub type Item = (String, usize);
pub type Since = BTreeMap<String, [Option<u64>; 3]>;

pub const CHANNELS: [&str; 3] = ["trades", "quotes", "bars"];

#[derive(Debug, Clone, Default)]
pub struct Change {
    pub adds: bool,
    pub items: BTreeSet<Item>,
    pub id: Option<Value>,
    pub max_hz: Option<f64>,
    pub heartbeat_ms: Option<u64>,
    pub nanos: Option<bool>,
    pub epoch: Option<String>,
    pub since: Since,
}

#[derive(Debug, Clone)]
pub enum Act {
    /// The request; what its URL asks for, if anything.
    Upgrade(Option<Change>),
    /// A request that is refused by an HTTP status.
    BadUpgrade,
    Change(Change),
    List(Option<Value>),
    Ping(Option<Value>),
    Auth,
    /// Answered by an error with this code.
    Wrong(u16),
    WsPing(Vec<u8>),
    WsPong,
    Close,
    /// Nothing after it is understood.
    Garbage,
    /// Its session panics.
    Fault,
}

/// Names that no feed ever sends.
const UNKNOWN: [&str; 3] = ["NOPE", "NOPE.2", "ZZZ"];

pub fn random_items(rng: &mut Rng) -> BTreeSet<Item> {
    let mut items = BTreeSet::new();
    if rng.u8(..3) > 0 {
        // Many want the same: then a cohort has many members.
        let name = ["*", "A"][rng.usize(..2)];
        items.extend((0..2).map(|channel| (name.to_string(), channel)));
        return items;
    }
    for _ in 0..rng.usize(1..6) {
        let name = match rng.u8(..12) {
            0 => "*",
            1 => UNKNOWN[rng.usize(..UNKNOWN.len())],
            _ => NAMES[rng.usize(..NAMES.len()).min(rng.usize(..NAMES.len()))],
        };
        items.insert((name.to_string(), rng.usize(..3)));
    }
    items
}

impl Change {
    pub fn random(rng: &mut Rng, resume: &Since, world: &World) -> Change {
        let adds = rng.u8(..3) > 0;
        let mut change = Change { adds, items: random_items(rng), ..Change::default() };
        change.random_options(rng);
        change.id = match rng.u8(..3) {
            0 => Some(json!(rng.u16(..))),
            1 => Some(json!("id \"é\"")),
            _ => None,
        };
        if rng.u8(..8) == 0 {
            change.items.clear();
            change.nanos = Some(rng.bool());
        }
        if adds && rng.u8(..3) == 0 {
            change.resume(rng, resume, world);
        }
        change
    }

    pub fn random_options(&mut self, rng: &mut Rng) {
        if rng.u8(..6) == 0 {
            self.max_hz = Some([0.0, 0.5, 4.0, 20.0, 1000.0][rng.usize(..5)]);
        }
        if rng.u8(..5) == 0 {
            self.heartbeat_ms = Some([0, 100, 250][rng.usize(..3)]);
        }
        if rng.u8(..8) == 0 {
            self.nanos = Some(rng.bool());
        }
    }

    /// Says what the client had, and sometimes what it cannot have had.
    pub fn resume(&mut self, rng: &mut Rng, had: &Since, world: &World) {
        let epoch = if rng.u8(..5) == 0 { "e0" } else { &world.epoch };
        self.epoch = (rng.u8(..8) > 0).then(|| epoch.to_string());
        self.since.clone_from(had);
        for (name, history) in NAMES.iter().zip(&world.symbols) {
            if history.id.is_none() || rng.u8(..3) > 0 {
                continue;
            }
            let mut some = |seq: u64| match rng.u8(..6) {
                0..2 => None,
                2 => Some(seq + rng.u64(1..4)),
                3 => Some(seq),
                _ => Some(rng.u64(..=seq)),
            };
            self.since.insert(name.to_string(), history.seqs.map(&mut some));
        }
        self.since.retain(|name, _| {
            let at = NAMES.iter().position(|known| known == name);
            at.is_some_and(|at| world.symbols[at].id.is_some())
        });
    }

    fn message(&self) -> Value {
        let mut message = json!({"action": if self.adds { "subscribe" } else { "unsubscribe" }});
        for (channel, key) in CHANNELS.iter().enumerate() {
            let items = self.items.iter().filter(|(_, of)| *of == channel);
            let names: Vec<&str> = items.map(|(name, _)| name.as_str()).collect();
            if !names.is_empty() {
                message[key] = json!(names);
            }
        }
        if let Some(id) = &self.id {
            message["id"] = id.clone();
        }
        if let Some(hz) = self.max_hz {
            message["max_hz"] = json!(hz);
        }
        if let Some(ms) = self.heartbeat_ms {
            message["heartbeat_ms"] = json!(ms);
        }
        if let Some(nanos) = self.nanos {
            message["ts"] = json!(if nanos { "ns" } else { "rfc3339" });
        }
        if let Some(epoch) = &self.epoch {
            message["epoch"] = json!(epoch);
        }
        for (name, seqs) in &self.since {
            let given = CHANNELS.iter().zip(seqs).filter_map(|(key, seq)| Some((*key, (*seq)?)));
            message["since"][name] = given.map(|(k, seq)| (k.to_string(), json!(seq))).collect();
        }
        message
    }

    /// As URL options: names and channels are crossed.
    pub fn url(&mut self) -> String {
        let names: BTreeSet<String> = self.items.iter().map(|(name, _)| name.clone()).collect();
        let channels: BTreeSet<usize> = self.items.iter().map(|(_, channel)| *channel).collect();
        let cross = |name: &String| channels.iter().map(|c| (name.clone(), *c)).collect::<Vec<_>>();
        self.items = names.iter().flat_map(cross).collect();
        let names: Vec<String> = names.into_iter().map(|name| name.replace('/', "%2F")).collect();
        let channels: Vec<&str> = channels.iter().map(|channel| CHANNELS[*channel]).collect();
        let mut url = format!("symbols={}&channels={}", names.join(","), channels.join(","));
        if let Some(hz) = self.max_hz {
            url += &format!("&max_hz={hz}");
        }
        if let Some(ms) = self.heartbeat_ms {
            url += &format!("&heartbeat_ms={ms}");
        }
        if self.nanos == Some(true) {
            url += "&ts=ns";
        }
        url
    }
}

/// An upgrade request.
pub fn request(rng: &mut Rng, url: &str, msgpack: bool) -> Vec<u8> {
    let path = if rng.bool() { "/v1/stream" } else { "/v2/iex" };
    let by_header = rng.bool();
    let option = if msgpack && !by_header { "&encoding=msgpack" } else { "" };
    let header = match msgpack && by_header {
        true => "Content-Type: application/msgpack\r\n",
        false => "",
    };
    format!(
        "GET {path}?{url}{option} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n{header}\
         X-Forwarded-For: 198.51.100.7\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

impl Act {
    /// The bytes of all that is said after the upgrade.
    pub fn bytes(&self, rng: &mut Rng) -> Vec<u8> {
        let message = match self {
            Act::Change(change) => change.message(),
            Act::List(id) => json!({"action": "list", "id": id}),
            Act::Ping(id) => json!({"action": "ping", "id": id}),
            Act::Auth => json!({"action": "auth", "key": "k", "secret": "s"}),
            Act::Fault => json!({"action": "fault", "at": "session"}),
            Act::Wrong(410) => json!({"action": "subscribe", "quotes": ["A B"]}),
            Act::Wrong(_) => json!({"action": "sing"}),
            Act::WsPing(payload) => return client_frame(rng, 0x89, payload),
            Act::WsPong => return client_frame(rng, 0x8a, b""),
            Act::Close => return client_frame(rng, 0x88, &1000_u16.to_be_bytes()),
            Act::Garbage => return garbage(rng),
            Act::Upgrade(_) | Act::BadUpgrade => unreachable!("a request is not a frame"),
        };
        let msgpack = rng.u8(..4) == 0;
        let payload = match msgpack {
            true => rmp_serde::to_vec(&message).expect("plain data"),
            false => message.to_string().into_bytes(),
        };
        let opcode = if msgpack { 2 } else { 1 };
        if rng.u8(..4) > 0 {
            return client_frame(rng, 0x80 | opcode, &payload);
        }
        let (first, last) = payload.split_at(rng.usize(..=payload.len()));
        let mut bytes = client_frame(rng, opcode, first);
        bytes.extend(client_frame(rng, 0x80, last));
        bytes
    }
}

fn garbage(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..5) {
        0 => b"\x81\x02{}".to_vec(),
        1 => client_frame(rng, 0x81, b"\xff\xfe"),
        2 => b"\x81\xff\x00\x00\x00\x00\x00\xff\xff\xff0000".to_vec(),
        3 => client_frame(rng, 0x88, b"\x03"),
        _ => (0..rng.usize(1..40)).map(|_| rng.u8(..)).collect(),
    }
}

/// A masked frame (RFC 6455, section 5.3).
pub fn client_frame(rng: &mut Rng, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
    }
    let mask: [u8; 4] = rng.u32(..).to_be_bytes();
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
