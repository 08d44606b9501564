//! Feeds that publishers bring over TCP, a Unix socket and the admin port.
//!
//! Method: publishers are plain sockets that write lines; what became of these is read from their
//! acks, from a subscriber's events, and from the admin port, and must agree.

mod backpressure;
mod connections;
mod lines;
mod posting;
mod selecting;
mod sockets;

use crate::admin;
use crate::harness::{PATIENCE, Server, wait_for};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A publisher that may ask for acks.
struct Publisher {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Publisher {
    fn connect(address: SocketAddr) -> Publisher {
        let stream = TcpStream::connect(address).expect("the feed listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        let lines = BufReader::new(stream.try_clone().expect("a descriptor"));
        Publisher { stream, lines }
    }

    /// With acks after so many lines; the first, which has come, says so.
    fn with_acks(address: SocketAddr, every: u64) -> Publisher {
        let mut publisher = Publisher::connect(address);
        publisher.send(&format!("{{\"action\":\"acks\",\"every\":{every}}}\n"));
        assert_eq!(publisher.ack()["lines"], 0);
        publisher
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the feed reads");
    }

    /// The next line; `None` at the end of the connection.
    fn line(&mut self) -> Option<Value> {
        let mut text = String::new();
        let count = self.lines.read_line(&mut text).expect("the feed answers");
        (count > 0).then(|| serde_json::from_str(&text).expect("JSON"))
    }

    fn ack(&mut self) -> Value {
        let line = self.line().expect("an ack, not the end");
        assert_eq!(line["T"], "ack", "{line}");
        line
    }

    /// Says that nothing more comes, and gives everything up to the end of the connection.
    fn finish(mut self) -> Vec<Value> {
        self.stream.shutdown(Shutdown::Write).expect("it is open");
        std::iter::from_fn(|| self.line()).collect()
    }
}

/// Where the first feed listens by TCP.
fn tcp_address(server: &Server) -> SocketAddr {
    wait_for("the feed's address in the log", || {
        let log = server.log();
        let (_, rest) = log.split_once("feed listens on tcp:")?;
        rest.split_whitespace().next()?.parse().ok()
    })
}

fn trade(symbol: &str, id: u64) -> String {
    let numbers = format!("\"i\":{id},\"x\":\"P\",\"p\":13.83,\"s\":200");
    format!("{{\"T\":\"t\",\"S\":\"{symbol}\",{numbers},\"t\":\"2013-10-08T13:30:00.012Z\"}}\n")
}

/// `lines`, `records`, `bad`, `refused` and `duplicates`.
fn counts(ack: &Value) -> [u64; 5] {
    ["lines", "records", "bad", "refused", "duplicates"]
        .map(|key| ack[key].as_u64().unwrap_or_else(|| panic!("{key}: {ack}")))
}

/// The feed's counts in `/api/status`.
fn feed(server: &Server, number: usize) -> Value {
    admin::json(server, "/api/status")["feeds"][number].clone()
}
