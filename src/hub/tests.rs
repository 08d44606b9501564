//! Cases that the simulation cannot reach by chance, each a story of one or two sessions.
//!
//! Method: upgrade bytes and commands in, the bytes of every send out; sockets take what the test
//! says.

use super::{Effect, Hub, HubSettings};
use crate::market::{Feed, Head, Quote, Symbol, SymbolId, Tick, TickBody, Trade};
use crate::session::{CloseReason, Now, Phase};
use std::net::{Ipv4Addr, SocketAddr};

const EAGAIN: i32 = -11;

struct Bench {
    hub: Hub,
    now: Now,
    seq: u64,
}

impl Bench {
    fn new(settings: HubSettings) -> Bench {
        let now = Now { ms: 1_000_000, unix_ns: 1_700_000_000_000_000_000 };
        let mut hub = Hub::new(settings, "e".to_string(), now);
        let name = Symbol::parse("A").expect("valid");
        hub.tick(&Tick::new(TickBody::Symbol { id: SymbolId(0), name, feed: Feed(0) }));
        Bench { hub, now, seq: 0 }
    }

    /// A new session with this query, whose answers have been sent.
    fn connect(&mut self, query: &str) -> u32 {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4_000));
        let (slot, _) = self.hub.open(peer, 1, self.now);
        let request = format!(
            "GET /v1/stream?{query} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: \
             Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        );
        self.hub.receive(slot, request.as_bytes(), self.now);
        self.turn(None);
        slot
    }

    fn head(&mut self, symbol: u32) -> Head {
        self.seq += 1;
        let (symbol, seq, event_ns) = (SymbolId(symbol), self.seq, self.now.unix_ns);
        Head { symbol, seq, event_ns, ingest_ns: event_ns, price_scale: 2, size_scale: 0 }
    }

    fn quote(&mut self) {
        let head = self.head(0);
        let (bid_price, bid_size, ask_price, ask_size) = (1, 1, 2, 1);
        let (bid_exchange, ask_exchange) = (0, 0);
        let quote = Quote { bid_price, bid_size, ask_price, ask_size, bid_exchange, ask_exchange };
        self.hub.tick(&Tick::new(TickBody::Quote(head, quote)));
    }

    fn trade(&mut self, symbol: u32) {
        let head = self.head(symbol);
        let (price, size, exchange, tape, conditions) = (1, 1, 0, 0, 0);
        let trade = Trade { id: None, price, size, exchange, tape, conditions };
        self.hub.tick(&Tick::new(TickBody::Trade(head, trade)));
    }

    /// A turn in which the socket of `full` takes nothing. Gives (slot, bytes) of what was taken.
    fn turn(&mut self, full: Option<u32>) -> Vec<(u32, Vec<u8>)> {
        let mut taken = Vec::new();
        while self.hub.next_batch(self.now) {
            let mut results = Vec::new();
            for send in self.hub.batch().sends() {
                let bytes = &self.hub.batch().bytes()[send.start..send.end];
                let takes = full != Some(send.slot);
                results.push(if takes { bytes.len() as i32 } else { EAGAIN });
                taken.extend(takes.then(|| (send.slot, bytes.to_vec())));
            }
            self.hub.sent(&results, self.now);
        }
        self.hub.timers(self.now);
        self.hub.check();
        taken
    }

    fn pass(&mut self, ms: u64) {
        self.now.ms += ms;
        self.now.unix_ns += ms as i64 * 1_000_000;
    }

    fn say(&mut self, slot: u32, first: u8, payload: &str) {
        self.hub.receive(slot, &masked(first, payload), self.now);
    }

    /// The unfinished frame is taken whole.
    fn finish(&mut self, slot: u32) -> Vec<u8> {
        let rest = self.hub.rest(slot);
        self.hub.rest_sent(slot, rest.len() as i32, self.now);
        rest.to_vec()
    }
}

/// A client's frame, masked with zeros.
fn masked(first: u8, payload: &str) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | 126];
    match payload.len() {
        short @ 0..126 => bytes[1] = 0x80 | short as u8,
        long => bytes.extend((long as u16).to_be_bytes()),
    }
    bytes.extend([0; 4]);
    bytes.extend(payload.as_bytes());
    bytes
}

