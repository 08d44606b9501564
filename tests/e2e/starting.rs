//! Starting: what is printed, and what wrong use is told.
//!
//! Method: the binary with arguments, its exit code, and words that its message must have.

use crate::harness::{Server, server::BINARY};
use std::net::TcpListener;
use std::process::{Command, Output};

fn tapecast(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().expect("the binary that cargo has just built")
}

fn expect(arguments: &[&str], code: i32, words: &[&str]) {
    let output = tapecast(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{arguments:?}: {word:?} is not in: {text}");
    }
}

#[test]
fn wrong_use_is_exit_code_2_and_names_the_flag() {
    let free = ["serve", "--listen", "127.0.0.1:0", "--admin", "off"];
    for (flags, words) in [
        (&["--nonsense"][..], &["--nonsense"][..]),
        (&["--shards", "0"], &["--shards 0", "from 1"]),
        (&["--shards", "many"], &["--shards", "many"]),
        (&["--feed", "nasdaq"], &["--feed nasdaq", "synthetic, replay:PATH"]),
        (&["--feed", "api", "--feed", "api"], &["--feed api", "twice"]),
        (&["--feed", "tcp:9100"], &["--feed tcp", "9100", "tcp:127.0.0.1:9100"]),
        (&["--feed", "synthetic:rate=fast"], &["rate=fast", "whole number"]),
        (&["--feed", "replay:"], &["--feed replay", "replay:PATH"]),
        (&["--tape-ticks", "0"], &["--tape-ticks 0", "from 1"]),
        (&["--close-ms", "1"], &["--close-ms 1", "from 100"]),
    ] {
        expect(&[&free[..], flags].concat(), 2, words);
    }
    expect(&["serve", "--listen", "here"], 2, &["--listen"]);
    expect(&["subscribe", "ws://127.0.0.1:1"], 2, &["symbol"]);
    expect(&["subscribe", "http://127.0.0.1:1", "A"], 2, &["ws://"]);
    expect(&["publish", "--to", "nats://a"], 2, &["--feed is missing", "--feed synthetic"]);
    let publish = ["publish", "--to", "nats://a", "--subject", "a.>", "--feed", "nasdaq"];
    expect(&publish, 2, &["--subject \"a.>\"", "--feed nasdaq"]);
    expect(&["load", "ws://127.0.0.1:1"], 2, &["--symbols"]);
    expect(&["load", "ws://a", "--symbols", "A", "--connections", "0"], 2, &["--connections 0"]);
    expect(&["load", "ws://a", "--symbols-each", "5"], 2, &["--symbols-of"]);
    expect(&["load", "ws://a", "--symbols", "A", "--dialect", "smoke"], 2, &["messages", "nats"]);
}

#[test]
fn what_cannot_be_had_is_exit_code_1_and_names_the_cure() {
    let missing = "replay:does/not/exist.ndjson";
    let free = ["serve", "--listen", "127.0.0.1:0", "--admin", "off"];
    expect(&[&free[..], &["--feed", missing]].concat(), 1, &["does/not/exist.ndjson", "path"]);
    expect(&[&free[..], &["--feed", "replay:/"]].concat(), 1, &["not a regular file"]);
    expect(&["serve", "--admin", "off", "--listen", "192.0.2.1:0"], 1, &["192.0.2.1"]);
}

/// Method: the port is held once by a plain listener and once by another server, whose sockets
/// would share it.
#[test]
fn a_port_in_use_is_an_error() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = Server::start("");
    for address in [holder.local_addr().expect("bound"), server.address] {
        let address = address.to_string();
        expect(&["serve", "--admin", "off", "--listen", &address], 1, &[&address, "in use"]);
    }
    server.stop();
}

#[test]
fn help_shows_flags_with_their_defaults() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["load", "--help"]] {
        let output = tapecast(arguments);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("[default: "), "{text}");
    }
}
