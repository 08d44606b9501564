//! `/echo`, at which conformance suites are pointed.
//!
//! Method: messages of every size class, whole and in fragments with pings between, must come
//! back as they went; what is larger than the limit ends the connection.

use crate::harness::{Client, Message, Raw, Server};
use tapecast::wire::client::{Opcode, parse_close};
use tungstenite::Message as Sent;

const LARGEST: usize = 1024 * 1024;

#[test]
fn messages_come_back() {
    let server = Server::start("--echo");
    let mut client = Client::open(connect(&server), "/echo");
    for size in [0, 1, 125, 126, 1_000, 65_535, 65_536, 300_000, LARGEST] {
        let text: String = (0..size).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
        client.send_message(Sent::text(text.clone()));
        assert!(client.next() == Message::Text(text), "a text of {size} bytes");
        let bytes: Vec<u8> = (0..size).map(|at| (at * 7) as u8).collect();
        client.send_message(Sent::binary(bytes.clone()));
        assert!(client.next() == Message::Binary(bytes), "{size} bytes");
    }
    client.close();
    server.stop();
}

fn connect(server: &Server) -> std::net::TcpStream {
    std::net::TcpStream::connect(server.address).expect("listening")
}

/// A masked frame whose first byte is given, so that it may be a fragment.
fn fragment(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    tapecast::wire::client::write_frame(&mut bytes, Opcode::Text, payload, [3, 1, 4, 1]);
    bytes[0] = first;
    bytes
}

#[test]
fn fragments_are_joined_around_a_ping() {
    let server = Server::start("--echo");
    let mut client = Raw::connect(server.address);
    client.upgrade("/echo");
    let piece = vec![b'x'; 200_000];
    client.write(&fragment(0x01, &piece));
    client.write(&fragment(0x89, b"between"));
    client.write(&fragment(0x00, &piece));
    client.write(&fragment(0x80, b"end"));
    assert_eq!(client.frame(), Some((Opcode::Pong, b"between".to_vec())));
    let (opcode, payload) = client.frame().expect("the message");
    assert_eq!((opcode, payload.len()), (Opcode::Text, 400_003));
    assert!(payload.ends_with(b"xend"));
    server.stop();
}

#[test]
fn more_than_the_limit_ends_it() {
    let server = Server::start("--echo");
    let mut client = Raw::connect(server.address);
    client.upgrade("/echo");
    client.write(&fragment(0x82, &vec![0; LARGEST + 1])[..1000]);
    let (frames, _) = client.frames_to_end();
    let close = frames.last().expect("a Close frame");
    assert_eq!((close.0, parse_close(&close.1).0), (Opcode::Close, 1009));
    server.stop();
}
