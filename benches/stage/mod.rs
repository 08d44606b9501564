//! One hub as benchmarks use it: symbols that a feed has sent, clients whose sockets take
//! everything, and no socket, clock or random key, so that each run does the same.

use tapecast::hub::{Effect, Hub, HubSettings};
use tapecast::market::{
    Feed, FeedState, Head, Name, Quote, Symbol, SymbolId, Tick, TickBody, Trade,
};
use tapecast::session::Now;
use tapecast::wire::client::{Opcode, write_frame};

const EPOCH: &str = "epoch-1";

pub struct Stage {
    pub hub: Hub,
    pub now: Now,
    taken: Vec<i32>,
    seq: u64,
}

/// What was asked to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    pub sends: u64,
    pub bytes: u64,
}

impl Stage {
    /// So many symbols are defined, and each has a quote.
    pub fn new(symbols: u32) -> Stage {
        Stage::with(HubSettings::default(), symbols)
    }

    pub fn with(settings: HubSettings, symbols: u32) -> Stage {
        let now = Now { ms: 1_000_000, unix_ns: 1_700_000_000_123_456_789 };
        let hub = Hub::new(settings, EPOCH.into(), now);
        let mut stage = Stage { hub, now, taken: Vec::new(), seq: 0 };
        let (feed, state, last_ns) = (Feed(0), FeedState::Ok, 1);
        stage.hub.tick(&Tick::new(TickBody::FeedState { feed, state, last_ns }));
        for (code, name) in [(1, "V"), (2, "Q")] {
            let name = Name::new(name).expect("short");
            stage.hub.tick(&Tick::new(TickBody::Code { code, name }));
        }
        let joined = Name::new("@,F,T").expect("short");
        stage.hub.tick(&Tick::new(TickBody::Conditions { list: 1, joined }));
        for number in 0..symbols {
            let id = SymbolId(number);
            let name = Symbol::parse(&symbol(number)).expect("short");
            stage.hub.tick(&Tick::new(TickBody::Symbol { id, name, feed }));
        }
        (0..symbols).collect::<Vec<_>>().chunks(10_000).for_each(|some| {
            stage.quotes(some);
            stage.settle();
        });
        stage
    }

    /// A quote of each of these symbols.
    pub fn quotes(&mut self, symbols: &[u32]) {
        for symbol in symbols {
            let tick = self.quote(*symbol);
            self.hub.tick(&tick);
        }
    }

    /// The next quote of a symbol, not given to the hub yet.
    pub fn quote(&mut self, symbol: u32) -> Tick {
        let head = self.head(symbol);
        Tick::new(TickBody::Quote(head, quote_sides(head.seq)))
    }

    pub fn trade(&mut self, symbol: u32) -> Tick {
        let head = self.head(symbol);
        Tick::new(TickBody::Trade(head, trade_terms(head.seq)))
    }

    /// Numbers are common to all symbols: they only have to grow.
    fn head(&mut self, symbol: u32) -> Head {
        self.seq += 1;
        head(symbol, self.seq, self.now.unix_ns)
    }

    /// A client that has its upgrade, its answers and its snapshot.
    pub fn connect(&mut self, query: &str) -> u32 {
        let slot = self.begin(&upgrade_request(query));
        self.settle();
        slot
    }

    /// A client that has sent its upgrade, and got nothing yet.
    pub fn begin(&mut self, request: &[u8]) -> u32 {
        let peer = ([127, 0, 0, 1], 5).into();
        self.hub.judge(([127, 0, 0, 1]).into(), self.now).expect("there is room");
        let (slot, _) = self.hub.open(peer, 0xabc, self.now);
        self.hub.receive(slot, request, self.now);
        slot
    }

    /// A client's message of this text.
    pub fn say(&mut self, slot: u32, text: &[u8]) {
        self.hub.receive(slot, &masked(text), self.now);
    }

    /// The client's connection is lost.
    pub fn leave(&mut self, slot: u32) {
        self.hub.receive_ended(slot, 104, self.now);
        self.settle();
    }

    /// All that is due goes out.
    pub fn settle(&mut self) -> Sent {
        let mut sent = Sent::default();
        while self.hub.next_batch(self.now) {
            self.taken.clear();
            self.taken.extend(self.hub.batch().sends().iter().map(|s| (s.end - s.start) as i32));
            sent.sends += self.taken.len() as u64;
            sent.bytes += self.taken.iter().map(|bytes| *bytes as u64).sum::<u64>();
            self.hub.sent(&self.taken, self.now);
        }
        for effect in self.hub.take_effects() {
            if let Effect::Drop { slot, .. } = effect {
                drop(self.hub.release(slot));
            }
        }
        sent
    }
}

/// `S00001` and on, for numbers from 0.
pub fn symbol(number: u32) -> String {
    format!("S{:05}", number + 1)
}

/// The query of a subscription to quotes, or to other channels.
pub fn query(symbols: &[u32], channels: &str) -> String {
    let names: Vec<String> = symbols.iter().map(|number| symbol(*number)).collect();
    format!("symbols={}&channels={channels}&ts=ns", names.join(","))
}

/// The head that a browser sends, with its usual headers.
pub fn upgrade_request(query: &str) -> Vec<u8> {
    format!(
        "GET /v1/stream?{query} HTTP/1.1\r\nHost: localhost:9001\r\nConnection: Upgrade\r\n\
         Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0\r\n\
         Upgrade: websocket\r\nOrigin: http://localhost\r\nSec-WebSocket-Version: 13\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept-Language: en\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// The subscribe message for quotes of these symbols.
pub fn subscribe(symbols: &[u32]) -> String {
    let names: Vec<String> = symbols.iter().map(|number| symbol(*number)).collect();
    format!(r#"{{"action":"subscribe","quotes":["{}"]}}"#, names.join(r#"",""#))
}

/// A resume of the trades of the first symbol, from the beginning.
pub fn resume() -> String {
    let (action, name) = (r#""action":"subscribe","epoch":"#, symbol(0));
    let since = format!(r#""since":{{"{name}":{{"trades":0}}}}"#);
    format!(r#"{{{action}"{EPOCH}","trades":["{name}"],{since}}}"#)
}

/// Different symbols of the first `of`, seeded.
pub fn some_of(of: u32, count: usize, random: &mut fastrand::Rng) -> Vec<u32> {
    let mut symbols = std::collections::BTreeSet::new();
    while symbols.len() < count {
        symbols.insert(random.u32(..of));
    }
    symbols.into_iter().collect()
}

fn masked(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, Opcode::Text, text, [1, 2, 3, 4]);
    bytes
}

fn head(symbol: u32, seq: u64, event_ns: i64) -> Head {
    let symbol = SymbolId(symbol);
    Head { symbol, seq, event_ns, ingest_ns: event_ns, price_scale: 2, size_scale: 0 }
}

fn quote_sides(seq: u64) -> Quote {
    let wave = (seq % 97) as i64;
    Quote {
        bid_price: 23_071 + wave,
        bid_size: 100 + wave,
        ask_price: 23_074 + wave,
        ask_size: 1_400 - wave,
        bid_exchange: 1,
        ask_exchange: 2,
    }
}

fn trade_terms(seq: u64) -> Trade {
    let (price, size) = (23_072 + (seq % 97) as i64, 100);
    Trade { id: Some(seq), price, size, exchange: 1, tape: 2, conditions: 1 }
}
