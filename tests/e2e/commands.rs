//! The project's own clients against its own server.
//!
//! Method: the binary's `subscribe` and `load` as a user runs them; their output, report, code.

use crate::harness::{PATIENCE, Server, alone, server::BINARY};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

#[test]
fn subscribe_prints_events_as_they_came() {
    let server = Server::start("");
    let url = server.url("/v1/stream");
    let arguments = ["subscribe", &url, "TEST.A", "TEST.B", "--json", "--count", "20"];
    let output = Command::new(BINARY).args(arguments).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("one event a line")).collect();
    let of_the_market = events.iter().filter(|e| e["T"] == "t" || e["T"] == "q");
    assert!(of_the_market.count() <= 20 && events.len() >= 20, "{text}");
    assert!(events.iter().any(|event| event["S"] == "TEST.A"), "{text}");
    server.stop();
}

/// Method: the server is stopped and another takes its port, with a symbol that the first had
/// not; the client asked for it from the start and must come to print it.
#[test]
fn subscribe_comes_back_after_a_restart() {
    let server = Server::start("--drain-seconds 0");
    let (address, url) = (server.address.to_string(), server.url("/v1/stream"));
    let mut command = Command::new(BINARY);
    command.args(["subscribe", &url, "TEST.A", "NEW0001", "--json"]).stdout(Stdio::piped());
    let mut client = command.stderr(Stdio::null()).spawn().expect("it runs");
    let lines = BufReader::new(client.stdout.take().expect("it is piped")).lines();
    let (printed, lines) = {
        let (sender, receiver) = mpsc::channel();
        (thread::spawn(move || lines.for_each(|line| drop(sender.send(line)))), receiver)
    };
    let until = |symbol: &str| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).expect("it goes on").expect("UTF-8");
            let event: Value = serde_json::from_str(&line).expect("one event a line");
            if event["T"] == "q" && event["S"] == symbol {
                return;
            }
        }
    };
    until("TEST.A");
    server.stop();
    let mut command = Command::new(BINARY);
    let feed = "synthetic:symbols=1,names=NEW,interval_ms=100,burst=10";
    command.args(["serve", "--listen", &address, "--admin", "off", "--feed", feed]);
    let again = Server::spawn(command);
    until("NEW0001");
    let pid = rustix::process::Pid::from_child(&client);
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    client.wait().expect("it is our child");
    printed.join().expect("its output has ended");
    again.stop();
}

#[test]
fn load_finds_nothing_wrong() {
    let _alone = alone();
    let server = Server::start("--feed synthetic:rate=5000 --shards 2");
    let url = server.url("/v1/stream");
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load-report.json");
    let output = Command::new(BINARY)
        .args(["load", &url, "--connections", "500", "--seconds", "5", "--symbols", "*"])
        .args(["--heartbeat-ms", "500", "--channels", "quotes,trades,bars", "--report"])
        .arg(&report)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    let report = std::fs::read_to_string(&report).expect("--report wrote it");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["violation_count"], 0, "{report}");
    assert_eq!(report["connections"]["opened"], 500, "{report}");
    assert_eq!(report["connections"]["open_at_end"], 500, "{report}");
    for path in ["/connect/per_second", "/window/items_per_second", "/latency_us/p99"] {
        let value = report.pointer(path).unwrap_or_else(|| panic!("{path} is missing: {report}"));
        assert!(value.as_f64().is_some_and(|value| value > 0.0), "{path}: {value}");
    }
    server.stop();
}

/// Method: as the benchmark suite runs it. Each connection draws symbols of its own, some stall,
/// some are slow, others come and go; counting begins with a line on stdin.
#[test]
fn load_counts_from_a_line_on() {
    let _alone = alone();
    let feed = "synthetic:symbols=50,names=S0,interval_ms=20,burst=50,trades=0,test_symbols=off";
    let server = Server::start(&format!("--feed {feed} --shards 2"));
    for encoding in ["json", "msgpack"] {
        let report = cued_load(&server.url("/v1/stream"), encoding);
        let number = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        assert_eq!(number("/violations"), 0, "{report}");
        for (class, count) in [("reading", 160), ("slow", 20), ("stalled", 20)] {
            assert_eq!(number(&format!("/classes/{class}/start")), count, "{report}");
            assert_eq!(number(&format!("/classes/{class}/end")), count, "{report}");
        }
        for path in ["/ticks", "/reads", "/last_us/count", "/slow/ticks", "/churned"] {
            assert!(number(path) > 0, "{path}: {report}");
        }
    }
    server.stop();
}

fn cued_load(url: &str, encoding: &str) -> Value {
    let report = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{encoding}.json"));
    let mut command = Command::new(BINARY);
    command
        .args(["load", url, "--connections", "200", "--seconds", "2", "--channels", "quotes"])
        .args(["--symbols-each", "10", "--symbols-of", "50", "--encoding", encoding])
        .args(["--slow", "0.1", "--stall", "0.1", "--churn", "50", "--start-on-line", "--report"])
        .arg(&report);
    let mut load = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut stdout = BufReader::new(load.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("text");
    assert_eq!(line, "open\n");
    let mut stdin = load.stdin.take().expect("it is piped");
    stdin.write_all(b"go\n").expect("it listens");
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("text");
    assert_eq!(load.wait().expect("it is our child").code(), Some(0), "{text}");
    let report = std::fs::read_to_string(&report).expect("--report wrote it");
    serde_json::from_str(&report).expect("JSON")
}

#[test]
fn load_ends_where_no_line_can_come() {
    let server = Server::start("");
    let mut command = Command::new(BINARY);
    let url = server.url("/v1/stream");
    command.args(["load", &url, "--connections", "5", "--symbols", "*", "--start-on-line"]);
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("--start-on-line: stdin ended"), "{errors}");
    server.stop();
}
