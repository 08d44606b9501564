//! Clients without threads: each is asked again and again what came.

use super::server::PATIENCE;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use tapecast::wire::client::{Opcode, next_frame, write_frame};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Closed(u16, String),
    /// Without a Close frame.
    Lost,
}

pub struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    pub end: Option<End>,
}

impl Client {
    /// Connects and sends the upgrade; its answer is among what comes.
    pub fn connect(address: SocketAddr, query: &str) -> Client {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        let request = format!(
            "GET /v1/stream{query} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a new socket takes it");
        stream.set_nonblocking(true).expect("a TCP socket");
        Client { stream, bytes: Vec::new(), end: None }
    }

    pub fn send(&mut self, command: &Value) {
        let mut frame = Vec::new();
        write_frame(&mut frame, Opcode::Text, command.to_string().as_bytes(), [7; 4]);
        self.stream.write_all(&frame).expect("the server reads");
    }

    /// The events that have come since the last call; a Close is answered and noted.
    pub fn events(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        let over = self.read();
        let head = self.bytes.starts_with(b"HTTP").then(|| {
            self.bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(usize::MAX, |at| at + 4)
        });
        let mut at = head.unwrap_or(0);
        while at <= self.bytes.len()
            && let Some(frame) = next_frame(&self.bytes[at..], 1 << 20).expect("whole frames")
        {
            assert!(self.end.is_none(), "bytes after a Close frame");
            at += frame.frame_bytes;
            match frame.opcode {
                Opcode::Text => {
                    let array: Vec<Value> = serde_json::from_slice(frame.payload).expect("JSON");
                    events.extend(array);
                }
                Opcode::Close => {
                    let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                    let reason = String::from_utf8_lossy(&frame.payload[2..]).into_owned();
                    self.end = Some(End::Closed(code, reason));
                    let mut answer = Vec::new();
                    write_frame(&mut answer, Opcode::Close, &frame.payload[..2], [7; 4]);
                    let _ = self.stream.write(&answer);
                }
                Opcode::Ping => {
                    let mut pong = Vec::new();
                    write_frame(&mut pong, Opcode::Pong, frame.payload, [7; 4]);
                    let _ = self.stream.write(&pong);
                }
                _ => {}
            }
        }
        if at <= self.bytes.len() {
            self.bytes.drain(..at);
        }
        if over && self.end.is_none() {
            self.end = Some(End::Lost);
        }
        events
    }

    /// True: the connection is over.
    fn read(&mut self) -> bool {
        let mut block = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => return true,
                Ok(count) => self.bytes.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    /// Waits for an event that fits; gives all that came up to the batch with it.
    pub fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (mut all, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            let events = self.events();
            let found = events.iter().any(&fits);
            all.extend(events);
            if found {
                return all;
            }
            assert!(self.end.is_none(), "{what}: ended by {:?} after {all:?}", self.end);
            assert!(Instant::now() < deadline, "{what}: not among {all:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A subscriber of all trades that misses nothing: each symbol's numbers follow on one another.
pub struct Watcher {
    pub client: Client,
    pub epoch: String,
    /// By symbol: the last number.
    pub seqs: BTreeMap<String, u64>,
    pub trades: u64,
}

impl Watcher {
    pub fn connect(address: SocketAddr) -> Watcher {
        let client = Client::connect(address, "?symbols=*&channels=trades");
        Watcher { client, epoch: String::new(), seqs: BTreeMap::new(), trades: 0 }
    }

    /// One that has what another had, and asks for what came since.
    pub fn resume(address: SocketAddr, had: &Watcher) -> Watcher {
        let mut client = Client::connect(address, "");
        let since: BTreeMap<_, _> =
            had.seqs.iter().map(|(symbol, seq)| (symbol, json!({ "trades": seq }))).collect();
        let symbols: Vec<_> = had.seqs.keys().collect();
        client.send(&json!({
            "action": "subscribe", "trades": symbols, "epoch": had.epoch, "since": since
        }));
        Watcher { client, epoch: String::new(), seqs: had.seqs.clone(), trades: 0 }
    }

    /// Takes what has come. Panics: a trade is missing, or comes twice.
    pub fn look(&mut self) {
        for event in self.client.events() {
            match event["T"].as_str().expect("every event has a type") {
                "success" => self.epoch = event["epoch"].as_str().expect("a text").into(),
                "t" => {
                    let symbol = event["S"].as_str().expect("a text").to_string();
                    let seq = event["sq"].as_u64().expect("a number");
                    let last = self.seqs.insert(symbol.clone(), seq);
                    assert_eq!(last.unwrap_or(seq - 1) + 1, seq, "{symbol}: nothing is missing");
                    self.trades += 1;
                }
                "gap" => panic!("a trade was lost: {event}"),
                _ => {}
            }
        }
    }
}

/// Looks at all of them until `done`.
pub fn watch(watchers: &mut [Watcher], what: &str, done: impl Fn(&[Watcher]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        watchers.iter_mut().for_each(Watcher::look);
        if done(watchers) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: it does not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Panics: one of them was closed.
pub fn assert_connected(watchers: &[Watcher], log: &str) {
    let ended: Vec<_> = watchers.iter().filter_map(|w| w.client.end.as_ref()).collect();
    assert!(ended.is_empty(), "{} have ended: {:?}\n{log}", ended.len(), ended[0]);
}

/// Watches until each that is still connected has had `count` more trades.
pub fn watch_trades(watchers: &mut [Watcher], count: u64) {
    let goals: Vec<u64> = watchers.iter().map(|w| w.trades + count).collect();
    watch(watchers, "trades go on", |all| {
        all.iter().zip(&goals).all(|(w, goal)| w.client.end.is_some() || w.trades >= *goal)
    });
}
