//! NATS goes away and comes back, while the feed goes on.
//!
//! Method: the server is killed or frozen under load; what was heard and what is stored afterwards
//! must be each number once, and every trade that is missing must be in a gap.

use crate::listener::{Listener, Node};
use crate::nats_server::{NatsServer, Setup};
use crate::publisher::Publisher;
use crate::stored;
use std::thread::sleep;
use std::time::Duration;

const FEED: &str = "--feed synthetic:symbols=50,rate=5000,test_symbols=off";

#[test]
fn after_kill_and_restart_each_number_is_stored_once() {
    let mut server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let publisher = Publisher::start(&server, &format!("--jetstream --max-bytes 64M {FEED}"));
    for _ in 0..3 {
        listener.wait_for_more(2_000);
        server.kill();
        // The feed goes on while nobody is there.
        sleep(Duration::from_millis(300));
        server.restart();
        listener.wait_for_more(2_000);
    }
    let log = publisher.stop();
    let kept = stored::all(&server);
    stored::assert_each_once(&kept);
    // Of what was on its way when the server died, nothing is missing: it is sent again.
    let node = Node::of(&kept);
    assert!(node.holes.is_empty(), "{:?}\n{log}", node.holes);
    assert!(log.contains("4 connections"), "{log}");
    let live = Node::of(&listener.messages());
    assert_eq!(live.of_lower_term, 0);
}

#[test]
fn a_frozen_server_loses_nothing_that_was_sent() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let publisher = Publisher::start(&server, &format!("--jetstream --max-bytes 64M {FEED}"));
    listener.wait_for_more(2_000);
    server.freeze();
    sleep(Duration::from_secs(8));
    server.thaw();
    listener.wait_for_more(2_000);
    let log = publisher.stop();
    let kept = stored::all(&server);
    stored::assert_each_once(&kept);
    let node = Node::of(&kept);
    assert!(node.holes.is_empty(), "{:?}\n{log}", node.holes);
}

/// Without a stream, what was on its way is lost: a node finds the hole in the numbers. What the
/// feed gave while there was no server waits, merged where it must be.
#[test]
fn without_a_stream_numbers_tell_what_is_lost() {
    let mut server = NatsServer::start(Setup::default());
    let listener = Listener::start(&server);
    let publisher = Publisher::start(&server, FEED);
    listener.wait_for_more(2_000);
    server.kill();
    sleep(Duration::from_millis(500));
    server.restart();
    listener.wait_for_more(2_000);
    let log = publisher.stop();
    let node = Node::of(&listener.messages());
    assert_eq!((node.repeated, node.of_lower_term), (0, 0), "{log}");
    assert!(log.contains("2 connections"), "{log}");
}
