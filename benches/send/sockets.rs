//! The sockets that are sent to, and the thread that reads what was sent.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mio::{Events, Interest, Poll, Token};
use tapecast::config::SocketOptions;
use tapecast::shard::listen;

use crate::clock::thread_cpu_ns;
use crate::plan::Plan;

pub struct Audience {
    sockets: Vec<TcpStream>,
    read_bytes: Arc<AtomicUsize>,
    sent_bytes: usize,
}

impl Audience {
    pub fn connect(plan: &Plan, core: Option<core_affinity::CoreId>) -> Audience {
        let address = "127.0.0.1:0".parse().expect("an address");
        // A send must be taken whole, whatever its size.
        let default = SocketOptions::default();
        let bytes = default.send_buffer_bytes.max(plan.payload_bytes as u32 * 4);
        let options = SocketOptions { send_buffer_bytes: bytes, ..default };
        let listener = listen(address, 1, &options).expect("listens").remove(0);
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().expect("bound");
        let mut peers = Vec::new();
        let sockets = (0..plan.sockets)
            .map(|_| {
                peers.push(connect(address));
                listener.accept().expect("accepts").0
            })
            .collect();
        let read_bytes = Arc::new(AtomicUsize::new(0));
        let counter = read_bytes.clone();
        std::thread::spawn(move || {
            core.map(core_affinity::set_for_current);
            drain(peers, &counter);
        });
        Audience { sockets, read_bytes, sent_bytes: 0 }
    }

    /// In order of accept.
    pub fn fds(&self) -> Vec<RawFd> {
        self.sockets.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// CPU ns of this thread per send. `send` sends to every socket once and says how many bytes
    /// were taken; all are read before it is called again.
    pub fn measure(&mut self, sweeps: usize, send: &mut dyn FnMut() -> usize) -> f64 {
        let mut spent_ns = 0;
        for _ in 0..sweeps {
            let before = thread_cpu_ns();
            self.sent_bytes += send();
            spent_ns += thread_cpu_ns() - before;
            while self.read_bytes.load(Ordering::Acquire) < self.sent_bytes {
                std::thread::yield_now();
            }
        }
        spent_ns as f64 / (sweeps * self.sockets.len()) as f64
    }
}

fn connect(address: SocketAddr) -> mio::net::TcpStream {
    let peer = TcpStream::connect(address).expect("connects");
    peer.set_nonblocking(true).expect("a socket");
    mio::net::TcpStream::from_std(peer)
}

fn drain(mut peers: Vec<mio::net::TcpStream>, read_bytes: &AtomicUsize) {
    let mut poll = Poll::new().expect("epoll");
    for (index, peer) in peers.iter_mut().enumerate() {
        poll.registry().register(peer, Token(index), Interest::READABLE).expect("registers");
    }
    let (mut events, mut bytes) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        poll.poll(&mut events, None).expect("polls");
        for event in &events {
            loop {
                match peers[event.token().0].read(&mut bytes) {
                    // The sender's end has gone: the measurement is over.
                    Ok(0) => return,
                    Ok(n) => read_bytes.fetch_add(n, Ordering::Release),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => return,
                };
            }
        }
    }
}
