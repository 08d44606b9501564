//! A client that is always with some node, and what it has seen.

use crate::harness::client::{Client, Message};
use crate::harness::wait_for;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A node from which nothing comes is left for the next: what a client's own watch would do.
pub const SILENCE_MAX: Duration = Duration::from_secs(2);

/// The same where connections are counted, so that a pause of the machine is no lost node.
pub const PATIENT_SILENCE_MAX: Duration = Duration::from_secs(20);

/// Epoch, kind, symbol and number of an item.
type Key = (String, String, String, u64);

#[derive(Debug, Default)]
pub struct Seen {
    /// What each item said, as a hash of its text.
    pub items: HashMap<Key, u64>,
    pub gaps: Vec<(String, Option<u64>, u64)>,
    /// Trades that came where another number was due.
    pub holes: Vec<String>,
    pub epochs: Vec<String>,
    pub connects: usize,
    /// The longest time between two items, and when the newest came.
    pub pause: Duration,
    last: Option<Instant>,
    /// By symbol and channel (trades, quotes, bars), within the epoch.
    positions: BTreeMap<String, [u64; 3]>,
    /// What was asked for at the node under watch: who was ahead of it passes over what comes
    /// again (PROTOCOL.md, `since`).
    asked: BTreeMap<String, [u64; 3]>,
}

pub struct Watcher {
    thread: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
    /// Where it goes next, first to last and around again.
    nodes: Arc<Mutex<VecDeque<SocketAddr>>>,
    stop: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "T")]
    kind: &'a str,
    #[serde(rename = "S", default)]
    symbol: Value,
    #[serde(default)]
    sq: u64,
    #[serde(default)]
    sn: u8,
    ch: Option<&'a str>,
    from: Option<u64>,
    to: Option<u64>,
    epoch: Option<&'a str>,
}

impl Watcher {
    /// Watches everything at the first of these nodes, and goes to the next when that is lost, or
    /// silent for so long.
    pub fn start(nodes: Vec<SocketAddr>, silence_max: Duration) -> Watcher {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let nodes = Arc::new(Mutex::new(VecDeque::from(nodes)));
        let (to, stopped, next) = (Arc::clone(&seen), Arc::clone(&stop), Arc::clone(&nodes));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let node = {
                    let mut nodes = next.lock().expect("no panic holds it");
                    nodes.rotate_left(1);
                    nodes[nodes.len() - 1]
                };
                watch(node, silence_max, &to, &stopped);
            }
        });
        Watcher { thread, seen, nodes, stop }
    }

    /// When it loses its node, it goes to this one.
    pub fn go_on_at(&self, node: SocketAddr) {
        self.nodes.lock().expect("no panic holds it").push_front(node);
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic holds it")
    }

    /// Until so many more items have come.
    pub fn wait_for_more(&self, count: usize) {
        let before = self.seen().items.len();
        wait_for(&format!("{count} more items"), || {
            (self.seen().items.len() >= before + count).then_some(())
        });
    }

    /// The longest pause since this was last asked.
    pub fn take_pause(&self) -> Duration {
        std::mem::take(&mut self.seen().pause)
    }

    /// Ends it; gives what it saw.
    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no assertion failed");
        Arc::into_inner(self.seen).expect("its thread has ended").into_inner().expect("no panic")
    }
}

/// One connection.
fn watch(node: SocketAddr, silence_max: Duration, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let lock = || seen.lock().expect("no panic holds it");
    let Ok(stream) = TcpStream::connect_timeout(&node, silence_max) else {
        return thread::sleep(Duration::from_millis(50));
    };
    let Some(mut client) = Client::try_open(stream, "/v1/stream") else { return };
    let mut heard = Instant::now();
    while !stop.load(Ordering::Relaxed) && heard.elapsed() < silence_max {
        match client.next_within(Duration::from_millis(100)) {
            Some(Message::Text(text)) => {
                let items: Vec<&RawValue> = serde_json::from_str(&text).expect("an array");
                for raw in items {
                    let item: Item<'_> = serde_json::from_str(raw.get()).expect("an item");
                    if item.kind == "success" {
                        let command = lock().greet(item.epoch.expect("the greeting has it"));
                        client.send(command);
                    } else if lock().note(raw.get(), &item) {
                        heard = Instant::now();
                    }
                }
            }
            Some(Message::Closed(..) | Message::Lost(_)) => return,
            _ => {}
        }
    }
}

