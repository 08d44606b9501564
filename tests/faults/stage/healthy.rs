//! The clients that must not notice: a thread with many connections that checks all they get.
//!
//! Each must get every trade and, since all keep up, every quote: sequence numbers without a jump.
//! Latency is from the event's time, which is now in a synthetic feed, to the read.

use super::frames::{Item, Memo};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tapecast::wire::client::{Opcode, next_frame, write_frame};

const FRAME_BYTES_MAX: usize = 1 << 20;

/// Room for half a minute of the feed: where the machine gives this thread no time for so long,
/// its clients still keep up, as far as the server can see.
const RECEIVE_BYTES: usize = 2 << 20;

/// Longest latency that is told from a longer one.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Latencies of one phase, in us.
pub type Latencies = Histogram<u64>;

enum Order {
    /// Give the latencies so far and start anew.
    Cut(Sender<Latencies>),
    /// From now on quotes count too: everyone is in step.
    Strict,
    /// Read on until all have what one has, then say what went wrong.
    End(Sender<Vec<String>>),
}

pub struct Healthy {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Healthy {
    /// Connects, subscribes to everything, and returns when all are in step.
    pub fn start(server: SocketAddr, count: usize) -> Healthy {
        let (orders, given) = channel();
        let (ready, is_ready) = channel();
        let thread = std::thread::spawn(move || {
            let mut crowd = Crowd::connect(server, count);
            crowd.run_until(Duration::from_secs(20), Crowd::is_level);
            ready.send(()).expect("the test waits");
            crowd.serve(&given);
        });
        is_ready.recv().expect("the healthy clients connect");
        let healthy = Healthy { orders, thread: Some(thread) };
        healthy.order(Order::Strict);
        healthy
    }

    pub fn cut(&self) -> Latencies {
        let (to, from) = channel();
        self.order(Order::Cut(to));
        from.recv().expect("the healthy clients run")
    }

    /// What any of them missed; empty is what it must be.
    pub fn end(mut self) -> Vec<String> {
        let (to, from) = channel();
        self.order(Order::End(to));
        let wrong = from.recv().expect("the healthy clients run");
        self.thread.take().expect("taken once").join().expect("its checks do not panic");
        wrong
    }

    fn order(&self, order: Order) {
        self.orders.send(order).expect("the healthy clients run");
    }
}

struct Client {
    stream: TcpStream,
    inbox: Vec<u8>,
    upgraded: bool,
    open: bool,
    /// Last trade and quote, by symbol.
    last: Vec<[u64; 2]>,
}

struct Crowd {
    poll: Poll,
    clients: Vec<Client>,
    memo: Memo,
    /// The newest that anyone has, by symbol.
    newest: Vec<[u64; 2]>,
    strict: bool,
    latencies: Latencies,
    wrong: Vec<String>,
    block: Vec<u8>,
}

impl Crowd {
    fn connect(server: SocketAddr, count: usize) -> Crowd {
        let poll = Poll::new().expect("epoll");
        let head = super::peer::upgrade_head("symbols=*&ts=ns");
        let connect = |number: usize| {
            let socket = Socket::new(Domain::for_address(server), Type::STREAM, None);
            let socket = socket.expect("a socket");
            set_socket_recv_buffer_size_force(&socket, RECEIVE_BYTES).expect("root may");
            socket.connect(&server.into()).expect("connects");
            let mut stream = std::net::TcpStream::from(socket);
            stream.write_all(head.as_bytes()).expect("the server reads");
            stream.set_nonblocking(true).expect("a flag");
            let mut stream = TcpStream::from_std(stream);
            let registry = poll.registry();
            registry.register(&mut stream, Token(number), Interest::READABLE).expect("epoll");
            let (inbox, last) = (Vec::new(), Vec::new());
            Client { stream, inbox, upgraded: false, open: true, last }
        };
        let clients = (0..count).map(connect).collect();
        Crowd {
            poll,
            clients,
            memo: Memo::default(),
            newest: Vec::new(),
            strict: false,
            latencies: Histogram::new_with_max(LATENCY_US_MAX, 3).expect("three digits"),
            wrong: Vec::new(),
            block: vec![0; 256 * 1024],
        }
    }

