//! What goes over NATS, as a node hears it; and what a node makes of it.

use crate::nats_server::NatsServer;
use crate::wait_for;
use async_nats::ConnectOptions;
use futures::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// One message of market data.
#[derive(Debug, Clone)]
pub struct Heard {
    pub at: Instant,
    pub subject: String,
    pub epoch: String,
    pub term: u64,
    pub first: u64,
    pub last: u64,
    pub id: Option<String>,
    pub lines: Vec<Value>,
}

#[derive(Debug, Default)]
struct All {
    messages: Vec<Heard>,
    metas: Vec<Value>,
}

/// Hears `tape.>` on a thread of its own until it is dropped.
pub struct Listener {
    all: Arc<Mutex<All>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub fn start(server: &NatsServer) -> Listener {
        let (all, stop) = (Arc::<Mutex<All>>::default(), Arc::<AtomicBool>::default());
        let ready = Arc::<AtomicBool>::default();
        let (to, ends, is_ready) = (Arc::clone(&all), Arc::clone(&stop), Arc::clone(&ready));
        let url = server.url();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(listen(&url, &to, &ends, &is_ready));
        });
        wait_for("the listener", || ready.load(Ordering::Acquire).then_some(()));
        Listener { all, stop, thread: Some(thread) }
    }

    pub fn messages(&self) -> Vec<Heard> {
        self.all.lock().expect("no panic holds it").messages.clone()
    }

    pub fn metas(&self) -> Vec<Value> {
        self.all.lock().expect("no panic holds it").metas.clone()
    }

    pub fn count(&self) -> usize {
        self.all.lock().expect("no panic holds it").messages.len()
    }

    /// Waits until so many more messages have come.
    pub fn wait_for_more(&self, more: usize) {
        let until = self.count() + more;
        wait_for(&format!("{more} more messages"), || (self.count() >= until).then_some(()));
    }

    /// Waits for a message that fits.
    pub fn wait_for(&self, what: &str, fits: impl Fn(&Heard) -> bool) -> Heard {
        wait_for(what, || self.messages().into_iter().find(|heard| fits(heard)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || !matches!(ended, Some(Err(_))), "the listener panicked");
    }
}

async fn listen(url: &str, all: &Mutex<All>, stop: &AtomicBool, ready: &AtomicBool) {
    let options = ConnectOptions::new().reconnect_delay_callback(|_| Duration::from_millis(20));
    let client = options.connect(url).await.expect("the server is up");
    let mut messages = client.subscribe("tape.>").await.expect("it is connected");
    client.flush().await.expect("it is connected");
    ready.store(true, Ordering::Release);
    while !stop.load(Ordering::Acquire) {
        let next = tokio::time::timeout(Duration::from_millis(50), messages.next()).await;
        let Ok(Some(message)) = next else { continue };
        let (at, mut all) = (Instant::now(), all.lock().expect("no panic holds it"));
        if message.subject.as_str() == "tape.meta" {
            let meta = serde_json::from_slice(&message.payload).expect("a meta is JSON");
            all.metas.push(meta);
        } else {
            all.messages.push(heard(at, &message));
        }
    }
}

/// Panics where a message is not as the contract says.
pub fn heard(at: Instant, message: &async_nats::Message) -> Heard {
    let headers = message.headers.as_ref().expect("headers");
    let header = |name: &str| headers.get(name).map(|value| value.as_str().to_string());
    let range = header("Tape-Sq").expect("numbers");
    let (first, last) = range.split_once('-').expect("first and last");
    let text = std::str::from_utf8(&message.payload).expect("UTF-8");
    assert!(message.payload.is_empty() || text.ends_with('\n'), "{text}");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
    Heard {
        at,
        subject: message.subject.to_string(),
        epoch: header("Tape-Epoch").expect("an epoch"),
        term: header("Tape-Term").and_then(|term| term.parse().ok()).expect("a term"),
        first: first.parse().expect("a number"),
        last: last.parse().expect("a number"),
        id: header("Nats-Msg-Id"),
        lines: lines.collect(),
    }
}

/// What a node has after these messages: it passes over those of a lower term than it heard, and
/// numbers that it has. Panics where a number comes twice with another content in it, or where
/// trades are missing that no gap tells of.
#[derive(Debug, Default)]
pub struct Node {
    term: u64,
    epoch: Option<String>,
    /// By subject: the last number.
    last: BTreeMap<String, u64>,
    /// By subject and number: the line.
    lines: BTreeMap<(String, u64), Value>,
    pub of_lower_term: usize,
    pub repeated: usize,
    /// Numbers that gaps told of.
    pub lost: u64,
    pub taken: usize,
    /// Holes in the numbers of trades that no gap told of: (subject, from, to).
    pub holes: Vec<(String, u64, u64)>,
}

impl Node {
    pub fn of(messages: &[Heard]) -> Node {
        let mut node = Node::default();
        messages.iter().for_each(|message| node.take(message));
        node
    }

    pub fn take(&mut self, message: &Heard) {
        if self.epoch.as_ref() != Some(&message.epoch) {
            *self = Node { epoch: Some(message.epoch.clone()), ..Node::default() };
        }
        if message.term < self.term {
            self.of_lower_term += 1;
            return;
        }
        self.term = message.term;
        let range = |line: &Value| match line["T"].as_str() {
            Some("gap") => (line["from"].as_u64(), line["to"].as_u64()),
            _ => (line["sq"].as_u64(), line["sq"].as_u64()),
        };
        for line in &message.lines {
            let (Some(from), Some(to)) = range(line) else { panic!("no numbers in {line}") };
            assert!(message.first <= from && to <= message.last, "{line} in {message:?}");
            self.take_line(&message.subject, line, from, to);
        }
    }

    fn take_line(&mut self, subject: &str, line: &Value, from: u64, to: u64) {
        let is_gap = line["T"] == "gap";
        let known = self.last.get(subject).copied();
        if known.is_some_and(|known| to <= known) {
            self.repeated += 1;
            let first = self.lines.get(&(subject.to_string(), to));
            let same = is_gap || first.is_none_or(|first| first == line);
            assert!(same, "{subject} has {to} twice: {first:?} and {line}");
            return;
        }
        let is_trades = subject.starts_with("tape.t.");
        if let Some(known) = known.filter(|known| is_trades && from > known + 1) {
            self.holes.push((subject.to_string(), known + 1, from - 1));
        }
        if is_gap {
            self.lost += to - from.max(known.unwrap_or(0) + 1) + 1;
        } else {
            self.lines.insert((subject.to_string(), to), line.clone());
            self.taken += 1;
        }
        self.last.insert(subject.to_string(), to);
    }
}
