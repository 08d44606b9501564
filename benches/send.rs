//! CPU of the sending thread per send to loopback sockets: the ring's `send_now` in chunks against
//! a bare loop of send(2). Another thread, on another core, reads what is sent. Interleaved, since
//! a machine's speed drifts. `cargo bench --bench send`; without `--bench` it runs a small mode.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mio::{Events, Interest, Poll, Token};
use tapecast::config::SocketOptions;
use tapecast::limits::SENDS_PER_CHUNK;
use tapecast::shard::{RingSettings, SendNow, SocketRing, listen};

const PAYLOAD_BYTES: usize = 5_500;
const REPETITIONS: usize = 5;

struct Served {
    sockets: Vec<TcpStream>,
    read_bytes: Arc<AtomicUsize>,
    sent_bytes: usize,
}

fn main() {
    let small = !std::env::args().any(|argument| argument == "--bench");
    let (sockets, rounds) = if small { (50, 2) } else { (2_000, 20) };
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.first().map(|core| core_affinity::set_for_current(*core));
    let mut served = Served::connect(sockets, cores.last().copied());
    // SAFETY: no pointer is passed.
    let bell = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    let mut ring = SocketRing::new(RingSettings::default(), bell).expect("io_uring");
    let payload = vec![b'x'; PAYLOAD_BYTES];
    let chunks = [SENDS_PER_CHUNK / 4, SENDS_PER_CHUNK];
    // The first sends to a socket find its buffers and its window small.
    served.measure(rounds, |fds| send_plainly(fds, &payload));
    for repetition in 0..REPETITIONS {
        let plain = served.measure(rounds, |fds| send_plainly(fds, &payload));
        print!("{repetition}: send(2) {plain:.0} ns");
        for chunk in chunks {
            let batched =
                served.measure(rounds, |fds| send_batched(&mut ring, fds, &payload, chunk));
            print!(", by {chunk} {batched:.0} ns ({:.3})", batched / plain);
        }
        println!();
    }
}

impl Served {
    fn connect(count: usize, core: Option<core_affinity::CoreId>) -> Served {
        let address = "127.0.0.1:0".parse().expect("an address");
        let options = SocketOptions::default();
        let listener = listen(address, 1, &options).expect("listens").remove(0);
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().expect("bound");
        let mut peers = Vec::new();
        let sockets = (0..count)
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
        Served { sockets, read_bytes, sent_bytes: 0 }
    }

    /// CPU ns of this thread per send.
    fn measure(&mut self, rounds: usize, mut send: impl FnMut(&[RawFd]) -> usize) -> f64 {
        let fds: Vec<RawFd> = self.sockets.iter().map(AsRawFd::as_raw_fd).collect();
        let mut spent_ns = 0;
        for _ in 0..rounds {
            let before = thread_cpu_ns();
            self.sent_bytes += send(&fds);
            spent_ns += thread_cpu_ns() - before;
            while self.read_bytes.load(Ordering::Acquire) < self.sent_bytes {
                std::thread::yield_now();
            }
        }
        spent_ns as f64 / (rounds * fds.len()) as f64
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
                    // The server's end has gone: the measurement is over.
                    Ok(0) => return,
                    Ok(n) => read_bytes.fetch_add(n, Ordering::Release),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => return,
                };
            }
        }
    }
}

fn send_plainly(fds: &[RawFd], payload: &[u8]) -> usize {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    fds.iter()
        .map(|fd| {
            // SAFETY: the payload is valid for its length.
            let sent = unsafe { libc::send(*fd, payload.as_ptr().cast(), payload.len(), flags) };
            usize::try_from(sent).expect("a drained socket takes it")
        })
        .sum()
}

fn send_batched(ring: &mut SocketRing, fds: &[RawFd], payload: &[u8], chunk: usize) -> usize {
    let (mut sends, mut results, mut sum) = (Vec::new(), Vec::new(), 0);
    for fds in fds.chunks(chunk) {
        sends.clear();
        sends.extend(fds.iter().map(|fd| SendNow { fd: *fd, start: 0, end: payload.len() }));
        ring.send_now(&sends, payload, &mut results);
        let taken = results.iter().map(|n| usize::try_from(*n).expect("a drained socket takes it"));
        sum += taken.sum::<usize>();
    }
    sum
}

fn thread_cpu_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
