//! `POST /api/publish`.

use super::{counts, feed, trade};
use crate::admin::ask;
use crate::harness::client::is;
use crate::harness::{Client, Server};

const LOCAL: &str = "Host: localhost\r\n";

#[test]
fn a_body_of_lines_is_answered_when_they_have_their_numbers() {
    let server = Server::with_feed("api:map=OLD:NEW", "");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=NEW&channels=trades");
    let post = |body: &str| ask(server.admin(), "POST", "/api/publish", LOCAL, body);
    let answer = post(&(trade("OLD", 1) + "\nnonsense\n" + trade("OLD", 2).trim_end()));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let report = answer.json();
    assert_eq!(counts(&report), [3, 2, 1, 0, 0]);
    assert_eq!(report["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["errors"][0]["line"], 3, "{report}");
    let status = feed(&server, 0);
    assert_eq!((status["feed"].as_str(), status["ticks"].as_u64()), (Some("api"), Some(2)));
    client.find("the second", |event| is(event, "t", "NEW") && event["sq"] == 2);
    let large: String = (0..5_000).map(|at| trade("OLD", at)).collect();
    assert_eq!(counts(&post(&large).json()), [5_000, 5_000, 0, 0, 0]);
    server.stop();
}

#[test]
fn what_is_refused_says_why() {
    let server = Server::with_feed("api", "");
    let post = |headers: &str, body: &str| {
        let answer = ask(server.admin(), "POST", "/api/publish", headers, body);
        (answer.status, answer.body)
    };
    let (status, body) = post(LOCAL, "nonsense\n");
    assert!(status == 400 && body.contains("\"bad\":1") && body.contains("JSON object"), "{body}");
    let (status, body) = post(LOCAL, "\n");
    assert!(status == 400 && body.contains("no line") && body.contains("a line"), "{body}");
    let (status, body) = post(LOCAL, &"x".repeat(1024 * 1024 + 1));
    assert!(status == 413 && body.contains("tcp:"), "{status} {body}");
    let (status, body) = post("Host: localhost\r\nOrigin: http://evil.example\r\n", "x");
    assert!(status == 403 && body.contains("evil.example"), "{body}");
    let answer = ask(server.admin(), "GET", "/api/publish", LOCAL, "");
    assert_eq!(answer.status, 405);
    server.stop();

    let server = Server::with_feed("synthetic", "");
    let answer = ask(server.admin(), "POST", "/api/publish", LOCAL, &trade("A", 1));
    assert!(answer.status == 409 && answer.body.contains("--feed api"), "{}", answer.body);
    server.stop();
}
