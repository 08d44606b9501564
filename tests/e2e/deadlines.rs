//! Peers that keep a connection and not their side of the bargain.
//!
//! Method: a server with short deadlines, and sockets whose every byte the test decides. That a
//! connection ends is waited for; that it does not is shown by traffic that spans many deadlines.

use crate::harness::{Client, Message, Raw, Server, kernel, raw, wait_for};
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};
use tapecast::wire::client::{Opcode, parse_close};

#[test]
fn a_handshake_that_does_not_come_is_ended() {
    let server = Server::start("--handshake-ms 400");
    let mut silent = Raw::connect(server.address);
    assert_eq!(silent.until_end(), b"", "nothing was asked, so nothing is answered");
    let mut half = Raw::connect(server.address);
    half.write(&raw::request("/v1/stream").as_bytes()[..60]);
    half.until_end();
    server.stop();
}

/// Method: at ten bytes a second the request would take twenty seconds; the end must come before
/// it is whole, so bytes do not move the deadline.
#[test]
fn a_handshake_byte_by_byte_is_ended() {
    let server = Server::start("--handshake-ms 400");
    let mut slow = Raw::connect(server.address);
    slow.stream.set_nonblocking(false).expect("a TCP socket");
    let request = raw::request("/v1/stream?symbols=*");
    let mut sent = 0;
    for byte in request.as_bytes() {
        if slow.stream.write_all(&[*byte]).is_err() {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(sent < request.len(), "the whole request was taken");
    server.stop();
}

#[test]
fn a_handshake_byte_by_byte_in_time_is_served() {
    let server = Server::start("--handshake-ms 60000");
    let mut client = Raw::connect(server.address);
    for byte in raw::request("/v1/stream").as_bytes() {
        client.write(&[*byte]);
    }
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    let (opcode, payload) = client.frame().expect("the connected message");
    let text = String::from_utf8(payload).expect("UTF-8");
    assert!(opcode == Opcode::Text && text.contains(r#""msg":"connected""#), "{text}");
    server.stop();
}

#[test]
fn who_does_not_pong_is_dropped() {
    let server = Server::start("--ping-ms 200 --pong-ms 300");
    let mut mute = Raw::connect(server.address);
    mute.upgrade("/v1/stream");
    let (frames, _) = mute.frames_to_end();
    assert_eq!(frames.first().map(|frame| frame.0), Some(Opcode::Text), "connected");
    let pings = frames.iter().filter(|frame| frame.0 == Opcode::Ping).count();
    assert_eq!(pings, 1, "one ping, and no answer to it: {frames:?}");
    wait_for("its socket is gone", || (kernel::sockets(&server).count == 0).then_some(()));
    server.stop();
}

/// Method: twenty pings answered are many times the deadline of one.
#[test]
fn who_pongs_stays() {
    let server = Server::start("--ping-ms 100 --pong-ms 1000");
    let mut client = Client::connect(server.address, "/v1/stream");
    let mut pings = 0;
    while pings < 20 {
        match client.next() {
            Message::Ping => pings += 1,
            other => panic!("{other:?} after {pings} pings"),
        }
    }
    client.send(json!({"action": "ping", "id": "here"}));
    let pong = client.find("the answer", |event| event["T"] == "pong");
    assert_eq!(pong["id"], "here");
    client.close();
    server.stop();
}

/// Method: a client with a small window reads nothing of a fast feed; one beside it, which reads,
/// stays for longer than the deadline.
#[test]
fn who_takes_no_byte_is_dropped() {
    let flags = "--feed synthetic:rate=50000 --write-stall-ms 500 --user-timeout-ms 3600000";
    let server = Server::start(flags);
    let mut reading = Client::connect(server.address, "/v1/stream?symbols=TEST.A&max_hz=10");
    let mut stuck = Raw::connect_small(server.address, 4096);
    stuck.upgrade("/v1/stream?symbols=*");
    let deadline = Instant::now() + crate::harness::PATIENCE;
    while kernel::sockets(&server).count > 1 {
        assert!(Instant::now() < deadline, "it still holds its socket");
        reading.events();
    }
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(1) {
        reading.events();
    }
    reading.close();
    server.stop();
}

/// Method: the client says Close, gets the answer, and then neither ends nor reads.
#[test]
fn who_says_close_and_stays_is_let_go() {
    let server = Server::start("--close-ms 300");
    let before = kernel::descriptors(&server);
    let mut client = Raw::connect(server.address);
    client.upgrade("/v1/stream");
    wait_for("its descriptor", || (kernel::descriptors(&server) > before).then_some(()));
    client.send(Opcode::Close, &[0x03, 0xe8]);
    let (opcode, payload) = loop {
        let frame = client.frame().expect("the answer to our Close");
        if frame.0 != Opcode::Text {
            break frame;
        }
    };
    assert_eq!((opcode, parse_close(&payload)), (Opcode::Close, (1000, "")));
    wait_for("its descriptor goes", || (kernel::descriptors(&server) <= before).then_some(()));
    server.stop();
}

/// Method: bytes that break the protocol get their close code, and then nothing.
#[test]
fn what_breaks_the_protocol_is_closed_with_its_code() {
    let server = Server::start("--close-ms 300");
    let oversized = vec![b' '; 300 * 1024];
    let cases: [(Opcode, &[u8], u16); 3] = [
        (Opcode::Text, b"\xff\xfe", 1007),
        (Opcode::Text, &oversized, 1009),
        (Opcode::Close, &[0x03], 1002),
    ];
    for (opcode, payload, code) in cases {
        let mut client = Raw::connect(server.address);
        client.upgrade("/v1/stream");
        // Of what is too large the server reads only the beginning, and may end before the rest.
        let mut bytes = Vec::new();
        tapecast::wire::client::write_frame(&mut bytes, opcode, payload, [9, 8, 7, 6]);
        let _ = client.stream.write_all(&bytes);
        let (frames, _) = client.frames_to_end();
        let last = frames.last().expect("connected at least");
        assert_eq!((last.0, parse_close(&last.1).0), (Opcode::Close, code), "{frames:?}");
    }
    server.stop();
}
