//! How a server stops.
//!
//! Method: clients that stream, a signal, and what each of them sees until its end.

use crate::harness::{Client, Message, Server, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 20;

/// One client's last words from the server.
struct End {
    /// From the signal to the Close frame.
    after: Duration,
    in_ms: u64,
    code: u16,
    reason: Value,
}

fn end_of(mut client: Client, signalled: Instant) -> End {
    let mut in_ms = None;
    loop {
        match client.next() {
            Message::Text(text) => {
                let events: Vec<Value> = serde_json::from_str(&text).expect("an array");
                if let Some(event) = events.iter().find(|event| event["T"] == "shutdown") {
                    assert!(event["retry_ms"].is_u64(), "{event}");
                    in_ms = event["in_ms"].as_u64();
                }
            }
            Message::Closed(code, reason) => {
                let reason = serde_json::from_str(&reason).expect("the hint is JSON");
                let in_ms = in_ms.expect("a shutdown message came before");
                return End { after: signalled.elapsed(), in_ms, code, reason };
            }
            Message::Ping | Message::Pong => {}
            other => panic!("{other:?} in place of a Close"),
        }
    }
}

/// Method: the closes must lie apart as far as the drain's time asks, and none may come before
/// the time that its client was told. How late they come is not judged.
#[test]
fn a_stop_says_so_and_closes_one_by_one() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start("--drain-seconds 3 --shards 2");
        let connect = |_| Client::connect(server.address, "/v1/stream?symbols=TEST.A");
        let clients: Vec<Client> = (0..CLIENTS).map(connect).collect();
        let signalled = Instant::now();
        server.signal(signal);
        let address = server.address;
        let threads: Vec<_> =
            clients.into_iter().map(|c| thread::spawn(move || end_of(c, signalled))).collect();
        wait_for("new connections are refused", || {
            let error = TcpStream::connect(address).err()?;
            (error.kind() == ErrorKind::ConnectionRefused).then_some(())
        });
        assert!(!server.has_exited(), "the drain takes its time");
        let mut ends: Vec<End> =
            threads.into_iter().map(|t| t.join().expect("each is closed")).collect();
        assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());
        ends.sort_by_key(|end| end.after);
        for end in &ends {
            assert_eq!(end.code, 1012);
            assert!(end.reason["retry_ms"].is_u64() && end.reason["jitter_ms"].is_u64());
            let told = Duration::from_millis(end.in_ms);
            assert!(end.after + Duration::from_millis(20) >= told, "closed before its time");
        }
        let spread = ends[CLIENTS - 1].after - ends[0].after;
        assert!(spread >= Duration::from_millis(1_500), "all within {spread:?}");
        let distinct: std::collections::BTreeSet<u64> = ends.iter().map(|end| end.in_ms).collect();
        assert!(distinct.len() >= CLIENTS / 2, "spread evenly on each shard: {distinct:?}");
    }
}

/// Method: a drain that would take ten minutes, and a client that never answers.
#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start("--drain-seconds 600");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=TEST.A");
    server.signal(Signal::TERM);
    let shutdown = client.find("the shutdown message", |event| event["T"] == "shutdown");
    assert!(shutdown["in_ms"].as_u64().expect("a number") <= 600_000);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(1));
    assert!(matches!(client.rest().last(), Some(Message::Lost(_) | Message::Closed(..))));
}

/// Method: clients that answer no Close, and one in the middle of its upgrade.
#[test]
fn nobody_holds_up_a_stop() {
    use crate::harness::{Raw, raw};
    let mut server = Server::start("--drain-seconds 1");
    let mut silent = Raw::connect(server.address);
    silent.upgrade("/v1/stream?symbols=*");
    let mut half = Raw::connect(server.address);
    half.write(&raw::request("/v1/stream").as_bytes()[..40]);
    // One more round trip, after which the server has seen the bytes before.
    Client::connect(server.address, "/v1/stream").close();
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());
    let answer = String::from_utf8(half.until_end()).expect("ASCII");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: "),
        "{answer}"
    );
}

#[test]
fn a_server_without_clients_stops_at_once() {
    Server::start("--drain-seconds 600").stop();
}