fn count(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part).count()
}

#[test]
fn a_close_frame_is_answered_once_however_much_is_unread() {
    let mut bench = Bench::new(HubSettings::default());
    let slot = bench.connect("");
    let names: Vec<String> = (0..400).map(|n| format!("\"SOME-RATHER-LONG-NAME-{n}\"")).collect();
    let subscribe = format!(r#"{{"action":"subscribe","quotes":[{}]}}"#, names.join(","));
    bench.say(slot, 0x81, &subscribe);
    bench.turn(Some(slot));
    for _ in 0..24 {
        bench.say(slot, 0x81, r#"{"action":"list"}"#);
    }
    assert!(bench.hub.session(slot).expect("open").is_streaming());
    bench.say(slot, 0x88, "");
    let session = bench.hub.session(slot).expect("open");
    assert_eq!(session.phase, Phase::Closing(CloseReason::ClientClosed));
    bench.finish(slot);
    let sent = bench.turn(None);
    let bytes = &sent.last().expect("what was unread").1;
    assert!(bytes.ends_with(b"\x88\x00"), "the answer to the Close frame is the last");
    assert_eq!(count(bytes, b"not being read"), 0);
}

#[test]
fn timers_do_not_multiply() {
    let mut bench = Bench::new(HubSettings::default());
    let slot = bench.connect("symbols=A&channels=quotes");
    for _ in 0..2_000 {
        bench.quote();
        bench.turn(Some(slot));
        bench.pass(16_000 - 2_000);
        bench.finish(slot);
        bench.turn(None);
        bench.say(slot, 0x8a, "");
        bench.pass(3_000);
        bench.turn(None);
    }
    assert!(bench.hub.session(slot).expect("open").is_streaming());
    assert!(bench.hub.wheel.len() < 20, "{} entries for one session", bench.hub.wheel.len());
}

/// A client that never speaks and reads a frame in longer than ping and pong take together.
#[test]
fn who_reads_slowly_is_not_taken_for_dead() {
    let mut bench = Bench::new(HubSettings::default());
    let slot = bench.connect("symbols=A&channels=quotes");
    bench.quote();
    bench.turn(Some(slot));
    for _ in 0..20 {
        bench.pass(10_000);
        bench.hub.rest_sent(slot, 1, bench.now);
        bench.turn(None);
    }
    assert!(bench.hub.session(slot).expect("open").is_streaming(), "it makes progress");
    bench.finish(slot);
    bench.pass(1);
    bench.turn(None);
    let sent = bench.turn(None);
    assert!(sent.iter().any(|(_, bytes)| bytes.starts_with(b"\x89\x00")), "now it is pinged");
    bench.pass(30_000);
    bench.turn(None);
    let session = bench.hub.session(slot).expect("not released");
    assert_eq!(session.phase, Phase::Ended(CloseReason::PongTimeout));
    assert!(bench.hub.take_effects().contains(&Effect::Drop { slot, abort: true }));
}

#[test]
fn who_waits_for_a_beat_gets_nothing_beside_it() {
    let mut bench = Bench::new(HubSettings::default());
    let query = "symbols=A&channels=quotes&max_hz=1";
    bench.connect(query);
    bench.quote();
    bench.turn(None);
    bench.pass(100);
    bench.quote();
    bench.turn(None);
    let late = bench.connect(query);
    for _ in 0..5 {
        bench.pass(10);
        bench.quote();
        bench.say(late, 0x89, "x");
        let sent = bench.turn(None);
        assert_eq!(sent, [(late, b"\x8a\x01x".to_vec())], "a pong and nothing else");
    }
    bench.pass(1_000);
    let sent = bench.turn(None);
    let quotes: Vec<usize> = sent.iter().map(|(_, bytes)| count(bytes, b"\"T\":\"q\"")).collect();
    assert_eq!(quotes, [1, 1], "the latest for each, at the beat");
}

/// Method: a quote every millisecond for two seconds.
#[test]
fn a_rate_that_no_whole_millisecond_makes_is_not_exceeded() {
    for (hz, most) in [(60, 60), (400, 400), (900, 900), (1_000, 1_000)] {
        let mut bench = Bench::new(HubSettings { flush_ms: 0, ..HubSettings::default() });
        bench.connect(&format!("symbols=A&channels=quotes&max_hz={hz}"));
        let mut sends = 0;
        for _ in 0..2_000 {
            bench.quote();
            sends += bench.turn(None).len();
            bench.pass(1);
        }
        assert!(sends <= 2 * most + 1 && 10 * sends >= 2 * 4 * most, "{hz} Hz: {sends} in 2 s");
    }
}

/// Method: between two trades of a reader's symbol lie more of another than one frame looks at.
#[test]
fn a_long_way_along_the_tape_is_gone_in_steps() {
    let mut bench = Bench::new(HubSettings::default());
    let name = Symbol::parse("B").expect("valid");
    bench.hub.tick(&Tick::new(TickBody::Symbol { id: SymbolId(1), name, feed: Feed(0) }));
    let slot = bench.connect("symbols=A&channels=trades");
    bench.trade(0);
    bench.turn(Some(slot));
    for _ in 0..40_000 {
        bench.trade(1);
        if bench.hub.is_full() {
            bench.turn(Some(slot));
        }
    }
    bench.trade(0);
    bench.finish(slot);
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.extend(bench.turn(None));
    }
    assert!(matches!(&sent[..], [(_, bytes)] if count(bytes, b"\"T\":\"t\"") == 1));
    assert_eq!((bench.hub.lagging(), bench.hub.has_work(bench.now)), (0, false));
}

/// Method: pings as fast as they come, until the burst is used up; then time.
#[test]
fn who_sends_too_fast_is_paused_and_its_close_still_reaches_it() {
    let mut bench = Bench::new(HubSettings::default());
    let slot = bench.connect("ts=ns");
    let pong = [0x8a, 0x80, 1, 2, 3, 4].repeat(1000);
    let mut pauses = 0;
    for _ in 0..200 {
        bench.hub.receive(slot, &pong, bench.now);
        let effects = bench.hub.take_effects();
        pauses += effects.iter().filter(|e| **e == Effect::Pause { slot }).count();
    }
    assert_eq!((pauses, bench.hub.counters().intake_pauses), (1, 1));
    let resumed = |bench: &mut Bench| {
        bench.hub.timers(bench.now);
        bench.hub.take_effects().contains(&Effect::Resume { slot })
    };
    assert!(!resumed(&mut bench));
    bench.now.ms = bench.hub.next_ms().expect("a deadline");
    assert!(resumed(&mut bench));
    // What it owes beyond the first pause is still owed.
    bench.hub.receive(slot, &pong, bench.now);
    assert!(bench.hub.take_effects().contains(&Effect::Pause { slot }));
    bench.hub.end(slot, CloseReason::Abuse, bench.now);
    assert!(bench.hub.take_effects().contains(&Effect::Resume { slot }));
}

/// Method: a client takes nothing while a tape of 64 turns over; then it takes what it is owed.
#[test]
fn a_replay_waits_for_who_takes_data_and_not_for_who_does_not() {
    for waits_for_readers in [true, false] {
        let mut bench =
            Bench::new(HubSettings { tape_ticks: 64, waits_for_readers, ..HubSettings::default() });
        let slot = bench.connect("symbols=A&channels=trades");
        assert!(!bench.hub.holds_replay(bench.now));
        for _ in 0..48 {
            bench.trade(0);
            bench.turn(Some(slot));
        }
        assert_eq!(bench.hub.holds_replay(bench.now), waits_for_readers, "it may still come");
        bench.pass(300);
        assert!(!bench.hub.holds_replay(bench.now), "it took nothing for long");
        bench.trade(0);
        bench.finish(slot);
        for _ in 0..8 {
            bench.trade(0);
        }
        assert_eq!(bench.hub.holds_replay(bench.now), waits_for_readers, "it takes data again");
        bench.turn(None);
        assert!(!bench.hub.holds_replay(bench.now), "it has all");
    }
}
