//! Panics in sessions, hubs and turns; a shard that stands still.

use crate::client::{Client, End, Watcher, assert_connected, watch, watch_trades};
use crate::server::Server;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Enough that both shards have many, whatever the kernel's hash does.
const WATCHERS: usize = 200;

/// Slow enough for an unoptimised build: each trade goes to every watcher.
const FEED: &str = "synthetic:symbols=5,interval_ms=20,burst=5,trades=50,test_symbols=off";

fn start(flags: &[&str]) -> (Server, Vec<Watcher>) {
    let own = ["--feed", FEED, "--shards", "2", "--fault-injection"];
    let server = Server::start(&[&own[..], flags].concat());
    let mut watchers: Vec<_> = (0..WATCHERS).map(|_| Watcher::connect(server.address)).collect();
    watch_trades(&mut watchers, 10);
    (server, watchers)
}

fn fault(at: &str) -> Value {
    json!({ "action": "fault", "at": at })
}

/// The end of a client, with the id that its `connected` gave.
fn end_of(server: &Server, at: &str) -> (String, Vec<Value>, End) {
    let mut client = Client::connect(server.address, "");
    let connected = client.until("connected", |event| event["msg"] == "connected");
    let id = connected[0]["session"].as_str().expect("a text").to_string();
    client.send(&fault(at));
    let mut events = Vec::new();
    while client.end.is_none() {
        events.extend(client.events());
    }
    (id, events, client.end.expect("just seen"))
}

#[test]
fn a_panic_in_a_session_closes_it_and_disturbs_nobody() {
    let _turn = crate::turn();
    let (server, mut watchers) = start(&[]);
    for _ in 0..3 {
        let (id, events, end) = end_of(&server, "session");
        assert_eq!(events[0]["code"], 500);
        assert_eq!(end, End::Closed(1011, format!("internal error, session {id}")));
        server.wait_for_log(&id);
        watch_trades(&mut watchers, 10);
    }
    let log = server.log();
    assert!(log.contains("a fault was asked for in a session"), "{log}");
    // The file of the hook that takes it is in every backtrace and in no other line, while how a
    // function is named depends on the profile.
    assert!(log.contains("src/panics.rs:"), "no backtrace in {log}");
    assert_connected(&watchers, &server.log());
}

/// Watchers that were cut, each with 1011 and a reason with an id.
fn cut(watchers: &mut Vec<Watcher>) -> Vec<Watcher> {
    let (cut, left): (Vec<_>, _) =
        std::mem::take(watchers).into_iter().partition(|w| w.client.end.is_some());
    *watchers = left;
    for watcher in &cut {
        let Some(End::Closed(1011, reason)) = &watcher.client.end else {
            panic!("{:?}", watcher.client.end)
        };
        assert!(reason.starts_with("internal error, session "), "{reason}");
    }
    cut
}

/// Method: the fault is on one of two shards. Its clients are cut and resume where they were:
/// every trade that they missed comes from the salvaged tape.
#[test]
fn a_panic_in_shared_state_restarts_one_shard_and_keeps_its_market() {
    let _turn = crate::turn();
    let (server, mut watchers) = start(&[]);
    for at in ["hub", "turn"] {
        let began = Instant::now();
        let (_, _, end) = end_of(&server, at);
        assert!(matches!(end, End::Closed(1011, _)), "{end:?}");
        watch(&mut watchers, "clients are cut", |all| all.iter().any(|w| w.client.end.is_some()));
        watch_trades(&mut watchers, 10);
        let cut = cut(&mut watchers);
        assert!(!cut.is_empty() && !watchers.is_empty(), "{} of {WATCHERS} were cut", cut.len());
        let mut back: Vec<_> = cut.iter().map(|w| Watcher::resume(server.address, w)).collect();
        watch_trades(&mut back, 10);
        assert!(began.elapsed() < Duration::from_secs(10), "it is back soon");
        for (before, after) in cut.iter().zip(&back) {
            assert_eq!(before.epoch, after.epoch, "the epoch goes on");
        }
        watchers.append(&mut back);
    }
    // Both have a whole snapshot for who comes new: five quotes, at once.
    for _ in 0..8 {
        let mut client = Client::connect(server.address, "?symbols=*&channels=quotes");
        let events = client.until("a snapshot", |event| event["T"] == "q");
        let fresh = events.iter().filter(|event| event["sn"] == 1).count();
        assert_eq!(fresh, 5, "{events:?}");
    }
    server.wait_for_log("shard serves again");
    watch_trades(&mut watchers, 10);
    assert_connected(&watchers, &server.log());
}

/// Method: the salvage is made to panic too; then the epoch of that shard is a new one, and its
/// symbols come back because the feeds define them again.
#[test]
fn a_shard_that_cannot_be_salvaged_begins_with_a_new_epoch() {
    let _turn = crate::turn();
    let (server, mut watchers) = start(&[]);
    end_of(&server, "salvage");
    watch(&mut watchers, "clients are cut", |all| all.iter().any(|w| w.client.end.is_some()));
    let cut = cut(&mut watchers);
    server.wait_for_log("a new epoch begins");
    let mut back: Vec<_> = (0..40).map(|_| Watcher::connect(server.address)).collect();
    watch_trades(&mut back, 10);
    let mut epochs = BTreeMap::<&str, usize>::new();
    back.iter().for_each(|w| *epochs.entry(&w.epoch).or_default() += 1);
    let new = format!("{}.1", cut[0].epoch);
    let known = [&*cut[0].epoch, &*new];
    assert!(epochs.len() == 2 && known.iter().all(|e| epochs.contains_key(e)), "{epochs:?}");
    watch_trades(&mut watchers, 10);
}

#[test]
fn too_many_restarts_end_the_process_with_its_own_code() {
    let _turn = crate::turn();
    let flags = ["--feed", FEED, "--shards", "1", "--fault-injection", "--shard-restarts", "2"];
    let mut server = Server::start(&flags);
    for _ in 0..3 {
        assert!(server.is_running());
        let (_, _, end) = end_of(&server, "turn");
        assert!(matches!(end, End::Closed(1011, _)), "also the last time: {end:?}");
    }
    assert_eq!(server.exit_code(), 70);
    server.wait_for_log("--shard-restarts");
}

/// Method: one shard sleeps in its turn, at first for a while and then for ever.
#[test]
fn a_shard_that_stands_still_is_logged_and_ends_the_process() {
    let _turn = crate::turn();
    let flags = ["--stuck-report-ms", "300", "--stuck-exit-ms", "3000"];
    let (mut server, mut watchers) = start(&flags);
    let mut client = Client::connect(server.address, "");
    client.send(&json!({ "action": "fault", "at": "stall", "ms": 1200 }));
    server.wait_for_log("shard is stuck");
    server.wait_for_log("shard turns again");
    watch_trades(&mut watchers, 10);
    assert!(server.is_running());
    assert_connected(&watchers, &server.log());
    client.send(&fault("stall"));
    assert_eq!(server.exit_code(), 71);
    server.wait_for_log("stuck in step \"completions\"");
}
