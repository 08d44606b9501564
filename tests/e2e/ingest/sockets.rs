//! The Unix socket: who may write to it, and what is left of it.

use super::trade;
use crate::harness::client::is;
use crate::harness::server::BINARY;
use crate::harness::{Client, PATIENCE, Server};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Short, since a socket's path has 107 bytes at most; removed at the end.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new(name: &str) -> SocketPath {
        let path = std::env::temp_dir().join(format!("tapecast-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        SocketPath(path)
    }

    fn feed(&self, options: &str) -> String {
        format!("unix:{}{options}", self.0.display())
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn publish(path: &Path, text: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("the feed listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.write_all(text.as_bytes()).expect("the feed reads");
    stream.shutdown(Shutdown::Write).expect("it is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the feed answers and closes");
    answer
}

/// Method: a socket that nobody answers at any more is there from before.
#[test]
fn the_socket_has_its_mode_replaces_a_stale_one_and_goes_with_the_server() {
    let path = SocketPath::new("mode");
    drop(UnixListener::bind(&path.0).expect("a path that is free"));
    let server = Server::with_feed(&path.feed(",mode=600"), "");
    server.wait_for_log("feed listens on unix:");
    let mode = fs::metadata(&path.0).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&channels=trades");
    let answer = publish(&path.0, &format!("{{\"action\":\"acks\"}}\n{}", trade("A", 1)));
    let last = answer.lines().last().expect("an ack");
    assert!(last.contains("\"lines\":1,\"records\":1"), "{answer}");
    assert_eq!(publish(&path.0, &trade("A", 2)), "", "who does not ask is not told");
    client.find("the second", |event| is(event, "t", "A") && event["sq"] == 2);
    server.stop();
    assert!(!path.0.exists(), "it is gone with the server");
}

#[test]
fn a_socket_in_use_and_a_file_are_not_touched() {
    let path = SocketPath::new("used");
    let first = Server::with_feed(&path.feed(""), "");
    first.wait_for_log("feed listens on unix:");
    let serve = |feed: &str| {
        let flags = ["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--feed", feed];
        let output = Command::new(BINARY).args(flags).output().expect("the binary runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = serve(&path.feed(""));
    assert!(error.contains("somebody answers there"), "{error}");
    assert_eq!(publish(&path.0, &trade("A", 1)), "", "the first goes on");
    let check = |flags: &[&str]| {
        let free = ["check", "--listen", "127.0.0.1:0", "--admin", "off", "--feed"];
        let mut command = Command::new(BINARY);
        let output = command.args(free).arg(path.feed("")).args(flags).output();
        String::from_utf8_lossy(&output.expect("the binary runs").stdout).into_owned()
    };
    assert!(check(&["--json"]).contains("somebody answers"), "it tries");
    let skipped = check(&["--json", "--skip-addresses"]);
    assert!(!skipped.contains("somebody answers"), "{skipped}");
    assert_eq!(publish(&path.0, &trade("A", 2)), "", "it still goes on");
    first.stop();
    fs::write(&path.0, "a file").expect("room on disk");
    let error = serve(&path.feed(""));
    assert!(error.contains("no socket; remove it"), "{error}");
    assert_eq!(fs::read_to_string(&path.0).expect("it is there"), "a file");
}
