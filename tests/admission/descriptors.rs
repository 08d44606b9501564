//! The system runs out of descriptors.

use super::raw::{Answer, Raw, is_told_to_retry};
use super::server::Server;
use super::{alone, wait_for};
use std::time::Duration;

const HARD: u32 = 400;

/// Method: the limit of a running server is lowered to what it has open, so that accept(2) fails
/// with EMFILE, which its own budget rules out. Clients are told by the spare descriptor; nothing
/// spins; with the old limit back, clients are served again.
#[test]
fn without_descriptors_clients_are_told_and_nothing_spins() {
    let _guard = alone();
    let server = Server::with_descriptors(HARD, "--shards 1");
    let mut served: Vec<Raw> = (0..10).map(|_| Raw::connect(server.address)).collect();
    assert!(served.iter_mut().all(|client| client.answer() == Answer::Served));
    server.limit_descriptors(server.descriptors(), HARD.into());
    // Accepts that were armed before the limit fell still succeed.
    let mut refused = 0;
    for _ in 0..60 {
        let mut client = Raw::connect(server.address);
        match client.answer() {
            Answer::Served => served.push(client),
            answer => {
                assert!(is_told_to_retry(&answer), "{answer:?}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 30, "{refused} refused, {} served", served.len());
    assert!(server.log().contains("no descriptor is left"), "{}", server.log());
    let waiting: Vec<Raw> = (0..200).map(|_| Raw::connect(server.address)).collect();
    let before = server.cpu_time();
    std::thread::sleep(Duration::from_secs(1)); // the time over which CPU is measured
    let spent = server.cpu_time() - before;
    assert!(spent < Duration::from_millis(400), "{spent:?} in a second without descriptors");
    drop(waiting);
    server.limit_descriptors(HARD.into(), HARD.into());
    wait_for("service again", || {
        (Raw::connect(server.address).answer() == Answer::Served).then_some(())
    });
    assert!(served.iter_mut().all(|client| !client.is_over()), "who was served stays served");
    assert!(server.stop().count("descriptors_out") >= refused);
}

/// Method: more clients than the smallest budget has descriptors for. The budget keeps the server
/// from running out of them: nobody is lost, and accept(2) never fails.
#[test]
fn the_budget_keeps_the_server_from_running_out() {
    let server = Server::with_descriptors(HARD, "--shards 1");
    let mut clients: Vec<Raw> = (0..500).map(|_| Raw::connect(server.address)).collect();
    let answers: Vec<Answer> = clients.iter_mut().map(Raw::answer).collect();
    let served = answers.iter().filter(|answer| **answer == Answer::Served).count();
    let told = answers.iter().filter(|answer| is_told_to_retry(answer)).count();
    assert_eq!(served + told, 500);
    assert!(served > 100, "{served} served with {HARD} descriptors");
    assert!(server.descriptors() < HARD.into());
    let summary = server.stop();
    assert_eq!(summary.count("accepts_failed"), 0);
    assert_eq!(summary.count("sessions_full"), told);
}
