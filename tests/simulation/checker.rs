//! One connection as its client sees it: what was asked, and whether what comes is right.

use super::act::{Act, CHANNELS, Change, Item, Since};
use super::decode::{Frame, frame, head_end, time};
use super::pairs::Pairs;
use super::world::{BARS, Marks, QUOTES, TRADES, World};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// The answer to the upgrade is awaited.
    Head,
    Open,
    /// An HTTP status has come.
    Refused,
    /// A Close frame with this code has come.
    Closed(u16),
}

/// Options of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Options {
    max_hz: f64,
    heartbeat_ms: u64,
    nanos: bool,
}

/// What the server must say next, beside the market.
#[derive(Debug)]
enum Expected {
    Connected,
    Authenticated,
    Pong(Option<Value>),
    Error(u16, Option<Value>),
    Set(Box<Set>),
}

/// The answer to subscribe, unsubscribe and list.
#[derive(Debug)]
struct Set {
    id: Option<Value>,
    items: BTreeSet<Item>,
    options: Options,
    /// Of a change: where the world stood, and what the client had.
    changed: Option<(Marks, Since, bool)>,
}

pub struct Checker {
    msgpack: bool,
    symbols_max: usize,
    pub stage: Stage,
    bytes: Vec<u8>,
    expected: VecDeque<Expected>,
    asked: (BTreeSet<Item>, Options),
    /// As far as answers have come.
    options: Options,
    pub pairs: Pairs,
    items: u64,
    authenticated: bool,
    pings: VecDeque<Vec<u8>>,
    /// Pings of the server that are not answered yet.
    pub pongs_due: usize,
    /// It has said what ends a connection, or what cannot be understood.
    pub is_lost: bool,
    /// It keeps up.
    is_steady: bool,
    /// No window gathers quotes: who keeps up must get every one.
    gets_every: bool,
    pub shutdowns: usize,
    /// When items came last, and how often since the last answer: whether the rate is kept.
    beat: (u64, usize),
}

impl Checker {
    pub fn new(msgpack: bool, is_steady: bool, gets_every: bool, symbols_max: usize) -> Checker {
        Checker {
            msgpack,
            symbols_max,
            stage: Stage::Head,
            bytes: Vec::new(),
            expected: VecDeque::new(),
            asked: (BTreeSet::new(), Options::default()),
            options: Options::default(),
            pairs: Pairs::default(),
            items: 0,
            authenticated: false,
            pings: VecDeque::new(),
            pongs_due: 0,
            is_lost: false,
            is_steady,
            gets_every,
            shutdowns: 0,
            beat: (0, 0),
        }
    }

    /// The server has got all bytes of `act`; the world stands still meanwhile.
    pub fn execute(&mut self, act: Act, world: &World) {
        if self.is_lost {
            return;
        }
        match act {
            Act::Upgrade(change) => {
                self.expected.push_back(Expected::Connected);
                if let Some(change) = change {
                    self.asked.1.nanos = change.nanos == Some(true);
                    self.options.nanos = self.asked.1.nanos;
                    self.change(change, world);
                }
            }
            Act::Change(change) => self.change(change, world),
            Act::List(id) => self.expect_set(id, None),
            Act::Ping(id) => self.expected.push_back(Expected::Pong(id)),
            Act::Auth if self.authenticated => {
                self.expected.push_back(Expected::Error(403, None));
            }
            Act::Auth => {
                self.authenticated = true;
                self.expected.push_back(Expected::Authenticated);
            }
            Act::Wrong(code) => self.expected.push_back(Expected::Error(code, None)),
            Act::WsPing(payload) => self.pings.push_back(payload),
            Act::WsPong => {}
            Act::BadUpgrade | Act::Close | Act::Garbage | Act::Fault => self.is_lost = true,
        }
    }

    fn change(&mut self, change: Change, world: &World) {
        let mut items = self.asked.0.clone();
        for item in change.items {
            match change.adds {
                true => items.insert(item),
                false => items.remove(&item),
            };
        }
        let named: BTreeSet<&String> = items.iter().map(|(name, _)| name).collect();
        let named = named.into_iter().filter(|name| *name != "*").count();
        if change.adds && named > self.symbols_max {
            return self.expected.push_back(Expected::Error(405, change.id));
        }
        let options = &mut self.asked.1;
        options.max_hz = change.max_hz.unwrap_or(options.max_hz);
        options.heartbeat_ms = change.heartbeat_ms.unwrap_or(options.heartbeat_ms);
        options.nanos = change.nanos.unwrap_or(options.nanos);
        self.asked.0 = items;
        let valid = change.epoch.as_deref() == Some(&world.epoch);
        self.expect_set(change.id, Some((world.marks(), change.since, valid)));
    }

    fn expect_set(&mut self, id: Option<Value>, changed: Option<(Marks, Since, bool)>) {
        let (items, options) = self.asked.clone();
        self.expected.push_back(Expected::Set(Box::new(Set { id, items, options, changed })));
    }

    /// The client has read more bytes.
    pub fn take(&mut self, bytes: &[u8], now_ms: u64, world: &World) {
        self.bytes.extend_from_slice(bytes);
        if self.stage == Stage::Head
            && let Some(end) = head_end(&self.bytes)
        {
            let granted = self.bytes.starts_with(b"HTTP/1.1 101 ");
            self.stage = if granted { Stage::Open } else { Stage::Refused };
            self.bytes.drain(..end);
        }
        let mut at = 0;
        while self.stage == Stage::Open
            && let Some((frame, length)) = frame(&self.bytes[at..], self.msgpack)
        {
            at += length;
            self.frame(frame, now_ms, world);
        }
        self.bytes.drain(..at);
        if let Stage::Closed(code) = self.stage {
            assert!(self.bytes.is_empty(), "bytes after the Close frame with {code}");
        }
    }