impl Seen {
    /// What to ask for on a new connection.
    fn greet(&mut self, epoch: &str) -> Value {
        self.connects += 1;
        let mut command =
            json!({"action": "subscribe", "trades": ["*"], "quotes": ["*"], "bars": ["*"]});
        if let Some(known) = self.epochs.last() {
            let names = ["trades", "quotes", "bars"];
            let since = self.positions.iter().map(|(symbol, seqs)| {
                let known = names.iter().zip(seqs).filter(|(_, seq)| **seq > 0);
                let seqs: Map<String, Value> =
                    known.map(|(name, seq)| (name.to_string(), json!(seq))).collect();
                (symbol.clone(), Value::Object(seqs))
            });
            command["since"] = Value::Object(since.collect());
            command["epoch"] = json!(known);
        }
        self.enter(epoch);
        self.asked.clone_from(&self.positions);
        command
    }

    fn enter(&mut self, epoch: &str) {
        if self.epochs.last().is_none_or(|known| known != epoch) {
            self.epochs.push(epoch.to_string());
            self.positions.clear();
            self.asked.clear();
        }
    }

    /// True: it is a market event.
    fn note(&mut self, raw: &str, item: &Item<'_>) -> bool {
        let symbol = item.symbol.as_str().unwrap_or_default();
        match item.kind {
            "epoch" => self.enter(item.epoch.expect("it has one")),
            "gap" => {
                let to = item.to.unwrap_or(0);
                assert_eq!(item.ch, Some("trades"), "{raw}");
                self.gaps.push((symbol.to_string(), item.from, to));
                let last = &mut self.positions.entry(symbol.to_string()).or_default()[0];
                *last = to.max(*last);
            }
            kind @ ("t" | "q" | "b") => {
                self.item(raw, kind, symbol, item);
                return true;
            }
            _ => {}
        }
        false
    }

    fn item(&mut self, raw: &str, kind: &str, symbol: &str, item: &Item<'_>) {
        let channel =
            ["t", "q", "b"].iter().position(|known| *known == kind).expect("one of three");
        let last = &mut self.positions.entry(symbol.to_string()).or_default()[channel];
        let is_next = match channel {
            0 => *last == 0 || item.sq == *last + 1,
            _ => item.sq > *last || item.sn == 1,
        };
        let had = self.asked.get(symbol).map_or(0, |seqs| seqs[channel]);
        if !is_next && item.sq > had {
            self.holes.push(format!("after {last} of {symbol} came {raw}"));
        }
        *last = item.sq.max(*last);
        if let Some(last) = self.last.replace(Instant::now()) {
            self.pause = self.pause.max(last.elapsed());
        }
        let mut hasher = DefaultHasher::new();
        raw.replace(",\"sn\":1", "").replace("\"sn\":1,", "").hash(&mut hasher);
        let epoch = self.epochs.last().expect("greeted").clone();
        let key = (epoch, kind.to_string(), symbol.to_string(), item.sq);
        let hash = hasher.finish();
        let known = self.items.insert(key, hash);
        assert!(known.is_none_or(|known| known == hash), "another content under a number: {raw}");
    }

    /// Trades that gaps say to be lost.
    pub fn lost(&self) -> u64 {
        self.gaps.iter().map(|(_, from, to)| from.map_or(1, |from| to + 1 - from)).sum()
    }
}

/// What several have seen under the same numbers is the same. Gives how much that is.
pub fn compare(all: &[Seen]) -> usize {
    let mut common = 0;
    for (key, hash) in &all[0].items {
        let others: Vec<_> = all[1..].iter().filter_map(|seen| seen.items.get(key)).collect();
        assert!(others.iter().all(|other| *other == hash), "{key:?} differs between nodes");
        common += usize::from(others.len() == all.len() - 1);
    }
    common
}
