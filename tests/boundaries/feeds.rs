//! Feeds that die and come back.

use crate::client::{Client, Watcher, watch};
use crate::server::Server;
use serde_json::Value;
use std::io::Write;

fn trade(seq: u64) -> String {
    format!("{{\"T\":\"t\",\"S\":\"A\",\"p\":{seq},\"s\":1,\"t\":{}}}\n", seq * 1_000_000_000)
}

const QUOTE: &str =
    "{\"T\":\"q\",\"S\":\"A\",\"bp\":1,\"bs\":1,\"ap\":2,\"as\":1,\"t\":1000000000}\n";

const FAULT: &str = "{\"T\":\"fault\"}\n";

fn is_down(event: &Value) -> bool {
    event["T"] == "feed" && event["state"] == "down"
}

/// Method: a pipe is the feed; it gives trades, the fault, and trades again behind it.
#[test]
fn a_feed_that_panics_is_down_and_comes_back_without_losing_a_line() {
    let _turn = crate::turn();
    let flags = ["--feed", "stdin", "--shards", "2", "--fault-injection"];
    let mut server = Server::start(&[&flags[..], &["--feed-retry-ms", "1500"]].concat());
    let mut input = server.stdin();
    let mut watchers: Vec<_> = (0..20).map(|_| Watcher::connect(server.address)).collect();
    let mut looker = Client::connect(server.address, "?symbols=A&heartbeat_ms=100");
    looker.until("the answer", |event| event["T"] == "subscription");
    watch(&mut watchers, "all are connected", |all| all.iter().all(|w| !w.epoch.is_empty()));
    let text: String = (1..=5).map(trade).collect();
    write!(input, "{QUOTE}{text}{FAULT}{}", trade(6)).expect("the server reads");
    looker.until("the feed is down", is_down);
    looker.until("heartbeats say so", |event| event["T"] == "hb" && event["feed"] == "down");
    let mut late = Client::connect(server.address, "?symbols=A");
    let events = late.until("a late subscriber is told", is_down);
    let had = events.iter().any(|event| event["T"] == "q" && event["sn"] == 1);
    let snapshot = |event: &Value| event["T"] == "q" && event["sn"] == 1;
    if !had {
        late.until("the last values stay readable", snapshot);
    }
    looker.until("it is back", |event| event["T"] == "feed" && event["state"] == "ok");
    watch(&mut watchers, "all trades", |all| all.iter().all(|w| w.seqs.get("A") == Some(&6)));
    assert!(watchers.iter().all(|w| w.trades == 6 && w.client.end.is_none()));
    let log = server.log();
    assert!(log.contains("a fault was asked for by line 7"), "{log}");
    assert!(log.contains("feed started again"), "{log}");
}

/// Method: a file with the fault in its middle is replayed; each trade comes once.
#[test]
fn a_replay_that_panics_goes_on_behind_the_line() {
    let _turn = crate::turn();
    let text: String =
        (1..=300).map(|seq| if seq == 150 { FAULT.into() } else { trade(seq) }).collect();
    let path = std::env::temp_dir().join(format!("tapecast-fault-{}.ndjson", std::process::id()));
    std::fs::write(&path, text).expect("the temporary folder takes files");
    let feed = format!("replay:{},speed=max,wait=20", path.display());
    let flags = ["--feed", &feed, "--fault-injection", "--feed-retry-ms", "300"];
    let server = Server::start(&flags);
    let mut watchers: Vec<_> = (0..20).map(|_| Watcher::connect(server.address)).collect();
    watch(&mut watchers, "all trades", |all| all.iter().all(|w| w.trades == 299));
    std::fs::remove_file(&path).expect("it was written above");
    assert!(server.log().contains("started again in 300 ms"), "{}", server.log());
}

#[test]
fn without_fault_injection_a_fault_is_a_bad_line_and_an_unknown_action() {
    let _turn = crate::turn();
    let mut server = Server::start(&["--feed", "stdin"]);
    let mut input = server.stdin();
    write!(input, "{FAULT}{}", trade(1)).expect("the server reads");
    let mut client = Client::connect(server.address, "");
    client.send(&serde_json::json!({ "action": "fault", "at": "turn" }));
    client.until("refused", |event| event["code"] == 400);
    server.wait_for_log("bad line skipped");
}
