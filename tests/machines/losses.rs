//! What is lost, one at a time: a node, the publisher, NATS.

use crate::harness::Server;
use crate::rig::{Rig, SYNTHETIC};
use crate::watcher::{PATIENT_SILENCE_MAX, SILENCE_MAX, Watcher};
use std::time::{Duration, Instant};

/// Says what clients noticed, for the record.
fn tell(what: &str, rig: &Rig) {
    let pauses: Vec<Duration> = rig.watchers.iter().map(|watcher| watcher.take_pause()).collect();
    println!("{what}: the longest pauses between two items were {pauses:?}");
}

#[test]
fn three_nodes_give_the_same_under_the_same_numbers() {
    let rig = Rig::start(1, SYNTHETIC, PATIENT_SILENCE_MAX);
    rig.wait_for_more(10_000);
    let all = rig.end();
    for seen in &all {
        assert_eq!(seen.epochs.len(), 1);
        assert_eq!(seen.epochs, all[0].epochs, "the publisher's");
        assert_eq!(seen.connects, 1);
    }
}

#[test]
fn who_loses_a_node_goes_on_at_another_without_loss() {
    let mut rig = Rig::start(1, SYNTHETIC, PATIENT_SILENCE_MAX);
    tell("before", &rig);
    let gaps = rig.watchers[0].seen().gaps.len();
    drop(rig.nodes.remove(0)); // kill -9
    rig.watchers[0].wait_for_more(4_000);
    tell("a node was killed", &rig);
    let all = rig.end();
    assert_eq!((all[0].connects, all[0].gaps.len()), (2, gaps), "it missed nothing");
}

/// A node that comes later fills its tape from the stream, so that clients of others may come.
#[test]
fn a_new_node_knows_what_came_before_it() {
    let mut rig = Rig::start(1, SYNTHETIC, PATIENT_SILENCE_MAX);
    let first = Server::start(&rig.node_flags());
    first.wait_for_log("a new epoch");
    let watcher = Watcher::start(vec![first.address, rig.nodes[0].address], PATIENT_SILENCE_MAX);
    watcher.wait_for_more(2_000);
    let late = Server::start(&rig.node_flags());
    late.wait_for_log("a new epoch");
    let gaps = watcher.seen().gaps.len();
    rig.watchers.push(Watcher::start(vec![late.address], PATIENT_SILENCE_MAX));
    watcher.wait_for_more(2_000);
    let late_address = late.address;
    rig.nodes.push(late);
    watcher.go_on_at(late_address);
    drop(first); // kill -9
    watcher.wait_for_more(4_000);
    let seen = watcher.end();
    assert_eq!((seen.connects, seen.gaps.len()), (2, gaps), "it missed nothing");
    assert!(seen.holes.is_empty(), "{:?}", seen.holes);
    rig.end();
}

#[test]
fn a_killed_publisher_is_followed_by_the_one_that_stands_by() {
    let mut rig = Rig::start(2, SYNTHETIC, SILENCE_MAX);
    tell("before", &rig);
    let killed = Instant::now();
    rig.publishers.remove(0).kill(); // kill -9
    rig.publishers[0].wait_for_log("publishes with term");
    let took = killed.elapsed();
    rig.wait_for_more(4_000);
    tell(&format!("the publisher was killed, and another published after {took:?}"), &rig);
    let all = rig.end();
    for seen in &all {
        assert_eq!(seen.epochs.len(), 1, "the epoch goes on");
        assert!(seen.lost() > 0, "trades came while nobody led, and clients were told");
    }
}

#[test]
fn nats_is_killed_and_comes_back() {
    let mut rig = Rig::start(1, SYNTHETIC, SILENCE_MAX);
    tell("before", &rig);
    rig.nats.kill();
    std::thread::sleep(Duration::from_secs(3));
    rig.nats.restart();
    rig.wait_for_more(10_000);
    tell("NATS was killed, and was away for 3 s", &rig);
    for seen in rig.end() {
        assert_eq!(seen.epochs.len(), 1, "the epoch goes on");
    }
}

#[test]
fn nats_stands_still_for_twenty_seconds() {
    let rig = Rig::start(1, SYNTHETIC, SILENCE_MAX);
    tell("before", &rig);
    rig.nats.freeze();
    std::thread::sleep(Duration::from_secs(20));
    rig.nats.thaw();
    rig.wait_for_more(10_000);
    tell("NATS was stopped for 20 s", &rig);
    for seen in rig.end() {
        assert_eq!(seen.epochs.len(), 1, "the epoch goes on");
    }
}
