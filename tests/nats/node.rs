//! A `tapecast serve` that follows NATS, and what its clients see of a symbol's trades.

use crate::harness::client::is;
use crate::harness::{Client, Server, wait_for};
use crate::server::NatsServer;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fmt;

pub struct Node {
    pub server: Server,
}

/// Numbers of trades, and gaps, as they came.
#[derive(Default, PartialEq)]
pub struct Seen {
    pub trades: Vec<u64>,
    /// First, where it was said, and last.
    pub gaps: Vec<(Option<u64>, u64)>,
}

/// Numbers in a row as their first and last.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.trades.chunk_by(|a, b| a + 1 == *b);
        let rows: Vec<_> = rows.map(|row| (row[0], row[row.len() - 1])).collect();
        f.debug_struct("Seen").field("trades", &rows).field("gaps", &self.gaps).finish()
    }
}

impl Node {
    pub fn follow(nats: &NatsServer, more: &str) -> Node {
        Node::start(&format!("--feed nats:{} --shards 1 {more}", nats.url()))
    }

    pub fn start(flags: &str) -> Node {
        Node { server: Server::start(flags) }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.server.address, "/v1/stream?symbols=*&channels=trades,quotes,bars")
    }

    /// The part of `/api/status` that is about the feed.
    pub fn status(&self) -> Value {
        let url = format!("http://{}/api/status", self.server.admin());
        let mut answer = ureq::get(&url).call().expect("the admin port answers");
        let text = answer.body_mut().read_to_string().expect("text");
        let status: Value = serde_json::from_str(&text).expect("JSON");
        status["feeds"][0].clone()
    }

    /// A counter of its connection.
    pub fn count(&self, name: &str) -> u64 {
        self.status()["nats"][name].as_u64().unwrap_or_else(|| panic!("no {name}"))
    }

    pub fn wait_for_state(&self, state: &str) {
        wait_for(&format!("the feed {state}"), || (self.status()["state"] == state).then_some(()));
    }

    /// Until its feed has had so many records.
    pub fn wait_for_ticks(&self, count: u64) {
        wait_for(&format!("{count} ticks"), || {
            (self.status()["ticks"].as_u64() >= Some(count)).then_some(())
        });
    }

    pub fn freeze(&self) {
        self.server.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.server.signal(Signal::CONT);
    }

    /// A client that had all trades of a symbol up to `since` in this epoch.
    pub fn resume(&self, symbol: &str, epoch: &str, since: u64) -> Client {
        let mut client = Client::connect(self.server.address, "/v1/stream");
        client.send(json!({
            "action": "subscribe", "trades": [symbol], "epoch": epoch,
            "since": {symbol: {"trades": since}},
        }));
        client
    }
}

/// Everything of a symbol's trades up to the one with this number.
pub fn trades_until(client: &mut Client, symbol: &str, last: u64) -> Seen {
    let what = format!("trade {last} of {symbol}");
    let events = client.until(&what, |event| is(event, "t", symbol) && event["sq"] == last);
    seen(&events, symbol)
}

pub fn seen(events: &[Value], symbol: &str) -> Seen {
    let mut seen = Seen::default();
    for event in events.iter().filter(|event| event["S"] == symbol) {
        match event["T"].as_str() {
            Some("t") => seen.trades.push(event["sq"].as_u64().expect("a number")),
            Some("gap") if event["ch"] == "trades" => {
                seen.gaps.push((event["from"].as_u64(), event["to"].as_u64().expect("a number")));
            }
            _ => {}
        }
    }
    seen
}

/// All numbers, once each, in order, and no gap.
pub fn whole(numbers: std::ops::RangeInclusive<u64>) -> Seen {
    Seen { trades: numbers.collect(), gaps: Vec::new() }
}
