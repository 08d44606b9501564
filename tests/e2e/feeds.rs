//! Feeds from files and from a pipe: their ends, their bad lines, their forms.
//!
//! Method: lines that the test writes, and what a client gets of them.

use crate::harness::client::is;
use crate::harness::{Client, Server, generator};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

const TRADE: &str =
    r#"{"T":"t","S":"A","i":1,"x":"P","p":13.83,"s":2000,"t":"2013-10-08T13:30:00.012Z"}"#;

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).expect("room on disk");
    path
}

fn replay(path: &Path, options: &str) -> Server {
    Server::with_feed(&format!("replay:{}{options}", path.display()), "--shards 2")
}

fn trade(at: u32) -> String {
    TRADE.replace("\"i\":1", &format!("\"i\":{at}"))
}

/// Trades of A with these ids, by a `find` of the last.
fn ids(client: &mut Client, last: u64) -> Vec<u64> {
    let events = client.until("the last trade", |e| is(e, "t", "A") && e["i"] == last);
    let trades = events.iter().filter(|e| is(e, "t", "A"));
    trades.map(|trade| trade["i"].as_u64().expect("an id")).collect()
}

#[test]
fn bad_lines_are_counted_and_skipped() {
    let bad = ["", "garbage", "{\"T\":\"t\"}", "[]", "{\"T\":\"x\",\"S\":\"A\"}", "\u{1}"];
    let mut text = String::new();
    for (at, line) in bad.iter().enumerate() {
        text.push_str(&format!("{}\n{line}\n", trade(at as u32 + 1)));
    }
    let mut bytes = text.into_bytes();
    bytes.extend(b"\xff\xfe\xfd\n");
    bytes.extend(vec![b'x'; 100_000]);
    bytes.extend(format!("\n{}", trade(99)).bytes());
    let server = replay(&file("bad-lines.ndjson", &bytes), ",speed=max,wait=1");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A");
    assert_eq!(ids(&mut client, 99), [1, 2, 3, 4, 5, 6, 99], "without a newline at the end too");
    server.wait_for_log("line=4");
    server.stop();
}

/// Method: a client that was there sees the end as an event and in its heartbeats; one that
/// comes later is told at once and gets the last value.
#[test]
fn the_end_of_standard_input_is_a_state() {
    let mut server = Server::with_feed("stdin", "");
    let target = "/v1/stream?symbols=A&heartbeat_ms=200";
    let mut client = Client::connect(server.address, target);
    let mut stdin = server.stdin.take().expect("it is piped");
    let quote = r#"{"T":"q","S":"A","bp":1.5,"bs":1,"ap":1.75,"as":2,"t":"2013-10-08T13:30:00Z"}"#;
    writeln!(stdin, "{}\n{quote}", trade(7)).expect("the server reads");
    let got = client.until("the quote", |event| is(event, "q", "A"));
    assert!(got.iter().any(|event| is(event, "t", "A") && event["i"] == 7), "{got:?}");
    let beat = client.find("a heartbeat", |e| e["T"] == "hb" && e["n"] == 2);
    assert_eq!(beat["feed"], "ok");
    drop(stdin);
    client.find("the end", |event| event["T"] == "feed" && event["state"] == "down");
    server.wait_for_log("feed ended feed=\"stdin\"");
    client.find("a heartbeat", |event| event["T"] == "hb" && event["feed"] == "down");
    let mut late = Client::connect(server.address, "/v1/stream?symbols=A");
    let seen = late.until("the last quote", |event| is(event, "q", "A") && event["sn"] == 1);
    assert!(seen.iter().any(|e| e["T"] == "feed" && e["state"] == "down"), "{seen:?}");
    server.stop();
}

#[test]
fn a_silent_feed_becomes_stale_and_comes_back() {
    let mut server = Server::with_feed("stdin", "--feed-stale-ms 300");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A");
    let mut stdin = server.stdin.take().expect("it is piped");
    let feed_is = |state: &'static str| move |e: &Value| e["T"] == "feed" && e["state"] == state;
    writeln!(stdin, "{}", trade(1)).expect("the server reads");
    client.find("silence", feed_is("stale"));
    writeln!(stdin, "{}", trade(2)).expect("the server reads");
    client.find("its return", feed_is("ok"));
    server.stop();
}

/// Method: the same file three times over; sequence numbers go on, ids begin again.
#[test]
fn a_loop_goes_on() {
    let text = format!("{}\n{}\n", trade(1), trade(2));
    let server = replay(&file("loop.ndjson", text.as_bytes()), ",speed=1000,loop,wait=1");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A");
    let got = client.until("the third pass", |event| is(event, "t", "A") && event["sq"] == 6);
    let trades = got.iter().filter(|event| is(event, "t", "A")).take(6);
    let pairs: Vec<(u64, u64)> = trades
        .map(|t| (t["sq"].as_u64().expect("a number"), t["i"].as_u64().expect("an id")))
        .collect();
    assert_eq!(pairs, [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1), (6, 2)]);
    server.stop();
}

#[test]
fn plain_gzip_and_zstd_are_told_by_their_bytes() {
    let text = generator::lines(2_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("memory takes every byte");
    let gzip = gzip.finish().expect("memory takes every byte");
    let zstd = zstd::encode_all(text.as_bytes(), 1).expect("memory takes every byte");
    let trades = text.lines().filter(|line| line.contains(r#""T":"t","S":"MADE.A""#)).count();
    // The names say nothing.
    for (name, bytes) in [("form-1", text.as_bytes()), ("form-2", &gzip), ("form-3", &zstd)] {
        let server = replay(&file(name, bytes), ",speed=max,wait=1");
        let target = "/v1/stream?symbols=MADE.A&channels=trades";
        let mut client = Client::connect(server.address, target);
        client.find("the last trade", |e| is(e, "t", "MADE.A") && e["sq"] == trades as u64);
        server.stop();
    }
}

/// Method: event times of a file from 2013 must be of now.
#[test]
fn restamp_gives_times_of_now() {
    let path = file("restamp.ndjson", format!("{}\n", trade(1)).as_bytes());
    let server = replay(&path, ",speed=max,restamp,wait=1");
    let before = jiff::Timestamp::now().as_nanosecond();
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&ts=ns");
    let trade = client.find("the trade", |event| is(event, "t", "A"));
    assert!(i128::from(trade["t"].as_i64().expect("ns")) >= before, "{trade}");
    server.stop();
}

/// Method: two feeds, of which one ends; only who has its symbols is told.
#[test]
fn the_end_of_one_feed_of_two_names_its_symbols() {
    let path = file("one-of-two.ndjson", format!("{}\n", trade(1)).as_bytes());
    let feed = format!("replay:{},speed=max,wait=2", path.display());
    let server = Server::with_feed(&feed, "--feed synthetic:rate=1000");
    let mut other = Client::connect(server.address, "/v1/stream?symbols=TEST.A&heartbeat_ms=300");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A,TEST.A");
    let end = client.find("the end", |e| e["T"] == "feed" && e["state"] == "down");
    assert_eq!(end["S"], serde_json::json!(["A"]));
    let mut seen = other.until("heartbeats", |event| event["T"] == "hb");
    seen.extend(other.until("heartbeats", |event| event["T"] == "hb"));
    assert!(!seen.iter().any(|e| e["T"] == "feed" && e["state"] == "down"), "{seen:?}");
    server.stop();
}
