//! `tapecast check`: what it finds on this machine, and on one that lacks something.
//!
//! Method: the binary with arguments, under a limit or a filter of system calls where something
//! is to be lacking; its exit code, its JSON, and its table.

use crate::harness::server::BINARY;
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Output};

/// Runs `script` by sh; in it, `"$@"` is `tapecast check` with these flags.
fn check_in(script: &str, flags: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", BINARY, "check"]).args(flags);
    command.output().expect("every machine has sh")
}

fn check(flags: &[&str]) -> Output {
    check_in("exec \"$@\"", flags)
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    })
}

/// The finding of that name.
fn finding<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["findings"].as_array().expect("a list");
    all.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))
}

const FREE: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

#[test]
fn a_machine_on_which_the_server_starts_has_no_must() {
    let output = check(&[&FREE[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = report(&output);
    assert_eq!((&report["ok"], &report["musts"]), (&Value::Bool(true), &Value::from(0)));
    for name in
        ["kernel", "io_uring ring", "io_uring multishot receive", "--listen", "--admin", "memory"]
    {
        assert_eq!(finding(&report, name)["level"], "ok", "{report}");
    }
    for finding in report["findings"].as_array().expect("a list") {
        let is_bad = matches!(finding["level"].as_str(), Some("should" | "must"));
        let cure = finding["cure"].as_str().expect("a text");
        assert_eq!(is_bad, !cure.is_empty(), "{finding}");
    }
}

#[test]
fn the_table_fits_80_columns_and_says_what_it_comes_to() {
    let output = check(&[&FREE[..], &["--backlog", "1000000"]].concat());
    assert_eq!(output.status.code(), Some(0), "a should is no failure");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("should  net.core.somaxconn"), "{text}");
    assert!(text.contains("-> sysctl -w net.core.somaxconn=1000000"), "{text}");
    assert!(text.contains(" looked at: "), "{text}");
}

#[test]
fn an_address_in_use_is_a_must_unless_it_is_not_to_be_tried() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = holder.local_addr().expect("bound").to_string();
    let output = check(&["--json", "--admin", "off", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let report = report(&output);
    let found = finding(&report, "--listen");
    assert_eq!((&report["ok"], &found["level"]), (&Value::Bool(false), &Value::from("must")));
    assert!(found["why"].as_str().is_some_and(|why| why.contains("in use")), "{found}");
    let output = check(&["--skip-addresses", "--listen", &address]);
    assert_eq!(output.status.code(), Some(0));
}

/// Method: what is not there, and what may not be read as a file; `--skip-addresses` still looks at
/// files.
#[test]
fn a_feed_that_cannot_be_opened_is_a_must() {
    for (feed, why) in [("replay:/nonexistent.ndjson", "No such file"), ("replay:/", "regular")] {
        let output = check(&["--json", "--skip-addresses", "--feed", feed]);
        assert_eq!(output.status.code(), Some(1), "{feed}");
        let report = report(&output);
        let found = finding(&report, "--feed");
        assert_eq!(found["level"], "must", "{found}");
        assert!(found["why"].as_str().is_some_and(|text| text.contains(why)), "{found}");
        assert!(found["cure"].as_str().is_some_and(|text| !text.is_empty()), "{found}");
    }
}

#[test]
fn low_limits_of_the_process_are_found() {
    let flags = [&FREE[..], &["--json", "--shards", "1", "--max-sessions", "5000"]].concat();
    let output = check_in("ulimit -n 1024 && exec \"$@\"", &flags);
    assert_eq!(output.status.code(), Some(1), "the server does not start with fewer");
    let found = report(&output);
    let files = finding(&found, "open files (ulimit -Hn)");
    assert_eq!(files["level"], "must");
    assert!(files["cure"].as_str().is_some_and(|cure| cure.contains("LimitNOFILE=")), "{files}");
    let output = check_in("ulimit -n 100 && exec \"$@\"", &flags);
    assert_eq!(output.status.code(), Some(1), "nobody could be served");
    let output = check_in("prlimit --memlock=65536:65536 --pid $$ && exec \"$@\"", &flags);
    assert_eq!(output.status.code(), Some(1), "no shard would start");
    let found = report(&output);
    assert_eq!(finding(&found, "locked memory (ulimit -l)")["level"], "must");
}

/// The limit that is named does suffice: the server then has room for what was asked.
#[test]
fn the_limit_of_open_files_that_is_wanted_has_room_for_the_sessions() {
    let flags = [&FREE[..], &["--json", "--shards", "2", "--max-sessions", "3000"]].concat();
    let wanted = report(&check_in("ulimit -n 1024 && exec \"$@\"", &flags));
    let wanted = finding(&wanted, "open files (ulimit -Hn)")["wanted"].clone();
    let wanted = wanted.as_str().expect("a text").split(' ').next().expect("a number").to_string();
    let found = report(&check_in(&format!("ulimit -n {wanted} && exec \"$@\""), &flags));
    let files = finding(&found, "open files (ulimit -Hn)");
    assert_eq!(files["found"], format!("{wanted}: 3000 sessions"));
}

/// Method: a filter of system calls (seccomp(2)), as containers have it, which `forbid.py` sets
/// before it becomes the program. The server says the same when it is started there.
#[test]
fn io_uring_that_is_forbidden_is_a_must_in_plain_words() {
    let launcher = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/forbid.py");
    // io_uring_setup alone, and io_uring_enter alone; the numbers are those of all architectures.
    for call in ["425", "426"] {
        let script = format!("exec python3 {launcher} {call} \"$@\"");
        let output = check_in(&script, &[&FREE[..], &["--json"]].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let report = report(&output);
        let found = finding(&report, "io_uring ring");
        assert_eq!(found["level"], "must");
        let text = |key: &str| found[key].as_str().expect("a text").to_string();
        assert!(text("why").contains("seccomp") && text("cure").contains("allow io_uring_setup"));
        let output = Command::new("python3")
            .args([launcher, call, BINARY, "serve"])
            .args(FREE)
            .output()
            .expect("tests/run installs python3");
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("io_uring is forbidden"));
    }
}

#[test]
fn wrong_use_is_exit_code_2() {
    for flags in [&["--shards", "0"][..], &["--nonsense"]] {
        assert_eq!(check(flags).status.code(), Some(2), "{flags:?}");
    }
}
