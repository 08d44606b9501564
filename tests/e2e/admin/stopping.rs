//! A stop over the admin port is the same as by a signal.

use super::{ask, get, json};
use crate::harness::{Client, Server, wait_for};
use rustix::process::Signal;

#[test]
fn drain_tells_clients_and_ends_the_server_with_0() {
    let mut server = Server::start("--drain-seconds 2");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=AAPL");
    client.find("the market", |event| event["T"] == "q");
    let drain = || ask(server.admin(), "POST", "/api/drain", "Host: localhost\r\n", "");
    let answer = drain();
    assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"state":"draining"}"#));
    assert_eq!(drain().status, 202, "asked twice, it is still one stop");
    let status = wait_for("the state", || {
        Some(json(&server, "/api/status")).filter(|status| status["state"] == "draining")
    });
    assert_eq!(status["ready"], false);
    let ready = get(&server, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("the server stops"), "{}", ready.body);
    assert_eq!(get(&server, "/livez").status, 200, "a server that stops is alive");
    client.find("the word of it", |event| event["T"] == "shutdown");
    let status = server.wait_exit();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(server.log().contains("POST /api/drain: stopping"), "{}", server.log());
}

/// As a supervisor does it that drains first and ends the process then: nobody is cut.
#[test]
fn a_signal_after_drain_goes_on_with_the_same_stop() {
    let mut server = Server::start("--drain-seconds 2");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=AAPL");
    client.find("the market", |event| event["T"] == "q");
    assert_eq!(ask(server.admin(), "POST", "/api/drain", "Host: localhost\r\n", "").status, 202);
    wait_for("the stop", || server.log().contains("POST /api/drain: stopping").then_some(()));
    server.signal(Signal::TERM);
    wait_for("the signal", || server.log().contains("SIGTERM: the stop goes on").then_some(()));
    client.find("the word of it", |event| event["T"] == "shutdown");
    assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());
}

/// A server without clients ends at once, but not before who asked for it has the answer.
#[test]
fn who_asks_for_the_stop_of_an_idle_server_is_answered() {
    for _ in 0..5 {
        let mut server = Server::start("--drain-seconds 5");
        let answer = ask(server.admin(), "POST", "/api/drain", "Host: localhost\r\n", "");
        assert_eq!(answer.status, 202);
        assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());
    }
}
