//! Two publishers, one of which leads.
//!
//! Method: real processes that are killed, stopped and ended; a client hears all and takes it as a
//! node does. No number may come twice with another content, and every trade that is missing must
//! be in a gap.

use crate::listener::{Heard, Listener, Node};
use crate::nats_server::NatsServer;
use crate::publisher::Publisher;
use crate::wait_for;
use rustix::process::Signal;
use std::thread::sleep;
use std::time::{Duration, Instant};

const FLAGS: &str =
    "--jetstream --max-bytes 64M --feed synthetic:symbols=50,rate=4000,test_symbols=off";

/// The most that a takeover may take.
const TAKEOVER_MAX: Duration = Duration::from_secs(3);

/// A leader, and one that stands by and has heard it.
fn pair(server: &NatsServer, listener: &Listener, flags: &str) -> (Publisher, Publisher) {
    let leader = Publisher::start(server, flags);
    leader.wait_for_log("publishes with term");
    let standby = Publisher::start(server, flags);
    standby.wait_for_log("connected to");
    listener.wait_for_more(3_000);
    assert!(!standby.log().contains("publishes with term"), "{}", standby.log());
    (leader, standby)
}

fn term(listener: &Listener) -> u64 {
    listener.messages().iter().map(|heard| heard.term).max().expect("messages")
}

/// Waits for the first message of a term above `term`.
fn next_term(listener: &Listener, term: u64) -> Heard {
    listener.wait_for(&format!("a term above {term}"), |heard| heard.term > term)
}

fn assert_soon(what: &str, first: &Heard, since: Instant) {
    let took = first.at.duration_since(since);
    println!("takeover after {what}: {took:?}");
    assert!(took < TAKEOVER_MAX, "{took:?}");
}

fn assert_complete(listener: &Listener) -> Node {
    let node = Node::of(&listener.messages());
    assert!(node.holes.is_empty(), "holes without a gap: {:?}", node.holes);
    node
}

#[test]
fn a_killed_leader_is_followed_within_three_seconds() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let (leader, mut standby) = pair(&server, &listener, FLAGS);
    let before = term(&listener);
    let killed = Instant::now();
    leader.kill();
    let first = next_term(&listener, before);
    assert_soon("kill -9", &first, killed);
    standby.wait_for_log("publishes with term");
    listener.wait_for_more(1_000);
    let epochs: Vec<String> = listener.messages().into_iter().map(|heard| heard.epoch).collect();
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "the epoch goes on");
    // One that comes back stands by, and follows in its turn.
    let third = Publisher::start(&server, FLAGS);
    third.wait_for_log("connected to");
    listener.wait_for_more(3_000);
    let before = term(&listener);
    let asked = Instant::now();
    standby.signal(Signal::TERM);
    let first = next_term(&listener, before);
    assert_soon("SIGTERM", &first, asked);
    assert_eq!(standby.wait_exit().code(), Some(0));
    listener.wait_for_more(1_000);
    third.stop();
    let node = assert_complete(&listener);
    assert!(node.taken > 5_000 && node.of_lower_term == 0);
}

/// The leader is stopped for longer than its lease: when it goes on it must find that out before
/// it publishes.
#[test]
fn a_stopped_leader_publishes_nothing_when_it_goes_on() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let (leader, standby) = pair(&server, &listener, FLAGS);
    let before = term(&listener);
    leader.signal(Signal::STOP);
    let stopped = Instant::now();
    let first = next_term(&listener, before);
    assert_soon("SIGSTOP", &first, stopped);
    sleep(Duration::from_secs(5).saturating_sub(stopped.elapsed()));
    let resumed = Instant::now();
    leader.signal(Signal::CONT);
    leader.wait_for_log("this one stands by");
    listener.wait_for_more(2_000);
    // At most what lay in its socket or its client when it was stopped; nodes pass that over.
    let late = listener.messages();
    let late: Vec<_> = late.iter().filter(|m| m.at > resumed && m.term <= before).collect();
    let lines: usize = late.iter().map(|message| message.lines.len()).sum();
    assert!(lines <= 64, "{lines} lines of the old term: {:?}", late.first());
    // It follows in its turn.
    let before = term(&listener);
    let killed = Instant::now();
    standby.kill();
    let first = next_term(&listener, before);
    assert_soon("kill -9 of the second", &first, killed);
    listener.wait_for_more(1_000);
    leader.stop();
    assert_complete(&listener);
}

/// Both get the same lines with the same numbers, as from two lines of one exchange: nothing may
/// be lost when one is killed.
#[test]
fn with_numbers_of_the_feed_a_takeover_loses_nothing() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let flags = "--jetstream --max-bytes 64M --feed stdin:line=a";
    let (mut leader, mut standby) =
        (Publisher::start(&server, flags), Publisher::start(&server, flags));
    let mut sq = 0;
    let mut give = |to: &mut [&mut Publisher], count: u64| {
        for _ in 0..count {
            sq += 1;
            let time = 1_381_239_981_414_000_000 + sq;
            let line = format!(
                "{{\"T\":\"t\",\"S\":\"S{}\",\"p\":{sq},\"s\":1,\"t\":{time},\"sq\":{}}}\n",
                sq % 5,
                sq / 5 + 1
            );
            to.iter_mut().for_each(|publisher| publisher.write(&line));
        }
        sq
    };
    wait_for("one that leads", || {
        let leads = |publisher: &Publisher| publisher.log().contains("publishes with term");
        (leads(&leader) || leads(&standby)).then_some(())
    });
    if standby.log().contains("publishes with term") {
        std::mem::swap(&mut leader, &mut standby);
    }
    for _ in 0..50 {
        give(&mut [&mut leader, &mut standby], 20);
        sleep(Duration::from_millis(10));
    }
    let before = term(&listener);
    leader.kill();
    for _ in 0..300 {
        give(&mut [&mut standby], 20);
        sleep(Duration::from_millis(10));
    }
    next_term(&listener, before);
    let last = give(&mut [&mut standby], 5);
    wait_for("the last line", || {
        let node = Node::of(&listener.messages());
        (node.taken as u64 == last).then_some(())
    });
    standby.stop();
    let node = assert_complete(&listener);
    assert_eq!((node.taken as u64, node.lost), (last, 0));
}
