//! A node and its publisher: history at the start, holes, terms and epochs.
//!
//! Method: a real nats-server and a publisher of the test's own, which says how numbers go on; a
//! client of the node sees what came of it.

use crate::harness::client::is;
use crate::node::{Node, Seen, seen, trades_until, whole};
use crate::publisher::{Kept, Publisher};
use crate::server::{NatsServer, Setup};
use tapecast::feed::nats::PublisherState;

#[test]
fn a_node_that_comes_later_has_the_latest_and_the_tape() {
    let nats = NatsServer::with_jetstream();
    let publisher = Publisher::start(&nats.url(), "a", "e1", 1, Some(Kept::All));
    publisher.trades("BRK.B", 1..=300);
    publisher.quote("A", 7);
    publisher.quote("A", 9);
    publisher.bar("C", 2);
    publisher.settle();
    let node = Node::follow(&nats, "");
    node.wait_for_ticks(302);
    let mut client = node.client();
    assert_eq!(client.epoch, "e1");
    let events = client.until("the bar", |event| is(event, "b", "C"));
    let quotes: Vec<_> = events.iter().filter(|event| is(event, "q", "A")).collect();
    assert_eq!((quotes.len(), &quotes[0]["sq"]), (1, &9.into()), "{events:?}");
    publisher.trades("BRK.B", 301..=310);
    assert_eq!(trades_until(&mut client, "BRK.B", 310), whole(301..=310));
    let mut back = node.resume("BRK.B", "e1", 120);
    assert_eq!(trades_until(&mut back, "BRK.B", 310), whole(121..=310));
    assert!(node.count("history_messages") >= 302);
    assert_eq!(node.count("resyncs"), 0, "nothing was missed");
    node.server.stop();
}

#[test]
fn the_tape_is_filled_with_what_it_can_hold_of_a_longer_stream() {
    let nats = NatsServer::with_jetstream();
    let publisher = Publisher::start(&nats.url(), "a", "e1", 1, Some(Kept::All));
    for number in 1..=1_500 {
        publisher.quote("Q", number);
        publisher.trades("A", number..=number);
    }
    publisher.settle();
    let node = Node::follow(&nats, "--tape-ticks 500");
    node.wait_for_ticks(250);
    // Who has the newest has come behind all of the history.
    let mut witness = node.client();
    publisher.trades("A", 1_501..=1_501);
    trades_until(&mut witness, "A", 1_501);
    let mut client = node.resume("A", "e1", 1_400);
    assert_eq!(trades_until(&mut client, "A", 1_501), whole(1_401..=1_501));
    assert!(node.count("history_messages") <= 501);
}

#[test]
fn without_a_stream_a_hole_is_a_gap_at_once() {
    let nats = NatsServer::start(Setup::default());
    let publisher = Publisher::start(&nats.url(), "a", "e1", 1, None);
    publisher.settle();
    let node = Node::follow(&nats, "");
    node.server.wait_for_log("no stream of JetStream");
    publisher.trades("A", 5..=6);
    node.wait_for_ticks(2);
    let mut client = node.client();
    publisher.trades("A", 10..=11);
    let expected = Seen { trades: vec![10, 11], gaps: vec![(Some(7), 9)] };
    assert_eq!(trades_until(&mut client, "A", 11), expected);
    node.server.stop();
}

#[test]
fn who_was_succeeded_is_not_heard() {
    let nats = NatsServer::with_jetstream();
    let publisher = Publisher::start(&nats.url(), "a", "e1", 5, Some(Kept::All));
    publisher.trades("A", 1..=2);
    publisher.settle();
    let node = Node::follow(&nats, "");
    node.wait_for_ticks(2);
    let mut client = node.client();
    let zombie = Publisher::start(&nats.url(), "z", "e1", 4, Some(Kept::All));
    zombie.trades("A", 3..=4);
    zombie.quote("A", 1);
    zombie.settle();
    publisher.trades("A", 3..=5);
    publisher.quote("A", 2);
    let events = client.until("the quote", |event| is(event, "q", "A"));
    assert_eq!(seen(&events, "A"), whole(3..=5));
    assert!(events.iter().all(|event| event["T"] != "q" || event["sq"] == 2), "{events:?}");
    assert_eq!(node.count("dropped_by_term"), 3);
    // One who comes now reads the same from the stream.
    let later = Node::follow(&nats, "");
    later.wait_for_ticks(6);
    assert_eq!(later.count("dropped_by_term"), 2, "the quote was not the last of its subject");
    // A new term is heard at once.
    zombie.set_term(6);
    zombie.trades("A", 6..=7);
    assert_eq!(trades_until(&mut client, "A", 7), whole(6..=7));
}

#[test]
fn of_two_epochs_the_first_is_followed_until_its_publisher_is_silent() {
    let nats = NatsServer::start(Setup::default());
    let first = Publisher::start(&nats.url(), "first", "e1", 1, None);
    first.settle();
    let node = Node::follow(&nats, "");
    node.server.wait_for_log("epoch e1");
    first.trades("A", 1..=3);
    node.wait_for_ticks(3);
    let second = Publisher::start(&nats.url(), "second", "e2", 1, None);
    second.trades("A", 100..=101);
    second.settle();
    node.server.wait_for_log("two publish at");
    assert!(node.server.log().contains("first and second"), "{}", node.server.log());
    let mut client = node.client();
    first.trades("A", 4..=4);
    assert_eq!(trades_until(&mut client, "A", 4), whole(4..=4));
    drop(first);
    // Until it is sure, what the second sends waits.
    second.trades("A", 102..=102);
    let epoch = client.find("the epoch", |event| event["T"] == "epoch");
    assert_eq!(epoch["epoch"], "e2", "{epoch}");
    second.trades("A", 103..=103);
    assert_eq!(trades_until(&mut client, "A", 103).trades.last(), Some(&103));
    assert!(node.count("dropped_by_epoch") > 0);
}

#[test]
fn what_the_publisher_says_of_its_feed_is_told_and_so_is_its_silence() {
    let nats = NatsServer::start(Setup::default());
    let publisher = Publisher::start(&nats.url(), "a", "e1", 1, None);
    publisher.settle();
    let node = Node::follow(&nats, "");
    node.server.wait_for_log("epoch e1");
    publisher.trades("A", 1..=1);
    node.wait_for_state("live");
    let mut client = node.client();
    publisher.set_state(PublisherState::Down);
    client.find("down", |event| event["T"] == "feed" && event["state"] == "down");
    publisher.set_state(PublisherState::Ok);
    publisher.trades("A", 2..=2);
    client.find("ok", |event| event["T"] == "feed" && event["state"] == "ok");
    drop(publisher);
    client.find("stale", |event| event["T"] == "feed" && event["state"] == "stale");
}
