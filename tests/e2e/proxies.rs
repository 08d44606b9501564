//! The server behind nginx and HAProxy with the configurations of `tuning/`.
//!
//! Method: the programs from Debian with the shipped files, in which addresses, paths and the idle
//! timeout are replaced. Clients come from several addresses of the loopback network.

use crate::harness::client::is;
use crate::harness::proxy::{IDLE_S, Kind, Proxy};
use crate::harness::raw::request;
use crate::harness::{Client, Message, PATIENCE, Raw, Server, wait_for};
use rustix::process::Signal;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Neither loopback's exemption nor a second shard's share is in the way.
const TWO_AN_ADDRESS: &str = "--shards 1 --exempt-loopback false --max-per-address 2";

fn server(kind: Kind, flags: &str) -> Server {
    Server::start(&format!("--drain-seconds 0 {} {flags}", kind.flags()))
}

fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("descriptors are left");
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("all of 127/8 is this machine");
    socket.connect(&to.into()).expect("listening");
    socket.into()
}

/// Upgrades from this address; the connection, and the first line of the answer.
fn upgrade_from(from: Ipv4Addr, to: SocketAddr, headers: &str) -> (Raw, String) {
    let mut raw = Raw { stream: connect_from(from, to), bytes: Vec::new() };
    let request = request("/v1/stream").replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
    raw.write(request.as_bytes());
    let head = raw.head();
    (raw, head.lines().next().expect("a line").to_string())
}

fn is_granted(line: &str) -> bool {
    line.starts_with("HTTP/1.1 101")
}

/// Method: two clients of one address are served, the third gets 429, and one of another address
/// is served. A client's own header moves nothing. Once one has left, there is room again.
#[test]
fn the_limit_of_an_address_is_the_clients_and_not_the_proxys() {
    for kind in Kind::ALL {
        let server = server(kind, TWO_AN_ADDRESS);
        let proxy = Proxy::start(kind, server.address);
        let lie = "X-Forwarded-For: 127.0.0.9\r\nForwarded: for=127.0.0.9\r\n";
        let (one, first) = upgrade_from(FIRST, proxy.address, lie);
        let (_two, second) = upgrade_from(FIRST, proxy.address, "");
        let (_, third) = upgrade_from(FIRST, proxy.address, lie);
        let (_four, other) = upgrade_from(SECOND, proxy.address, "");
        assert!(is_granted(&first) && is_granted(&second) && is_granted(&other), "{kind:?}");
        assert!(third.starts_with("HTTP/1.1 429 "), "{kind:?}: {third}");
        server.wait_for_log("address_full");
        assert!(server.log().contains("127.0.0.2"), "{kind:?}: {}", server.log());
        drop(one);
        wait_for("room for the first address", || {
            is_granted(&upgrade_from(FIRST, proxy.address, "").1).then_some(())
        });
        drop(proxy);
        server.stop();
    }
}

/// Method: as a proxy, three connects of one client; the third is refused, and its line of the log
/// names it only where that is wanted.
#[test]
fn a_client_behind_a_proxy_is_named_in_the_log_only_where_that_is_wanted() {
    for (is_wanted, flags) in [(true, ""), (false, " --log-addresses false")] {
        let server = server(Kind::Nginx, &format!("{TWO_AN_ADDRESS}{flags}"));
        let header = "X-Forwarded-For: 127.0.0.77\r\n";
        let answers = [(); 3].map(|()| upgrade_from(Ipv4Addr::LOCALHOST, server.address, header));
        assert!(answers[2].1.starts_with("HTTP/1.1 429 "), "{}", answers[2].1);
        server.wait_for_log("address_full");
        assert_eq!(server.log().contains("127.0.0.77"), is_wanted, "{}", server.log());
        server.stop();
    }
}