    fn serve(&mut self, orders: &Receiver<Order>) {
        loop {
            self.turn();
            match orders.try_recv() {
                Ok(Order::Cut(to)) => {
                    let given = self.latencies.clone();
                    self.latencies.reset();
                    let _ = to.send(given);
                }
                Ok(Order::Strict) => self.strict = true,
                Ok(Order::End(to)) => {
                    let target = self.newest.clone();
                    let has_all = |crowd: &Crowd| crowd.has_reached(&target);
                    self.run_until(Duration::from_secs(20), has_all);
                    let _ = to.send(std::mem::take(&mut self.wrong));
                    return;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
    }

    fn run_until(&mut self, patience: Duration, is_done: impl Fn(&Crowd) -> bool) {
        let until = Instant::now() + patience;
        while !is_done(self) {
            if Instant::now() >= until {
                let behind = self.clients.iter().filter(|c| !c.has(&self.newest)).count();
                return self.wrong.push(format!("{behind} clients do not have the newest"));
            }
            self.turn();
        }
    }

    fn has_reached(&self, target: &[[u64; 2]]) -> bool {
        self.clients.iter().all(|client| client.has(target))
    }

    /// Everyone is upgraded and has what everyone has.
    fn is_level(&self) -> bool {
        !self.newest.is_empty() && self.has_reached(&self.newest)
    }

    fn turn(&mut self) {
        let mut events = Events::with_capacity(1024);
        match self.poll.poll(&mut events, Some(Duration::from_millis(5))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            other => other.expect("epoll"),
        }
        for event in &events {
            self.read(event.token().0);
        }
    }

    /// Until the socket is empty: mio tells of new bytes only.
    fn read(&mut self, number: usize) {
        loop {
            let client = &mut self.clients[number];
            if !client.open {
                return;
            }
            match client.stream.read(&mut self.block) {
                Ok(0) => return self.closed(number, "end of stream"),
                Ok(count) => client.inbox.extend_from_slice(&self.block[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.closed(number, &error.to_string()),
            }
            self.take_frames(number);
        }
    }

    fn closed(&mut self, number: usize, why: &str) {
        self.clients[number].open = false;
        self.wrong.push(format!("client {number} was closed: {why}"));
    }

    fn take_frames(&mut self, number: usize) {
        let inbox = std::mem::take(&mut self.clients[number].inbox);
        let mut at = 0;
        if !self.clients[number].upgraded {
            let Some(end) = inbox.windows(4).position(|w| w == b"\r\n\r\n") else {
                self.clients[number].inbox = inbox;
                return;
            };
            assert!(inbox.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&inbox));
            self.clients[number].upgraded = true;
            at = end + 4;
        }
        while let Some(frame) = next_frame(&inbox[at..], FRAME_BYTES_MAX).expect("whole frames") {
            at += frame.frame_bytes;
            match frame.opcode {
                Opcode::Text => self.take_items(number, frame.payload),
                Opcode::Ping => self.pong(number, frame.payload),
                Opcode::Close => {
                    let text = format!("{:?}", tapecast::wire::client::parse_close(frame.payload));
                    self.wrong.push(format!("client {number} got a Close: {text}"));
                }
                _ => {}
            }
        }
        let client = &mut self.clients[number];
        client.inbox = inbox;
        client.inbox.drain(..at);
    }

    fn pong(&mut self, number: usize, payload: &[u8]) {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, Opcode::Pong, payload, [5, 6, 7, 8]);
        // Four bytes more always fit the socket of a client that writes nothing else.
        let _ = self.clients[number].stream.write(&bytes);
    }

    fn take_items(&mut self, number: usize, payload: &[u8]) {
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
        let items = self.memo.items(payload);
        for item in items.iter() {
            let Item { symbol, channel, seq, event_ns, is_snapshot } = match item {
                Ok(item) => *item,
                Err(text) => {
                    self.wrong.push(format!("client {number}: {text}"));
                    continue;
                }
            };
            let rows = (symbol + 1).max(self.newest.len());
            self.newest.resize(rows, [0; 2]);
            let client = &mut self.clients[number];
            client.last.resize(rows.max(client.last.len()), [0; 2]);
            let last = std::mem::replace(&mut client.last[symbol][channel], seq);
            self.newest[symbol][channel] = self.newest[symbol][channel].max(seq);
            if is_snapshot {
                continue;
            }
            let is_checked = self.strict || channel == 0;
            if is_checked && last != 0 && seq != last + 1 {
                let word = ["trade", "quote"][channel];
                let text = format!("client {number}: {word} {last} then {seq} of symbol {symbol}");
                self.wrong.push(text);
            }
            let late_us = (now_ns as i64 - event_ns).max(0) as u64 / 1000;
            self.latencies.saturating_record(late_us.max(1));
        }
    }
}

impl Client {
    fn has(&self, target: &[[u64; 2]]) -> bool {
        let has = |(row, wanted): (usize, &[u64; 2])| {
            let last = self.last.get(row).unwrap_or(&[0; 2]);
            // Who has seen no trade of a symbol has missed none yet.
            (0..2).all(|channel| last[channel] >= wanted[channel] || last[channel] == 0)
        };
        self.upgraded && !self.last.is_empty() && target.iter().enumerate().all(has)
    }
}
