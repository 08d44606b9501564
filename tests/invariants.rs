//! Invariants of `lib.rs` that neither the simulation nor an outside client can see.
//!
//! Method: by the compiler, and by the addresses of what a hub asks to be sent.

use std::net::SocketAddr;
use tapecast::hub::{Hub, HubSettings};
use tapecast::market::{Feed, Head, Quote, Symbol, SymbolId, Tick, TickBody};
use tapecast::session::Now;

const NOW: Now = Now { ms: 1_000, unix_ns: 1_381_239_981_000_000_000 };

/// A hub must not move to another thread: this compiles only while `Hub` is not `Send`, because
/// with it the call would be ambiguous.
#[test]
fn a_hub_stays_on_its_thread() {
    trait Stays<A> {
        fn stays() {}
    }
    struct IfSend;
    impl<T> Stays<()> for T {}
    impl<T: Send> Stays<IfSend> for T {}
    <Hub as Stays<_>>::stays();
}

#[test]
fn a_flush_sends_every_member_of_a_cohort_the_same_bytes_from_the_same_address() {
    let mut hub = Hub::new(HubSettings::default(), "e".into(), NOW);
    let symbols = "symbols=A,B&channels=quotes";
    let alike: Vec<u32> = (0..50).map(|_| connect(&mut hub, symbols)).collect();
    let other = connect(&mut hub, "symbols=A&channels=quotes");
    hub.tick(&symbol(0, "A"));
    hub.tick(&symbol(1, "B"));
    for seq in 1..=3 {
        hub.tick(&quote(0, seq));
        hub.tick(&quote(1, seq));
    }
    let flush = sends(&mut hub);
    let ranges = |slots: &[u32]| -> Vec<(usize, usize)> {
        let of_slots = flush.iter().filter(|(slot, ..)| slots.contains(slot));
        of_slots.map(|(_, start, end)| (*start, *end)).collect()
    };
    let (shared, own) = (ranges(&alike), ranges(&[other]));
    assert_eq!((shared.len(), own.len()), (50, 1), "one frame for each");
    assert!(shared.iter().all(|range| *range == shared[0]), "{shared:?}");
    assert_ne!(own[0], shared[0], "another cohort has a frame of its own");
}

/// Opens a connection with `query`, and lets it come into step.
fn connect(hub: &mut Hub, query: &str) -> u32 {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let (slot, _) = hub.open(peer, 1, NOW);
    let request = format!(
        "GET /v1/stream?{query} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    hub.receive(slot, request.as_bytes(), NOW);
    sends(hub);
    slot
}

/// Sends all that is due, to sockets that take everything: slot and range of each send.
fn sends(hub: &mut Hub) -> Vec<(u32, usize, usize)> {
    let mut all = Vec::new();
    while hub.next_batch(NOW) {
        let batch: Vec<_> = hub.batch().sends().iter().map(|s| (s.slot, s.start, s.end)).collect();
        let taken: Vec<i32> = batch.iter().map(|(_, start, end)| (end - start) as i32).collect();
        hub.sent(&taken, NOW);
        all.extend(batch);
    }
    all
}

fn symbol(id: u32, name: &str) -> Tick {
    let name = Symbol::parse(name).expect("a symbol");
    Tick::new(TickBody::Symbol { id: SymbolId(id), name, feed: Feed(0) })
}

fn quote(id: u32, seq: u64) -> Tick {
    let (event_ns, ingest_ns) = (NOW.unix_ns, NOW.unix_ns);
    let symbol = SymbolId(id);
    let head = Head { symbol, seq, event_ns, ingest_ns, price_scale: 2, size_scale: 0 };
    let sides = Quote {
        bid_price: 13_800 + seq as i64,
        bid_size: 1,
        ask_price: 13_900,
        ask_size: 2,
        bid_exchange: 0,
        ask_exchange: 0,
    };
    Tick::new(TickBody::Quote(head, sides))
}
