//! Clients that are not ours: Python's `websockets`, Alpaca's SDK, Node's `ws`.
//!
//! Method: scripts in `tests/clients`, each of which asserts in its own language what it gets and
//! ends with code 0. What they import is installed by `tests/run`, in pinned versions.

use crate::harness::{Server, generator, script};
use std::path::Path;

#[test]
fn python_websockets_subscribes_by_url_and_by_message() {
    let server = Server::start("");
    script::run("websockets_client.py", &server, &[]);
    server.stop();
}

#[test]
fn node_ws_subscribes_by_url_and_by_message() {
    let server = Server::start("");
    script::run("ws_client.mjs", &server, &[]);
    server.stop();
}

/// Method: the SDK with nothing but its URL changed, MessagePack and all; trades and quotes of
/// the synthetic feed's test symbols in its own models.
#[test]
fn alpaca_sdk_streams_after_a_change_of_its_url() {
    let server = Server::start("");
    script::run("alpaca_client.py", &server, &["TEST.A", "TEST.B"]);
    server.stop();
}

/// Method: bars close by event time, so a recording gives half an hour of them at once; the
/// script compares every trade that the SDK gives it with the file, and wants a bar of each symbol.
#[test]
fn alpaca_sdk_gets_a_recordings_trades_and_bars() {
    let text = generator::lines(20_000);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alpaca.ndjson");
    std::fs::write(&path, text).expect("room on disk");
    let feed = format!("replay:{},speed=max,wait=1", path.display());
    let server = Server::with_feed(&feed, "");
    script::run("alpaca_recording.py", &server, &[path.to_str().expect("UTF-8")]);
    server.stop();
}
