//! Method: a hub with clients whose sockets take nothing from some moment on, a budget that they
//! exceed, and turns on a clock of the test's. The accounts are checked after every turn.

use super::*;
use crate::hub::{Effect, HubSettings, MemorySettings, Pressure};
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::market::{Feed, Head, Quote, Symbol, SymbolId, Tick, TickBody};
use std::collections::{BTreeMap, BTreeSet};

const UPGRADE: &[u8] = b"GET /v1/stream?symbols=*&channels=quotes HTTP/1.1\r\nHost: a\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Stage {
    hub: Hub,
    now: Now,
    seq: u64,
    stuck: BTreeSet<u32>,
    /// Sockets that the hub wants to send the rest to.
    rests: BTreeSet<u32>,
    /// Bytes that each socket took.
    taken: BTreeMap<u32, Vec<u8>>,
    aborted: BTreeSet<u32>,
}

impl Stage {
    fn new(clients: u32, budget_bytes: u64) -> Stage {
        let memory = MemorySettings { budget_bytes, ..MemorySettings::default() };
        let now = Now { ms: 1_000, unix_ns: 1 };
        let hub = Hub::new(HubSettings { memory, ..HubSettings::default() }, "e".into(), now);
        let (stuck, rests, taken) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        let mut stage = Stage { hub, now, seq: 0, stuck, rests, taken, aborted: BTreeSet::new() };
        for symbol in 0..400 {
            let name = Symbol::parse(&format!("S{symbol}")).expect("valid");
            let body = TickBody::Symbol { id: SymbolId(symbol), name, feed: Feed(0) };
            stage.hub.tick(&Tick::new(body));
        }
        for client in 0..clients {
            let peer = "10.0.0.1:1".parse().expect("valid");
            let (slot, _) = stage.hub.open(peer, client.into(), stage.now);
            stage.hub.receive(slot, UPGRADE, stage.now);
        }
        stage.turn();
        stage
    }

    /// A quote of each symbol, a frame's worth.
    fn ticks(&mut self) {
        self.seq += 1;
        for symbol in 0..400 {
            let quote = Quote {
                bid_price: 1,
                bid_size: 1,
                ask_price: 2,
                ask_size: 2,
                bid_exchange: 0,
                ask_exchange: 0,
            };
            let head = Head {
                symbol: SymbolId(symbol),
                seq: self.seq,
                event_ns: 5,
                ingest_ns: 5,
                price_scale: 2,
                size_scale: 0,
            };
            self.hub.tick(&Tick::new(TickBody::Quote(head, quote)));
        }
        self.turn();
    }

    fn turn(&mut self) {
        self.now.ms += 5;
        while self.hub.next_batch(self.now) {
            let batch = self.hub.batch();
            let mut results = Vec::new();
            for send in batch.sends() {
                let takes = !self.stuck.contains(&send.slot);
                let bytes = &batch.bytes()[send.start..send.end];
                if takes {
                    self.taken.entry(send.slot).or_default().extend_from_slice(bytes);
                }
                results.push(if takes { bytes.len() as i32 } else { -11 });
            }
            self.hub.sent(&results, self.now);
            self.effects();
        }
        self.hub.timers(self.now);
        self.effects();
        self.hub.check_accounts();
    }

    fn effects(&mut self) {
        for slot in std::mem::take(&mut self.rests) {
            self.send_rest(slot);
        }
        for effect in self.hub.take_effects() {
            match effect {
                Effect::SendRest { slot } => {
                    self.rests.insert(slot);
                }
                Effect::Shut { slot } => self.hub.receive_ended(slot, 0, self.now),
                Effect::Drop { slot, abort } => {
                    self.rests.remove(&slot);
                    if abort {
                        self.aborted.insert(slot);
                    }
                    self.hub.release(slot);
                }
                Effect::Pause { .. } | Effect::Resume { .. } => {}
            }
        }
    }

    fn send_rest(&mut self, slot: u32) {
        if self.stuck.contains(&slot) {
            self.rests.insert(slot);
            return;
        }
        let rest = self.hub.rest(slot);
        self.taken.entry(slot).or_default().extend_from_slice(&rest);
        self.hub.rest_sent(slot, rest.len() as i32, self.now);
    }

