//! `tapecast record`: what feeds give, kept in files that replay to the same.
//!
//! Method: the binary as a user runs it. Its files are read with a zstd of our own and held
//! against what was fed, line by line as JSON; and they are replayed by a server.

use crate::harness::client::is;
use crate::harness::{Client, Recording, Server, server::BINARY, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("room on disk");
    path
}

fn record(feed: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["record", "--feed", feed, "--out"]).arg(out).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends with 0, and gives what it printed and logged.
fn recorded(mut command: Command) -> String {
    let output = command.output().expect("the binary that cargo has just built");
    let text = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

fn text_of(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    texts.concat()
}

fn names(out: &Path) -> Vec<String> {
    let entries = fs::read_dir(out).expect("a folder").map(|entry| entry.expect("readable"));
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().into_string().expect("ASCII")).collect();
    names.sort();
    names
}

/// Lines of all complete files, in order of their numbers.
fn lines(out: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for name in names(out).iter().filter(|name| name.ends_with(".ndjson.zst")) {
        let file = fs::read(out.join(name)).expect("a file");
        let text = zstd::decode_all(&file[..]).expect("whole frames");
        all.extend(String::from_utf8(text).expect("UTF-8").lines().map(str::to_string));
    }
    all
}

/// Without what a recording adds: numbers, and zeros at the end of prices.
fn comparable(line: &str) -> Value {
    let mut value: Value = serde_json::from_str(line).expect("a line is JSON");
    let members = value.as_object_mut().expect("an object");
    members.remove("sq");
    for member in ["p", "s", "bp", "bs", "ap", "as"] {
        if let Some(number) = members.get(member).and_then(Value::as_f64) {
            members.insert(member.to_string(), number.into());
        }
    }
    value
}

fn trade(id: u64) -> String {
    format!(
        "{{\"T\":\"t\",\"S\":\"A\",\"i\":{id},\"p\":1.5,\"s\":2,\"t\":\"2013-10-08T13:30:00Z\"}}\n"
    )
}

/// Method: a recording is replayed into another, cut into several files; trades and quotes must
/// be those of the first, in its order for each symbol. The second is replayed by a server, and
/// recorded once more from its stream, with the numbers that it gives.
#[test]
fn a_recording_of_a_recording_is_the_same() {
    let source = Recording::all().first().expect("one is made up");
    let out = folder("same");
    let said = recorded(record(&source.feed("speed=max"), &out, &["--cut-mb", "1"]));
    assert!(!names(&out).iter().any(|name| name.ends_with(".part")), "{:?}", names(&out));
    let text =
        flate2::read::MultiGzDecoder::new(fs::File::open(&source.path).expect("it is there"));
    let mut original = String::new();
    BufReader::new(text).read_to_string(&mut original).expect("a whole file");
    let original: Vec<Value> = original.lines().map(comparable).collect();
    let of_the_feed = |line: &Value| line["T"] == "t" || line["T"] == "q";
    let again: Vec<Value> = lines(&out).iter().map(|line| comparable(line)).collect();
    let again: Vec<Value> = again.into_iter().filter(of_the_feed).collect();
    assert_eq!(again.len(), original.len(), "{said}");
    for (at, (original, again)) in original.iter().zip(&again).enumerate() {
        let members = again.as_object().expect("an object");
        let differs =
            members.iter().find(|(name, value)| *name != "t" && original.get(*name) != Some(value));
        assert_eq!(differs, None, "line {at}: {original}");
    }
    assert!(said.contains(" 0 gaps (0 trades missing)"), "{said}");
}

