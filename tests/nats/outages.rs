//! What is missed while NATS or the node is away: read again where a stream has it, else a gap.
//!
//! Method: a real nats-server that is killed, frozen and started again; a node that is frozen, so
//! that what happens meanwhile is certain.

use crate::harness::wait_for;
use crate::node::{Node, Seen, trades_until, whole};
use crate::publisher::{Kept, Publisher};
use crate::server::{NatsServer, Setup};
use std::thread;
use std::time::{Duration, Instant};

/// A node that has seen the first five trades of A.
fn five_trades(nats: &NatsServer, kept: Option<Kept>) -> (Publisher, Node) {
    let publisher = Publisher::start(&nats.url(), "a", "e1", 1, kept);
    publisher.settle();
    let node = Node::follow(nats, "");
    node.server.wait_for_log("epoch e1");
    publisher.trades("A", 1..=5);
    publisher.settle();
    node.wait_for_ticks(5);
    (publisher, node)
}

#[test]
fn what_was_sent_while_the_connection_was_lost_comes_from_the_stream() {
    let mut nats = NatsServer::with_jetstream();
    let (publisher, node) = five_trades(&nats, Some(Kept::All));
    let mut client = node.client();
    node.freeze();
    nats.kill();
    nats.restart();
    publisher.trades("A", 6..=200);
    publisher.quote("Q", 1);
    publisher.settle();
    node.thaw();
    assert_eq!(trades_until(&mut client, "A", 200), whole(6..=200));
    publisher.trades("A", 201..=205);
    assert_eq!(trades_until(&mut client, "A", 205), whole(201..=205));
    assert!(node.count("reconnects") >= 1 && node.count("resyncs") >= 1);
    node.server.stop();
}

#[test]
fn what_the_stream_does_not_keep_is_a_gap() {
    let mut nats = NatsServer::with_jetstream();
    let (publisher, node) = five_trades(&nats, Some(Kept::PerSubject(20)));
    let mut client = node.client();
    node.freeze();
    nats.kill();
    nats.restart();
    publisher.trades("A", 6..=100);
    publisher.settle();
    node.thaw();
    let expected = Seen { trades: (81..=100).collect(), gaps: vec![(Some(6), 80)] };
    assert_eq!(trades_until(&mut client, "A", 100), expected);
}

#[test]
fn without_a_stream_an_outage_is_a_gap() {
    let mut nats = NatsServer::start(Setup::default());
    let (publisher, node) = five_trades(&nats, None);
    let mut client = node.client();
    node.freeze();
    nats.kill();
    nats.restart();
    publisher.trades("A", 6..=50);
    publisher.settle();
    node.thaw();
    wait_for("the connection", || (node.count("reconnects") >= 1).then_some(()));
    publisher.trades("A", 51..=52);
    publisher.settle();
    let seen = trades_until(&mut client, "A", 52);
    assert_eq!(seen.trades.last(), Some(&52));
    assert_eq!(seen.gaps.len(), 1, "{seen:?}");
    let (from, to) = seen.gaps[0];
    assert_eq!((from, to + 1), (Some(6), seen.trades[0]));
}

/// Method: the server gives up a connection that does not take 1 MiB within a second; then the
/// node finds much at once, of which its client may drop some.
#[test]
fn a_node_that_is_too_slow_reads_what_was_dropped() {
    let more = "max_pending: 1048576\nwrite_deadline: \"1s\"\n".to_string();
    let nats = NatsServer::start(Setup { jetstream: true, more });
    let (publisher, node) = five_trades(&nats, Some(Kept::All));
    let mut client = node.client();
    node.freeze();
    publisher.trades("A", 6..=40_000);
    publisher.settle();
    node.thaw();
    assert_eq!(trades_until(&mut client, "A", 40_000), whole(6..=40_000));
    let missed = node.count("reconnects") + node.count("slow_consumer");
    assert!(missed == 0 || node.count("resyncs") > 0, "{}", node.status());
}

#[test]
fn nats_killed_under_load_loses_nothing() {
    let mut nats = NatsServer::with_jetstream();
    let (publisher, node) = five_trades(&nats, Some(Kept::All));
    let mut client = node.client();
    publisher.trades("A", 6..=6_000);
    node.wait_for_ticks(500);
    nats.kill();
    nats.restart();
    assert_eq!(trades_until(&mut client, "A", 6_000), whole(6..=6_000));
    assert!(node.count("reconnects") >= 1, "it was killed too late");
}

#[test]
fn nats_frozen_for_twenty_seconds_is_told_and_loses_nothing() {
    let nats = NatsServer::with_jetstream();
    let (publisher, node) = five_trades(&nats, Some(Kept::All));
    let mut client = node.client();
    nats.freeze();
    let began = Instant::now();
    publisher.trades("A", 6..=400);
    let frozen = |state: &'static str| {
        move |event: &serde_json::Value| event["T"] == "feed" && event["state"] == state
    };
    client.find("that nobody is heard", |event| frozen("stale")(event) || frozen("down")(event));
    thread::sleep(Duration::from_secs(20).saturating_sub(began.elapsed()));
    nats.thaw();
    assert_eq!(trades_until(&mut client, "A", 400), whole(6..=400));
    node.wait_for_state("live");
}

#[test]
fn a_server_that_is_not_there_is_waited_for_and_no_password_is_told() {
    let mut nats = NatsServer::with_jetstream();
    nats.kill();
    let url = format!("nats://me:s3cret@127.0.0.1:{}", nats.port());
    let node = Node::start(&format!("--feed nats:{url} --feed synthetic --shards 1"));
    node.server.wait_for_log("cannot connect to nats://127.0.0.1");
    nats.restart();
    let publisher = Publisher::start(&nats.url(), "a", "e1", 1, Some(Kept::All));
    publisher.trades("MINE", 1..=3);
    node.wait_for_ticks(3);
    assert!(!node.server.log().contains("s3cret"), "{}", node.server.log());
    node.server.stop();
}
