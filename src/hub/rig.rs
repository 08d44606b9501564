//! A hub with clients for unit tests: whole upgrades and frames in, whole frames out.

use super::{Effect, Hub, HubSettings};
use crate::market::{
    Channel, Decimal, Feed, FeedState, Head, Quote, Symbol, SymbolId, Tick, TickBody, Trade,
};
use crate::session::Now;
use crate::wire::client::{Opcode, next_frame, write_frame};
use std::collections::BTreeMap;

/// Whose sockets take every byte.
pub struct Rig {
    pub hub: Hub,
    pub now: Now,
    /// What each slot was sent and nobody has looked at.
    pub sent: BTreeMap<u32, Vec<u8>>,
    pub shut: Vec<u32>,
}

impl Rig {
    pub fn new(settings: HubSettings) -> Rig {
        let now = Now { ms: 1_000_000, unix_ns: 1_700_000_000_000_000_000 };
        let hub = Hub::new(settings, "epoch-1".into(), now);
        Rig { hub, now, sent: BTreeMap::new(), shut: Vec::new() }
    }

    /// A connection whose upgrade is not sent yet.
    pub fn connect(&mut self) -> u32 {
        let peer = ([127, 0, 0, 1], 5).into();
        self.hub.open(peer, 0xabc, self.now).0
    }

    /// A client that has its upgrade and, as a first text, `connected`.
    pub fn open(&mut self, query: &str) -> u32 {
        let slot = self.connect();
        let request = format!(
            "GET /v1/stream{query} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.hub.receive(slot, request.as_bytes(), self.now);
        slot
    }

    pub fn frames(texts: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        texts.iter().for_each(|t| write_frame(&mut bytes, Opcode::Text, t.as_bytes(), [1; 4]));
        bytes
    }

    pub fn send(&mut self, slot: u32, texts: &[&str]) {
        self.hub.receive(slot, &Rig::frames(texts), self.now);
    }

    pub fn pass(&mut self, ms: u64) {
        self.now.ms += ms;
        self.now.unix_ns += ms as i64 * 1_000_000;
    }

    /// Everything that is due goes out.
    pub fn pump(&mut self) {
        while self.hub.next_batch(self.now) {
            let batch = self.hub.batch();
            let mut taken = Vec::new();
            for send in batch.sends() {
                let bytes = &batch.bytes()[send.start..send.end];
                self.sent.entry(send.slot).or_default().extend_from_slice(bytes);
                taken.push(bytes.len() as i32);
            }
            self.hub.sent(&taken, self.now);
        }
        for effect in self.hub.take_effects() {
            match effect {
                Effect::Shut { slot } => self.shut.push(slot),
                Effect::Drop { slot, .. } => drop(self.hub.release(slot)),
                Effect::Pause { .. } | Effect::Resume { .. } => {}
                Effect::SendRest { .. } => unreachable!("sockets take everything"),
            }
        }
    }

    /// The raw bytes that a slot got since the last look.
    pub fn bytes(&mut self, slot: u32) -> Vec<u8> {
        self.pump();
        self.sent.remove(&slot).unwrap_or_default()
    }

    /// The same as texts; a Close is `close CODE REASON`.
    pub fn texts(&mut self, slot: u32) -> Vec<String> {
        let bytes = self.bytes(slot);
        texts(&bytes)
    }

    pub fn define(&mut self, id: u32, name: &str) {
        let (id, feed) = (SymbolId(id), Feed(0));
        let name = Symbol::parse(name).expect("a test's symbol is valid");
        self.hub.tick(&Tick::new(TickBody::Symbol { id, name, feed }));
        let (state, last_ns) = (FeedState::Ok, 1);
        self.hub.tick(&Tick::new(TickBody::FeedState { feed, state, last_ns }));
    }
}

/// The texts of whole frames, behind the head of an upgrade if there is one.
pub fn texts(bytes: &[u8]) -> Vec<String> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
    let (mut rest, mut texts) = (&bytes[head..], Vec::new());
    while let Some(frame) = next_frame(rest, 1 << 20).expect("the hub sends whole frames") {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("JSON");
        texts.push(match frame.opcode {
            Opcode::Close => {
                let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                format!("close {code} {}", text(&frame.payload[2..]))
            }
            _ => text(frame.payload),
        });
        rest = &rest[frame.frame_bytes..];
    }
    assert!(rest.is_empty(), "half a frame is left");
    texts
}

fn head(symbol: u32, seq: u64) -> Head {
    let (event_ns, ingest_ns) = (seq as i64, seq as i64);
    let symbol = SymbolId(symbol);
    Head { symbol, seq, event_ns, ingest_ns, price_scale: 0, size_scale: 0 }
}

pub fn trade(symbol: u32, seq: u64) -> Tick {
    let (id, price, size) = (None, Decimal::new(5, 0).units, 1);
    let (exchange, tape, conditions) = (0, 0, 0);
    let trade = Trade { id, price, size, exchange, tape, conditions };
    Tick::new(TickBody::Trade(head(symbol, seq), trade))
}

pub fn quote(symbol: u32, seq: u64) -> Tick {
    let (bid_exchange, ask_exchange) = (0, 0);
    let quote =
        Quote { bid_price: 1, bid_size: 1, ask_price: 2, ask_size: 1, bid_exchange, ask_exchange };
    Tick::new(TickBody::Quote(head(symbol, seq), quote))
}

pub fn lost(symbol: u32, from: u64, to: u64) -> Tick {
    let (symbol, channel) = (SymbolId(symbol), Channel::Trades);
    Tick::new(TickBody::Lost { symbol, channel, from, to, ingest_ns: 1 })
}