/// Method: killed while it writes; the next start completes what is whole, and goes on behind it.
#[test]
fn what_a_killed_recording_left_is_completed() {
    let out = folder("killed");
    let mut child = record("stdin", &out, &[]).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    let part = |out: &Path| names(out).into_iter().find(|name| name.ends_with(".part"));
    let length = |out: &Path| {
        let name = part(out)?;
        fs::metadata(out.join(name)).ok().map(|data| data.len()).filter(|length| *length > 0)
    };
    for id in 1..=1_000 {
        stdin.write_all(trade(id).as_bytes()).expect("it reads");
    }
    let first = wait_for("the first frame", || length(&out));
    for id in 1_001..=2_000 {
        stdin.write_all(trade(id).as_bytes()).expect("it reads");
    }
    wait_for("the second frame", || length(&out).filter(|length| *length > first));
    child.kill().expect("it runs");
    child.wait().expect("it is our child");
    let name = part(&out).expect("it was not completed");
    // As a crash of the machine would leave it.
    let mut torn = fs::OpenOptions::new().append(true).open(out.join(&name)).expect("a file");
    torn.write_all(&[0x28, 0xb5, 0x2f, 0xfd, 7, 7, 7]).expect("room on disk");
    drop(torn);
    let mut again = record("stdin", &out, &[]);
    let mut child = again.spawn().expect("it runs");
    child.stdin.take().expect("piped").write_all(trade(2_001).as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends with its input");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("7 bytes behind its last whole frame were cut off"), "{said}");
    assert_eq!(names(&out).len(), 2, "{:?}", names(&out));
    let ids = ids(&lines(&out));
    assert_eq!(ids.len(), 2_001);
    assert!(ids.iter().zip(1..).all(|(got, id)| *got == id), "none is missing, none twice");
    let server = Server::with_feed(
        &format!("replay:{},speed=max,wait=1", out.join(name.trim_end_matches(".part")).display()),
        "--shards 1",
    );
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&channels=trades");
    client.until("the last", |event| is(event, "t", "A") && event["i"] == 2_000);
    server.stop();
}

fn ids(lines: &[String]) -> Vec<u64> {
    let values = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let trades = values.filter(|line| line["T"] == "t");
    trades.map(|line| line["i"].as_u64().expect("an id")).collect()
}

/// Method: a stream of another server; ended by SIGTERM. Its numbers are in the file, without a
/// hole, and a second recorder of the same name is turned away while the first runs.
#[test]
fn a_stream_is_recorded_with_its_numbers_until_sigterm() {
    let server = Server::start("--feed synthetic:symbols=20,rate=2000 --shards 1");
    let out = folder("stream");
    let child = record(&server.url("/v1/stream"), &out, &[]).spawn().expect("it runs");
    wait_for("a frame", || {
        let name = names(&out).into_iter().next()?;
        fs::metadata(out.join(name)).ok().filter(|data| data.len() > 0)
    });
    let second = record("synthetic", &out, &["--seconds", "1"]).output().expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    assert!(text_of(&second).contains("is being written by another process"));
    end(&child);
    let output = child.wait_with_output().expect("it ends");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let mut last = std::collections::BTreeMap::new();
    for line in lines(&out) {
        let line: Value = serde_json::from_str(&line).expect("JSON");
        if line["T"] == "t" {
            let (symbol, sq) = (line["S"].to_string(), line["sq"].as_u64().expect("a number"));
            let before = last.insert(symbol.clone(), sq);
            assert!(before.is_none_or(|before| sq == before + 1), "{symbol} {sq} after {before:?}");
        }
    }
    assert!(!last.is_empty(), "{said}");
    server.stop();
}

fn end(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).expect("it is ours and not waited for");
}

/// Ends the mount, whatever happens.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(path: &Path, size: &str) -> Mounted {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(path);
        let output = mount.output().expect("mount(8) is part of every Debian");
        assert!(output.status.success(), "run as root: {}", text_of(&output));
        Mounted(path.to_path_buf())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: nobody must still have it open for the test to end.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Method: a disk of one megabyte. What fits is kept in whole frames under its own name.
#[test]
fn a_full_disk_is_an_error_that_keeps_what_was_written() {
    let out = folder("full");
    let mounted = Mounted::tmpfs(&out, "1m");
    let feed = "synthetic:symbols=50,rate=200000";
    let output = record(feed, &out, &["--seconds", "60"]).output().expect("it runs");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write to") && said.contains("No space left"), "{said}");
    assert!(said.contains(".ndjson.zst") && said.contains("could not be written"), "{said}");
    let names = names(&out);
    assert!(names.len() == 1 && names[0].ends_with(".ndjson.zst"), "{names:?}");
    assert!(!lines(&out).is_empty(), "whole frames, all of which can be read");
    drop(mounted);
}

#[test]
fn wrong_use_is_named() {
    let out = folder("wrong");
    for (feed, more, code, word) in [
        ("nonsense", &[][..], 2, "nonsense"),
        ("synthetic", &["--name", "a/b"][..], 2, "a/b"),
        ("replay:absent.ndjson", &[][..], 1, "absent.ndjson"),
        ("synthetic", &["--level", "99"][..], 2, "99"),
        ("ws://h?encoding=msgpack", &[][..], 2, "encoding"),
    ] {
        let output = record(feed, &out, more).output().expect("it runs");
        let said = text_of(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(word), "{said}");
    }
    assert!(names(&out).is_empty());
}
