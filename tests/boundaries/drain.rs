//! A stop with thousands of clients, some of which read nothing any more.

use crate::client::{Client, End, Watcher};
use crate::server::Server;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 5_000;

/// Of them: subscribed, and silent from the stop on.
const STUCK: usize = 100;

const DRAIN: Duration = Duration::from_secs(4);

const PARTS: usize = 8;

/// Method: each client notes when its Close came. The times of all, in eight parts of the drain,
/// must be near an eighth each; the process must be gone a second after the drain.
#[test]
fn closes_are_spread_evenly_and_the_end_waits_for_nobody() {
    let _turn = crate::turn();
    tapecast::server::descriptors::raise_descriptor_limit().expect("the hard limit allows it");
    let feed = "synthetic:symbols=1,interval_ms=500,burst=1,trades=100,test_symbols=off";
    let seconds = DRAIN.as_secs().to_string();
    let mut server = Server::start(&["--feed", feed, "--shards", "2", "--drain-seconds", &seconds]);
    let mut watchers: Vec<_> = (0..CLIENTS).map(|_| Watcher::connect(server.address)).collect();
    let stuck: Vec<_> = (0..STUCK).map(|_| Client::connect(server.address, "?symbols=*")).collect();
    crate::client::watch_trades(&mut watchers, 2);
    let began = Instant::now();
    server.terminate();
    let before: Vec<u64> = watchers.iter().map(|w| w.trades).collect();
    let mut closed_at = vec![None; CLIENTS];
    let exited_at = loop {
        // Asked first, so that what came before the end is looked at.
        let is_running = server.is_running();
        for (watcher, at) in watchers.iter_mut().zip(&mut closed_at) {
            if at.is_none() {
                watcher.look();
                *at = watcher.client.end.as_ref().map(|_| began.elapsed());
            }
        }
        if !is_running {
            break began.elapsed();
        }
        thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(server.exit_code(), 0, "{}", server.log());
    assert!(exited_at < DRAIN + Duration::from_secs(1), "it took {exited_at:?}");
    let mut parts = [0; PARTS];
    for ((watcher, at), before) in watchers.iter().zip(closed_at).zip(before) {
        let Some(End::Closed(1012, reason)) = &watcher.client.end else {
            panic!("{:?}", watcher.client.end)
        };
        let hint: serde_json::Value = serde_json::from_str(reason).expect("a hint");
        assert!(hint["retry_ms"].as_u64() >= Some(1) && hint["jitter_ms"].as_u64() >= Some(1));
        let at = at.expect("it was closed");
        // One comes every half second; those around the signal and the Close may not count.
        let flowed = at.as_millis() as u64 / 500;
        assert!(watcher.trades - before + 2 >= flowed, "data flows until the Close");
        let part = at.as_secs_f64() / DRAIN.as_secs_f64();
        parts[((part * PARTS as f64) as usize).min(PARTS - 1)] += 1;
    }
    let even = CLIENTS / PARTS;
    assert!(parts.iter().all(|count| (even / 2..even * 2).contains(count)), "{parts:?}");
    drop(stuck);
}

#[test]
fn a_second_signal_ends_at_once() {
    let _turn = crate::turn();
    let mut server = Server::start(&["--drain-seconds", "60"]);
    let mut watcher = Watcher::connect(server.address);
    crate::client::watch_trades(std::slice::from_mut(&mut watcher), 1);
    server.terminate();
    server.wait_for_log("stopping");
    server.terminate();
    let began = Instant::now();
    assert_eq!(server.exit_code(), 1);
    assert!(began.elapsed() < Duration::from_secs(5), "{}", server.log());
}

/// Method: one client, so one of the shards ends at once; the other is drained for longer than a
/// stuck shard is waited for.
#[test]
fn a_shard_that_has_ended_is_not_taken_for_stuck() {
    let _turn = crate::turn();
    let flags = ["--shards", "2", "--drain-seconds", "4", "--stuck-report-ms", "1000"];
    let mut server = Server::start(&[&flags[..], &["--stuck-exit-ms", "2500"]].concat());
    let mut watcher = Watcher::connect(server.address);
    crate::client::watch_trades(std::slice::from_mut(&mut watcher), 1);
    server.terminate();
    while server.is_running() {
        watcher.look();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(server.exit_code(), 0, "{}", server.log());
    assert!(!server.log().contains("stuck"), "{}", server.log());
}
