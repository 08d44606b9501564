//! A publisher that is faster than the feed.

use super::{Publisher, counts, tcp_address, trade};
use crate::harness::{Client, Server, alone};
use serde_json::Value;
use std::thread;

const LINES: u64 = 600_000;

/// The most that the process has held so far, in KiB.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// Trades that came, and how many a `gap` says will not.
#[derive(Default)]
struct Tape {
    next: u64,
    trades: u64,
    lost: u64,
}

impl Tape {
    fn take(&mut self, event: &Value) {
        if event["T"] == "gap" {
            let to = event["to"].as_u64().expect("its end");
            assert!(to >= self.next, "{event} after {}", self.next);
            self.lost += to + 1 - self.next;
            self.next = to + 1;
        }
        if event["T"] == "t" {
            assert_eq!(event["sq"], self.next, "a hole that nobody announced");
            (self.next, self.trades) = (self.next + 1, self.trades + 1);
        }
    }
}

/// Method: trades as fast as a socket takes them; the process's peak stays near what it was, every
/// line is counted, and a subscriber gets each trade or a `gap` that covers it.
#[test]
fn a_publisher_that_outpaces_the_feed_is_held_up_by_tcp() {
    let _alone = alone();
    let server = Server::with_feed("tcp:127.0.0.1:0", "--shards 1");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&channels=trades");
    let mut publisher = Publisher::with_acks(tcp_address(&server), 10_000);
    let before_kib = peak_kib(&server);
    let publishing = thread::spawn(move || {
        let text: String = (0..1_000).map(|at| trade("A", at)).collect();
        for _ in 0..LINES / 1_000 {
            publisher.send(&text);
        }
        publisher.finish()
    });
    let mut tape = Tape { next: 1, ..Tape::default() };
    while tape.next <= LINES {
        client.events().iter().for_each(|event| tape.take(event));
    }
    assert_eq!((tape.trades + tape.lost, tape.next), (LINES, LINES + 1));
    let told = publishing.join().expect("its thread ends in order");
    assert_eq!(counts(told.last().expect("an ack")), [LINES, LINES, 0, 0, 0]);
    // The text is 60 MB. The inlet and the tape are there from the start, but not yet touched.
    let grown_kib = peak_kib(&server) - before_kib;
    assert!(grown_kib < 40 * 1024, "{grown_kib} KiB more than before");
    server.stop();
}
