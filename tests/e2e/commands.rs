//! The project's own clients against its own server.
//!
//! Method: the binary's `subscribe` and `load` as a user runs them; their output, report, code.

use crate::harness::{Server, alone, server::BINARY, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

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

/// Method: the server is stopped and another takes its port; what is printed must go on.
#[test]
fn subscribe_comes_back_after_a_restart() {
    let server = Server::start("--drain-seconds 0");
    let address = server.address.to_string();
    let url = server.url("/v1/stream");
    let mut command = Command::new(BINARY);
    command.args(["subscribe", &url, "TEST.A", "--json"]).stdout(Stdio::piped());
    let mut client = command.stderr(Stdio::null()).spawn().expect("it runs");
    let mut lines = BufReader::new(client.stdout.take().expect("it is piped")).lines();
    lines.next().expect("an event").expect("UTF-8");
    server.stop();
    let again = wait_for("the port is free again", || {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", &address]);
        std::net::TcpListener::bind(&address).is_ok().then(|| Server::spawn(command))
    });
    // What the first server sent is followed by what the second does, whose numbers begin anew.
    let mut highest = 0;
    loop {
        let line = lines.next().expect("it goes on").expect("UTF-8");
        let event: Value = serde_json::from_str(&line).expect("one event a line");
        if event["T"] == "t" {
            let seq = event["sq"].as_u64().expect("a number");
            if seq < highest {
                break;
            }
            highest = seq;
        } else if event["T"] == "success" && highest > 0 {
            break;
        }
    }
    let pid = rustix::process::Pid::from_child(&client);
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    client.wait().expect("it is our child");
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
