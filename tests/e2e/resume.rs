//! Coming back: `epoch` and `since`.
//!
//! Method: trades through a pipe, so that the test decides what happens while nobody listens.

use crate::harness::client::is;
use crate::harness::{Client, Server};
use serde_json::{Value, json};
use std::io::Write;
use std::process::ChildStdin;

fn feed(stdin: &mut ChildStdin, ids: std::ops::RangeInclusive<u32>) {
    for id in ids {
        let time = "2013-10-08T13:30:00Z";
        writeln!(stdin, r#"{{"T":"t","S":"A","i":{id},"p":1.5,"s":2,"t":"{time}"}}"#)
            .and_then(|()| {
                writeln!(
                    stdin,
                    r#"{{"T":"q","S":"A","bp":1,"bs":{id},"ap":2,"as":1,"t":"{time}"}}"#
                )
            })
            .expect("the server reads");
    }
    stdin.flush().expect("the server reads");
}

fn sequence(events: &[Value]) -> Vec<u64> {
    let trades = events.iter().filter(|event| is(event, "t", "A"));
    trades.map(|trade| trade["sq"].as_u64().expect("a number")).collect()
}

/// A server whose tape has seen ten trades, and the epoch that a client had.
fn ten_trades(flags: &str) -> (Server, ChildStdin, String) {
    let mut server = Server::with_feed("stdin", flags);
    let mut stdin = server.stdin.take().expect("it is piped");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A");
    feed(&mut stdin, 1..=10);
    let events = client.until("ten quotes", |event| is(event, "q", "A") && event["sq"] == 10);
    assert_eq!(sequence(&events), (1..=10).collect::<Vec<u64>>());
    let epoch = client.epoch.clone();
    client.close();
    (server, stdin, epoch)
}

fn subscribe(client: &mut Client, epoch: &str, since: u64) {
    client.send(json!({
        "action": "subscribe", "trades": ["A"], "quotes": ["A"], "id": "again",
        "epoch": epoch, "since": {"A": {"trades": since, "quotes": since}},
    }));
}

#[test]
fn who_says_what_it_has_gets_exactly_the_rest() {
    let (server, mut stdin, epoch) = ten_trades("");
    feed(&mut stdin, 11..=15);
    let mut witness = Client::connect(server.address, "/v1/stream?symbols=A");
    witness.until("fifteen", |event| is(event, "q", "A") && event["sq"] == 15);
    let mut client = Client::connect(server.address, "/v1/stream");
    subscribe(&mut client, &epoch, 10);
    feed(&mut stdin, 16..=17);
    let events = client.until("the last quote", |e| is(e, "q", "A") && e["sq"] == 17);
    assert_eq!((&events[0]["T"], &events[0]["id"]), (&"subscription".into(), &"again".into()));
    assert_eq!(sequence(&events), (11..=17).collect::<Vec<u64>>());
    assert!(!events.iter().any(|event| event["T"] == "gap"), "{events:?}");
    server.stop();
}

/// Method: the tape holds four; what it has lost since comes as a gap that is known on both ends.
#[test]
fn what_the_tape_has_lost_is_a_gap() {
    let (server, mut stdin, epoch) = ten_trades("--tape-ticks 4");
    feed(&mut stdin, 11..=20);
    let mut witness = Client::connect(server.address, "/v1/stream?symbols=A");
    witness.until("twenty", |event| is(event, "q", "A") && event["sq"] == 20);
    let mut client = Client::connect(server.address, "/v1/stream");
    subscribe(&mut client, &epoch, 10);
    let events = client.until("the last trade", |e| is(e, "t", "A") && e["sq"] == 20);
    let gaps: Vec<&Value> = events.iter().filter(|event| event["T"] == "gap").collect();
    let gap = json!({"T": "gap", "S": "A", "ch": "trades", "from": 11, "to": 16});
    assert_eq!(gaps, [&gap]);
    assert_eq!(sequence(&events), [17, 18, 19, 20]);
    server.stop();
}

/// Method: another epoch, and none: a full snapshot, one gap without `from`, and trades from the
/// next one on. A number that was never given here came from a server that is ahead: no gap, no
/// snapshot.
#[test]
fn numbers_that_do_not_hold_get_a_snapshot_and_a_gap() {
    let (server, mut stdin, epoch) = ten_trades("");
    let claims = [("another", 5), ("", 5)];
    for (next, (claimed, since)) in (11..).zip(claims) {
        let mut client = Client::connect(server.address, "/v1/stream");
        subscribe(&mut client, claimed, since);
        let mut events = client.until("the snapshot", |e| is(e, "q", "A") && e["sn"] == 1);
        feed(&mut stdin, next..=next);
        events.extend(client.until("a trade", |event| is(event, "t", "A")));
        let gaps: Vec<&Value> = events.iter().filter(|event| event["T"] == "gap").collect();
        assert_eq!(gaps.len(), 1, "quotes have none, they have a snapshot: {events:?}");
        assert!(gaps.iter().all(|gap| gap.get("from").is_none()), "{gaps:?}");
        assert_eq!(sequence(&events), [u64::from(next)]);
        client.close();
    }
    let mut client = Client::connect(server.address, "/v1/stream");
    subscribe(&mut client, &epoch, 1_000);
    client.until("the answer", |event| event["T"] == "subscription");
    feed(&mut stdin, 13..=13);
    let events = client.until("a trade", |event| is(event, "t", "A"));
    assert!(events.iter().all(|event| event["T"] != "gap"), "{events:?}");
    assert_eq!(sequence(&events), [13]);
    client.close();
    server.stop();
}
