//! What the shards estimate of the kernel's memory, compared with what the kernel says.

use crate::harness::{Sockets, alone, wait_for};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;
use tapecast::config::Settings;
use tapecast::hub::HubSettings;
use tapecast::server::Server;

const STUCK: u64 = 300;
const READERS: u64 = 100;

/// The estimate may be off by this factor, either way.
const FACTOR: f64 = 1.5;

/// Method: in a network namespace of its own, so that every socket is the test's; the server runs
/// in this process, where its gauges can be read. `/proc/net/sockstat` counts the pages of all
/// namespaces, so it is compared by what it grew, at its calmest moment.
#[test]
fn the_estimate_is_near_what_the_kernel_says() {
    let _alone = alone();
    let test = std::env::current_exe().expect("it runs");
    let script = "ip link set lo up && exec \"$0\" kernel::inside --exact --ignored --nocapture";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", script]).arg(test);
    let output = command.output().expect("unshare is part of util-linux");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if text.contains("unshare failed") {
        eprintln!("NOTE: no network namespaces here; the estimate is not compared: {text}");
        return;
    }
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    print!("{text}");
}

#[test]
#[ignore = "the test above runs it in a network namespace"]
fn inside() {
    let before = tcp_bytes();
    let settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        shards: Some(1),
        feeds: vec!["synthetic:symbols=200,rate=3000".to_string()],
        hub: HubSettings { write_stall_ms: 600_000, ..HubSettings::default() },
        ..Settings::default()
    };
    let server = Server::start(&settings).expect("it starts");
    let connect = |rcvbuf| subscribe(server.address, rcvbuf);
    let _stuck: Vec<TcpStream> = (0..STUCK).map(|_| connect(8_192)).collect();
    for _ in 0..READERS {
        let reader = connect(65_536);
        thread::spawn(move || drain(reader));
    }
    let address = server.address.to_string();
    let gauges = server.shards[0].counters.overload();
    wait_for("full sockets", || (gauges.buffer_bytes() > STUCK * 40_000).then_some(()));
    // The means of the samples settle in the first second.
    thread::sleep(Duration::from_secs(2));
    let mut nearest = f64::MAX;
    for _ in 0..20 {
        let (estimate, exact) = (gauges.buffer_bytes() as f64, Sockets::of(&address));
        assert_eq!(exact.count, STUCK + READERS);
        let ratio = estimate / exact.buffer_bytes as f64;
        assert!((1.0 / FACTOR..FACTOR).contains(&ratio), "{ratio} times the sockets' {exact:?}");
        let peers = Sockets::peers_of(&address).buffer_bytes;
        let grown = tcp_bytes().saturating_sub(before + peers) as f64;
        let ratio = (estimate / grown).max(grown / estimate);
        nearest = nearest.min(ratio);
        thread::sleep(Duration::from_millis(50));
    }
    let sockets = Sockets::of(&address).buffer_bytes;
    println!(
        "estimate {} KiB, by socket {} KiB, by sockstat within a factor of {nearest:.2}",
        gauges.buffer_bytes() / 1024,
        sockets / 1024
    );
    assert!(nearest < FACTOR, "sockstat: off by {nearest}");
}

/// `mem` of the TCP line, in bytes.
fn tcp_bytes() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").expect("proc is mounted");
    let line = text.lines().find(|line| line.starts_with("TCP:")).expect("a TCP line");
    let pages: u64 = line.rsplit(' ').next().expect("a word").parse().expect("a number");
    pages * rustix::param::page_size() as u64
}

/// A client of all quotes and trades that has sent its upgrade and has read nothing.
pub fn subscribe(address: SocketAddr, rcvbuf: usize) -> TcpStream {
    subscribe_to(address, rcvbuf, "*")
}

pub fn subscribe_to(address: SocketAddr, rcvbuf: usize, symbols: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(rcvbuf).expect("before the connect");
    socket.connect(&SockAddr::from(address)).expect("it listens");
    let mut stream = TcpStream::from(socket);
    let request = format!(
        "GET /v1/stream?symbols={symbols} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("room");
    stream
}

fn drain(mut stream: TcpStream) {
    let mut bytes = vec![0; 65_536];
    while stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
}
