//! A server that is full.
//!
//! Method: a process that may open few descriptors; connections up to its limit are served, those
//! above it are refused in HTTP and served again once others have left.

use crate::harness::{Client, Raw, Server, raw, server::BINARY, wait_for};
use std::process::Command;

#[test]
fn a_full_server_refuses_in_http_and_recovers() {
    let mut command = Command::new("sh");
    let start = format!("ulimit -n 160 && exec '{BINARY}' serve --listen 127.0.0.1:0 --shards 1");
    command.args(["-c", &start]);
    let server = Server::spawn(command);
    let mut clients = Vec::new();
    let refusal = loop {
        let mut client = Raw::connect(server.address);
        client.write(raw::request("/v1/stream").as_bytes());
        let head = client.head();
        if !head.starts_with("HTTP/1.1 101 ") {
            break head;
        }
        clients.push(client);
        assert!(clients.len() < 160, "no limit holds");
    };
    assert!(refusal.starts_with("HTTP/1.1 503 ") && refusal.contains("\r\nRetry-After: "));
    assert_eq!(clients.len(), 160 - 128 - 16, "what is printed at start as the limit");
    clients.clear();
    wait_for("room again", || {
        let mut client = Raw::connect(server.address);
        client.write(raw::request("/v1/stream").as_bytes());
        client.head().starts_with("HTTP/1.1 101 ").then_some(())
    });
    Client::connect(server.address, "/v1/stream").close();
    server.stop();
}