    fn frame(&mut self, frame: Frame, now_ms: u64, world: &World) {
        match frame {
            Frame::Ping => self.pongs_due += 1,
            Frame::Pong(payload) => {
                // Of many pings only the newest need be answered (RFC 6455, section 5.5.3).
                let at = self.pings.iter().position(|ping| *ping == payload);
                assert!(at.is_some() || self.is_lost, "a pong for no ping");
                self.pings.drain(..at.map_or(0, |at| at + 1));
            }
            Frame::Close(code, reason) => {
                if matches!(code, 1012 | 1013) {
                    let hint: Value = serde_json::from_slice(&reason).expect("a JSON reason");
                    assert!(hint["retry_ms"].is_u64() && hint["jitter_ms"].is_u64());
                }
                self.stage = Stage::Closed(code);
            }
            Frame::Events(events) => {
                let before = self.items;
                events.iter().for_each(|event| self.event(event, world));
                if self.items > before {
                    self.keep_beat(now_ms);
                }
            }
        }
    }

    /// Items come at the rate asked for. After an answer the first come when they can, and the
    /// next at a beat that others of the same rate may have set.
    fn keep_beat(&mut self, now_ms: u64) {
        let (last_ms, beats) = self.beat;
        if last_ms == now_ms && beats > 0 {
            return;
        }
        if self.is_steady && self.options.max_hz > 0.0 && beats > 1 {
            let interval_ms = (1_000.0 / self.options.max_hz) as u64;
            assert!(now_ms - last_ms >= interval_ms, "{} ms after the last", now_ms - last_ms);
        }
        self.beat = (now_ms, beats + 1);
    }

    fn event(&mut self, event: &Value, world: &World) {
        let every = self.is_steady && self.gets_every && self.options.max_hz == 0.0;
        let nanos = self.options.nanos;
        let channel = match event["T"].as_str().expect("T") {
            "t" => TRADES,
            "q" => QUOTES,
            "b" => BARS,
            "gap" => return self.pairs.gap(event, world),
            "epoch" => {
                self.beat = (0, 0);
                let era = world.era(event["epoch"].as_str().expect("a text"));
                return self.pairs.begin(era, world);
            }
            "hb" => {
                assert_eq!(event["n"].as_u64(), Some(self.items), "items before {event}");
                assert_eq!(time(&event["t"]).1, nanos);
                return;
            }
            "feed" => {
                let known = ["ok", "stale", "down"].contains(&event["state"].as_str().expect("s"));
                let names = event["S"].as_array().expect("names");
                assert!(known && !names.is_empty(), "{event}");
                return;
            }
            "shutdown" => return self.shutdowns += 1,
            _ => return self.answer(event, world),
        };
        self.items += 1;
        self.pairs.item(channel, event, nanos, every, world);
    }

    /// An answer to what the client asked, in order.
    fn answer(&mut self, event: &Value, world: &World) {
        if self.is_lost && self.expected.is_empty() {
            return; // garbage can be a message by chance, or a frame that others follow
        }
        let expected = self.expected.pop_front();
        let expected = expected.unwrap_or_else(|| panic!("nobody asked for {event}"));
        let id = |id: &Option<Value>| id.clone().unwrap_or(Value::Null);
        match &expected {
            Expected::Connected => {
                assert_eq!((&event["msg"], &event["v"]), (&json!("connected"), &json!(1)));
                self.pairs.1 = world.era(event["epoch"].as_str().expect("a text"));
            }
            Expected::Authenticated => assert_eq!(event["msg"], "authenticated"),
            Expected::Pong(given) => {
                assert_eq!((&event["T"], &event["id"]), (&json!("pong"), &id(given)));
                assert_eq!(time(&event["t"]).1, self.options.nanos);
            }
            Expected::Error(code, given) => {
                let wanted = (&json!("error"), &json!(code), &id(given));
                assert_eq!((&event["T"], &event["code"], &event["id"]), wanted, "{event}");
            }
            Expected::Set(set) => {
                assert_eq!((&event["T"], &event["id"]), (&json!("subscription"), &id(&set.id)));
                set.check(event);
                self.options = set.options;
                self.beat = (0, 0);
                if let Some((marks, since, valid)) = &set.changed {
                    self.pairs.change(&set.items, marks, since, *valid);
                }
            }
        }
    }

    /// The server gives the connection up: answers that were on their way do not come.
    pub fn give_up(&mut self) {
        self.is_lost = true;
        self.expected.clear();
    }

    /// Nothing more will come.
    pub fn at_rest(&self, world: &World) {
        assert!(self.bytes.is_empty(), "a frame that never ended");
        assert!(self.expected.is_empty(), "not answered: {:?}", self.expected);
        assert!(self.pings.is_empty(), "pings without a pong");
        self.pairs.at_rest(world);
    }
}

impl Set {
    fn check(&self, event: &Value) {
        let mut items = BTreeSet::new();
        for (channel, key) in CHANNELS.iter().enumerate() {
            for name in event[key].as_array().expect("a list") {
                let name = name.as_str().expect("a name").to_string();
                assert!(items.insert((name, channel)), "twice in {event}");
            }
        }
        assert_eq!(items, self.items, "the whole resulting set: {event}");
        assert_eq!(event["max_hz"].as_f64(), Some(self.options.max_hz), "{event}");
        assert_eq!(event["heartbeat_ms"].as_u64(), Some(self.options.heartbeat_ms), "{event}");
    }
}