/// Method: clients that come past the proxy name somebody else, and a proxy that says nothing.
#[test]
fn who_comes_past_the_proxy_is_not_believed() {
    let server = server(Kind::Nginx, TWO_AN_ADDRESS);
    let lies = [2, 3, 4].map(|last| format!("X-Forwarded-For: 127.0.0.{last}\r\n"));
    let answers = lies.map(|lie| upgrade_from(Ipv4Addr::new(127, 0, 0, 9), server.address, &lie));
    let lines = answers.each_ref().map(|(_, line)| &line[9..12]);
    assert_eq!(lines, ["101", "101", "429"]);
    drop(answers);
    server.stop();

    let server = self::server(Kind::Haproxy, TWO_AN_ADDRESS);
    let (_, line) = upgrade_from(FIRST, server.address, "");
    assert!(line.starts_with("HTTP/1.1 403 "), "{line}");
    let mut mute = connect_from(Ipv4Addr::LOCALHOST, server.address);
    mute.write_all(request("/v1/stream").as_bytes()).expect("listening");
    let mut mute = Raw { stream: mute, bytes: Vec::new() };
    while mute.read(PATIENCE).unwrap_or(false) {}
    assert!(mute.bytes.is_empty(), "it is cut without an answer");
    server.wait_for_log("bad_proxy_header");
    let log = server.log();
    let cut = log.lines().find(|line| line.contains("bad_proxy_header")).expect("it is there");
    assert!(cut.contains("connection cut"), "told as what it is counted as: {cut}");
    assert!(server.log().contains("not_through_proxy"), "{}", server.log());
    server.stop();
}

/// Method: the proxy's idle timeout is six seconds and the feed is mute; pings come faster. The
/// client is there after more than twice the timeout, and then gets what it subscribes to.
#[test]
fn a_mute_stream_outlives_the_proxys_idle_timeout_by_pings() {
    std::thread::scope(|scope| {
        for kind in Kind::ALL {
            scope.spawn(move || outlives_the_idle_timeout(kind));
        }
    });
}

fn outlives_the_idle_timeout(kind: Kind) {
    // The next ping comes when the time for the last one's answer is over.
    let mut server = server(kind, "--feed stdin --ping-ms 500 --pong-ms 2000");
    let proxy = Proxy::start(kind, server.address);
    let stream = connect_from(FIRST, proxy.address);
    let mut client = Client::open(stream, "/v1/stream?symbols=SPY&channels=trades");
    let (begin, mut pings) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(2 * IDLE_S + 1) {
        match client.next_within(Duration::from_millis(100)) {
            Some(Message::Ping) => pings += 1,
            Some(end @ (Message::Closed(..) | Message::Lost(_))) => {
                panic!("{kind:?}: {end:?} after {:?} and {pings} pings", begin.elapsed())
            }
            _ => {}
        }
    }
    assert!(pings > 0, "{kind:?}");
    let line = json!({"T": "t", "S": "SPY", "i": 1, "x": "P", "p": 1.5, "s": 2,
        "t": "2026-11-20T13:46:21.414Z"});
    let stdin = server.stdin.as_mut().expect("it is piped");
    writeln!(stdin, "{line}").expect("the feed reads");
    client.find("the trade", |event| is(event, "t", "SPY"));
    drop(proxy);
    server.stop();
}

/// Method: the server stops in order, and its close code comes through; another is killed, and
/// the client sees the end of its connection, as does who comes then.
#[test]
fn close_codes_come_through_and_a_killed_server_is_an_end() {
    for kind in Kind::ALL {
        let mut server = server(kind, "");
        let proxy = Proxy::start(kind, server.address);
        let mut client = Client::connect_through(connect_from(FIRST, proxy.address));
        server.signal(Signal::TERM);
        let end = client.rest().pop().expect("the end is the last");
        assert!(matches!(end, Message::Closed(1012, _)), "{kind:?}: {end:?}");
        assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());

        let server = self::server(kind, "");
        let proxy = Proxy::start(kind, server.address);
        let mut client = Client::connect_through(connect_from(FIRST, proxy.address));
        drop(server); // kills it
        let end = client.rest().pop().expect("the end is the last");
        assert!(matches!(end, Message::Lost(_)), "{kind:?}: {end:?}");
        let mut raw = Raw { stream: connect_from(FIRST, proxy.address), bytes: Vec::new() };
        // The variant without HTTP may have ended the connection already.
        let _ = raw.stream.write_all(request("/v1/stream").as_bytes());
        let answer = match kind {
            Kind::NginxStream => {
                while raw.read(PATIENCE).unwrap_or(false) {}
                String::from_utf8_lossy(&raw.bytes).into_owned()
            }
            Kind::Nginx | Kind::Haproxy => raw.head(),
        };
        let is_clean = match kind {
            Kind::NginxStream => answer.is_empty(),
            Kind::Nginx => answer.starts_with("HTTP/1.1 502 "),
            Kind::Haproxy => answer.starts_with("HTTP/1.1 503 "),
        };
        assert!(is_clean, "{kind:?}: {answer}");
        drop(proxy);
    }
}