    fn turns_until(&mut self, turns_max: usize, mut done: impl FnMut(&Stage) -> bool) {
        for _ in 0..turns_max {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("not after {turns_max} turns: {:?} {:?}", self.hub.used(), self.hub.breaker());
    }

    fn leave(&mut self) {
        for slot in self.hub.sessions.slots() {
            self.hub.receive_ended(slot, 104, self.now);
        }
        self.turn();
    }
}

/// What a client in step costs, and about what a stuck one does.
const IN_STEP_BYTES: u64 = SESSION + 4_608;
const SESSION: u64 = crate::hub::accounts::SESSION_BYTES as u64;
const STUCK_BYTES: u64 = IN_STEP_BYTES + 56 * 1024 + FRAME_PAYLOAD_BYTES_MAX as u64;

#[test]
fn the_stuck_are_closed_until_there_is_room_and_those_in_step_lose_nothing() {
    let (clients, stuck) = (300, 200_u32);
    let mut stage = Stage::new(clients, 100 * STUCK_BYTES);
    stage.ticks();
    stage.stuck = (0..stuck).collect();
    stage.ticks();
    assert_eq!(stage.hub.breaker().pressure(), Pressure::Shed);
    stage.turns_until(500, |stage| stage.hub.breaker().pressure() < Pressure::Shed);
    assert!(stage.aborted.iter().all(|slot| *slot < stuck), "{:?}", stage.aborted);
    let shed = stage.hub.counters().shed;
    assert!((100..150).contains(&shed), "{shed} of {stuck}: more than needed, or fewer");
    assert_eq!(stage.hub.take_shed().len() as u64, shed);
    stage.ticks();
    // The first bytes hold the session's id.
    let market = |slot| stage.taken[&slot][600..].to_vec();
    assert!(market(299).len() > 3 * FRAME_PAYLOAD_BYTES_MAX, "three rounds of quotes");
    assert!((stuck..clients).all(|slot| market(slot) == market(299)), "all got the same");
    stage.leave();
    assert_eq!(stage.hub.used(), crate::hub::Used::default());
}

#[test]
fn who_is_behind_longest_goes_first() {
    let mut stage = Stage::new(12, 84 * STUCK_BYTES / 10);
    for slot in [7, 3, 9, 1, 5, 0, 2, 8] {
        stage.stuck.insert(slot);
        stage.ticks();
    }
    stage.turns_until(300, |stage| stage.hub.counters().shed > 0);
    assert_eq!(stage.hub.take_shed(), [7, 3]);
}

#[test]
fn one_that_reads_in_time_gets_its_close_frame() {
    let mut stage = Stage::new(12, 84 * STUCK_BYTES / 10);
    stage.stuck = (0..8).collect();
    stage.ticks();
    stage.turns_until(10, |stage| stage.hub.counters().shed > 0);
    let shed = stage.hub.take_shed()[0] as u32;
    stage.stuck.remove(&shed);
    stage.turns_until(10, |stage| stage.hub.session(shed).is_none());
    let bytes = &stage.taken[&shed];
    let close = bytes.windows(4).rposition(|w| w[0] == 0x88 && w[2..] == 1013_u16.to_be_bytes());
    assert!(close.is_some(), "no Close frame with 1013 at the end");
    assert!(!stage.aborted.contains(&shed));
}

#[test]
fn nobody_in_step_is_closed_whatever_the_budget() {
    let mut stage = Stage::new(100, 50 * IN_STEP_BYTES);
    for _ in 0..200 {
        stage.ticks();
    }
    assert_eq!(stage.hub.breaker().pressure(), Pressure::Shed);
    assert_eq!((stage.hub.sessions(), stage.hub.counters().shed), (100, 0));
}

#[test]
fn half_open_requests_go_where_nobody_is_behind() {
    let mut stage = Stage::new(2, 20 * IN_STEP_BYTES);
    let peer = "10.0.0.1:1".parse().expect("valid");
    let mut head = b"GET / HTTP/1.1\r\nA: ".to_vec();
    head.resize(15_000, b'a');
    for id in 0..8 {
        stage.now.ms += 1;
        let (slot, _) = stage.hub.open(peer, 100 + id, stage.now);
        stage.hub.receive(slot, &head, stage.now);
    }
    stage.turns_until(300, |stage| stage.hub.counters().shed > 0);
    assert_eq!(stage.hub.take_shed()[0], 100, "the oldest");
    stage.turns_until(300, |stage| stage.hub.breaker().pressure() < Pressure::Shed);
    assert!(stage.hub.session(0).is_some_and(|session| session.is_streaming()));
}
