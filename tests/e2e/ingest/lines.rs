//! Two lines of one sequence, as an exchange's redundant lines are.

use super::{Publisher, counts, feed, trade};
use crate::harness::client::is;
use crate::harness::{Client, Server, wait_for};
use std::net::SocketAddr;

const EPOCH: &str = "{\"T\":\"epoch\",\"epoch\":\"day-1\"}\n";

/// Where the two feeds listen, in their order.
fn addresses(server: &Server) -> [SocketAddr; 2] {
    wait_for("both addresses in the log", || {
        let log = server.log();
        let mut all = log.split("feed listens on tcp:").skip(1);
        let mut next = || all.next()?.split_whitespace().next()?.parse().ok();
        Some([next()?, next()?])
    })
}

fn numbered(sq: u64) -> String {
    trade("A", sq).replace("\"i\":", &format!("\"sq\":{sq},\"i\":"))
}

/// Method: B gives what A leaves out and what A gave; a subscriber sees each number once, in order,
/// and each publisher's acks say what became of its own lines. Then both begin a new epoch.
#[test]
fn the_first_of_two_lines_wins_and_each_fills_the_other_ones_holes() {
    let line = "tcp:127.0.0.1:0,line=itch";
    let server = Server::with_feed(line, &format!("--feed {line}"));
    let [a, b] = addresses(&server);
    let (mut a, mut b) = (Publisher::with_acks(a, 1_000), Publisher::with_acks(b, 1_000));
    a.send(&format!("{EPOCH}{}{}", numbered(1), numbered(2)));
    assert_eq!(counts(&a.ack()), [2, 2, 0, 0, 0]);
    b.send(&format!("{EPOCH}{}", numbered(2)));
    assert_eq!(counts(&b.ack()), [1, 0, 0, 0, 1], "A gave it");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&channels=trades");
    assert!(client.epoch.contains("day-1"), "{}", client.epoch);
    a.send(&(numbered(3) + &numbered(5)));
    assert_eq!(counts(&a.ack()), [4, 4, 0, 0, 0]);
    b.send(&(numbered(4) + &numbered(5) + &trade("A", 6)));
    let error = b.line().expect("an error");
    assert!(error["msg"].as_str().is_some_and(|msg| msg.contains("sq")), "{error}");
    assert_eq!(counts(&b.ack()), [4, 1, 0, 1, 2]);
    let got = client.until("the last", |event| is(event, "t", "A") && event["sq"] == 5);
    assert!(got.iter().all(|event| event["T"] != "gap"), "{got:?}");
    let numbers = got.iter().filter(|event| is(event, "t", "A")).map(|e| e["sq"].as_u64());
    assert_eq!(numbers.collect::<Vec<_>>(), [Some(3), Some(4), Some(5)]);
    assert_eq!(feed(&server, 1)["refused"], 1);
    let next = EPOCH.replace("day-1", "day-2");
    a.send(&format!("{next}{}", numbered(1)));
    b.send(&format!("{next}{}", numbered(1)));
    let epoch = client.find("the new epoch", |event| event["T"] == "epoch");
    assert!(epoch["epoch"].as_str().is_some_and(|name| name.contains("day-2")), "{epoch}");
    client.find("its first number", |event| is(event, "t", "A") && event["sq"] == 1);
    server.stop();
}
