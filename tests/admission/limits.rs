//! Each limit by itself.

use super::raw::{Answer, Raw, is_told_to_retry};
use super::server::Server;
use super::{alone, wait_for};
use std::net::Ipv4Addr;
use std::time::Duration;

const FIRST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Method: clients of two addresses; one address is over its limit, which hurts only itself, and
/// has room again when one of its clients has left.
#[test]
fn an_address_over_its_limit_gets_429() {
    let server = Server::start("--shards 2 --max-per-address 10 --exempt-loopback false");
    let mut crowd: Vec<Raw> = (0..15).map(|_| Raw::connect_from(FIRST, server.address)).collect();
    let answers: Vec<Answer> = crowd.iter_mut().map(Raw::answer).collect();
    let served = answers.iter().filter(|answer| **answer == Answer::Served).count();
    assert_eq!(served, 10, "{answers:?}");
    let refused = answers.iter().filter(|answer| **answer != Answer::Served);
    for answer in refused {
        assert!(matches!(answer, Answer::Http { status: 429, retry_after_s: Some(1..) }));
    }
    let mut others: Vec<Raw> = (0..10).map(|_| Raw::connect_from(SECOND, server.address)).collect();
    assert!(others.iter_mut().all(|client| client.answer() == Answer::Served));
    drop(crowd);
    wait_for("room for the first address", || {
        (Raw::connect_from(FIRST, server.address).answer() == Answer::Served).then_some(())
    });
    let summary = server.stop();
    assert!(summary.count("address_full") >= 5 && summary.count("http_429") >= 5);
}

/// Method: the kernel shares connections out by a hash, so that one of four shards is full long
/// before the others; as many clients as the whole server takes must all get in.
#[test]
fn a_full_shard_hands_sockets_on_until_all_are_full() {
    let server = Server::start("--shards 4 --max-sessions 202");
    let mut clients: Vec<Raw> = (0..202).map(|_| Raw::connect(server.address)).collect();
    assert!(clients.iter_mut().all(|client| client.answer() == Answer::Served));
    let answer = Raw::connect(server.address).answer();
    assert!(matches!(answer, Answer::Closed { code: 1013, .. }), "{answer:?}");
    // A place that becomes free is given to the next one, whichever shard it comes to.
    drop(clients.pop());
    wait_for("the free place", || {
        (Raw::connect(server.address).answer() == Answer::Served).then_some(())
    });
    let summary = server.stop();
    assert!(summary.count("handed_on") > 0);
    assert_eq!(summary.count("handed_on"), summary.count("handed_in"));
}

/// Method: as many silent connections as may be half-open. The next one is told, in the middle of
/// the request that it sends slowly; once the deadline has passed there is room again.
#[test]
fn half_open_connections_are_limited_and_end() {
    let server = Server::start("--shards 1 --max-half-open 20 --handshake-ms 1500");
    // More than there is room for: who asks below may have taken the place of one.
    let _silent: Vec<Raw> = (0..30).map(|_| Raw::silent(server.address)).collect();
    let answer = wait_for("a refusal", || {
        let answer = Raw::connect(server.address).answer();
        (answer != Answer::Served).then_some(answer)
    });
    assert!(matches!(answer, Answer::Closed { code: 1013, .. }), "{answer:?}");
    wait_for("room after the deadline", || {
        (Raw::connect(server.address).answer() == Answer::Served).then_some(())
    });
    assert!(server.stop().count("half_open_full") > 0);
}

/// Method: more clients than the burst, at once; then, with time, the rate.
#[test]
fn over_the_rate_clients_are_told_and_get_in_later() {
    let server = Server::start("--shards 1 --accept-rate 20 --accept-burst 50");
    let mut clients: Vec<Raw> = (0..200).map(|_| Raw::connect(server.address)).collect();
    let answers: Vec<Answer> = clients.iter_mut().map(Raw::answer).collect();
    let served = answers.iter().filter(|answer| **answer == Answer::Served).count();
    assert!((50..150).contains(&served), "{served} of 200");
    let told = answers.iter().filter(|answer| is_told_to_retry(answer)).count();
    assert_eq!(served + told, 200);
    wait_for("one more", || {
        (Raw::connect(server.address).answer() == Answer::Served).then_some(())
    });
    assert!(server.stop().count("over_rate") >= told);
}

/// Method: a full server and clients that send nothing. The first 512 are waited for, the next 512
/// get 503 before they send anything, and for the rest nothing is accepted until there is room;
/// all of them are told and end, and meanwhile the server does next to nothing.
#[test]
fn the_lane_of_refusals_is_bounded_and_nothing_spins_while_it_is_full() {
    let _guard = alone();
    // Deferred, they would be accepted a second later and in no order.
    let server =
        Server::start("--shards 1 --max-sessions 0 --refusal-ms 5000 --defer-accept false");
    let mut clients: Vec<Raw> = (0..1_500).map(|_| Raw::silent(server.address)).collect();
    let descriptors = server.descriptors();
    let answer = clients[600].answer();
    assert!(is_told_to_retry(&answer) && matches!(answer, Answer::Http { .. }), "{answer:?}");
    // Who sends its request in the meantime is told properly.
    clients[5].request();
    let answer = clients[5].answer();
    assert!(matches!(answer, Answer::Closed { code: 1013, .. }), "{answer:?}");
    let before = server.cpu_time();
    std::thread::sleep(Duration::from_secs(1)); // the time over which CPU is measured
    let spent = server.cpu_time() - before;
    assert!(spent < Duration::from_millis(300), "{spent:?} in a second of waiting");
    assert!(descriptors < 1_200, "{descriptors} descriptors while refusing");
    wait_for("the end of all", || clients.iter_mut().all(Raw::is_over).then_some(()));
    let summary = server.stop();
    assert!(summary.count("http_503") >= 1_400);
    assert_eq!(summary.count("sessions_full"), 1_500);
}
