//! The shipped alerts and dashboard fit the metrics, by `promtool` and by name.

use super::get;
use crate::harness::Server;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The one of the system, or the one that `tests/run` unpacks.
fn promtool() -> Command {
    let unpacked = Path::new(ROOT).join("target/prometheus/usr/bin/promtool");
    let is_there = Command::new("promtool").arg("--version").stdout(Stdio::null()).status().is_ok();
    let program = if is_there { PathBuf::from("promtool") } else { unpacked };
    assert!(
        is_there || program.exists(),
        "promtool is missing: run tests/run, which unpacks Debian's package prometheus"
    );
    Command::new(program)
}

fn expect_success(output: &Output) {
    let (out, error) = (&output.stdout, &output.stderr);
    let text = format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(error));
    assert!(output.status.success(), "{text}");
}

#[test]
fn promtool_takes_the_rules_and_their_tests() {
    let rules = Path::new(ROOT).join("tuning/alerts.yml");
    let output = promtool().args(["check", "rules"]).arg(&rules).output();
    expect_success(&output.expect("promtool runs"));
    let tests = Path::new(ROOT).join("tests/e2e/admin/alerts_test.yml");
    let output = promtool().args(["test", "rules"]).arg(&tests).output();
    expect_success(&output.expect("promtool runs"));
}

#[test]
fn every_alert_stands_in_the_runbook() {
    let read = |path: &str| std::fs::read_to_string(Path::new(ROOT).join(path)).expect("shipped");
    let (rules, text) = (read("tuning/alerts.yml"), read("tuning/README.md"));
    let (_, runbook) = text.split_once("## Runbook").expect("its heading");
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: Tapecast"));
    let missing: Vec<_> = alerts.clone().filter(|a| !runbook.contains(&format!("`{a}`"))).collect();
    assert!(alerts.count() > 15 && missing.is_empty(), "{missing:?}");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let server = Server::start("--feed synthetic:symbols=5,rate=1000");
    let metrics = get(&server, "/metrics").body;
    let mut command = promtool();
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(metrics.as_bytes()).expect("it reads");
    drop(stdin);
    expect_success(&child.wait_with_output().expect("it ends"));
    server.stop();
}

/// Names in expressions, without what a histogram's rows have behind them.
fn names(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_word(c)).filter(|word| word.starts_with("tapecast_"));
    let family = |word: &str| {
        let suffixes = ["_bucket", "_sum", "_count"];
        let cut = suffixes.iter().find_map(|suffix| word.strip_suffix(suffix));
        cut.unwrap_or(word).to_string()
    };
    words.map(family).collect()
}

fn expressions(panel: &Value, found: &mut String) {
    match panel {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match value {
            Value::String(text) if key == "expr" || key == "query" => {
                found.push_str(text);
                found.push('\n');
            }
            _ => expressions(value, found),
        }),
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn dashboard_and_alerts_name_metrics_that_there_are() {
    let server = Server::start("--feed synthetic:symbols=5,rate=1000");
    // The age of a feed is there from its first tick on.
    let exist = crate::harness::wait_for("the first tick", || {
        let metrics = get(&server, "/metrics").body;
        let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let exist: BTreeSet<String> =
            types.filter_map(|rest| Some(rest.split(' ').next()?.to_string())).collect();
        metrics.contains("tapecast_feed_age_seconds{").then_some(exist)
    });
    let read = |path: &str| std::fs::read_to_string(Path::new(ROOT).join(path)).expect("shipped");
    let dashboard: Value = serde_json::from_str(&read("tuning/dashboard.json")).expect("JSON");
    assert!(dashboard["schemaVersion"].as_u64() > Some(30), "Grafana's field");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() > 10, "{} panels", panels.len());
    let mut asked = String::new();
    expressions(&dashboard, &mut asked);
    for (source, text) in [("dashboard.json", asked), ("alerts.yml", read("tuning/alerts.yml"))] {
        let names = names(&text);
        assert!(names.len() > 10, "{source} names {} metrics", names.len());
        let missing: Vec<_> = names.difference(&exist).collect();
        assert!(missing.is_empty(), "{source} names what is not in /metrics: {missing:?}");
    }
    server.stop();
}
