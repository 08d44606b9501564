//! Every endpoint, with what it says of a server at work, and what it refuses.

use super::{Answer, ask, get, json, metric, read_answer};
use crate::harness::client::is;
use crate::harness::{Client, Raw, Server, wait_for};
use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

const MARKET: &str = "--shards 2 --feed synthetic:symbols=20,rate=2000";

#[test]
fn status_and_metrics_follow_what_clients_do() {
    let server = Server::start(MARKET);
    wait_for("readiness", || (get(&server, "/readyz").status == 200).then_some(()));
    assert_eq!(get(&server, "/livez").body, "ok\n");
    assert_eq!(get(&server, "/readyz").body, r#"{"ready":true,"reasons":[]}"#);
    let mut client = Client::connect(server.address, "/v1/stream?symbols=*");
    client.find("a quote", |event| is(event, "q", "AAPL"));
    let status = wait_for("a status that knows of the client", || {
        let status = json(&server, "/api/status");
        let totals = &status["totals"];
        (totals["sessions"] == 1 && totals["items_out"].as_u64() > Some(0)).then_some(status)
    });
    assert_eq!(status["state"], "serving");
    assert_eq!(status["stream"]["listen"], server.address.to_string());
    assert_eq!(status["feeds"][0]["feed"], "synthetic");
    assert_eq!(status["feeds"][0]["state"], "live");
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(2));
    assert_eq!(status["shards"][0]["breaker"], "normal");
    assert!(status["totals"]["bytes_out"].as_u64() > Some(100), "{status}");
    wait_for("latencies and a first point of the history", || {
        let status = json(&server, "/api/status");
        let latencies: Vec<_> =
            (0..2).filter_map(|s| status["shards"][s]["latency_us"]["p99"].as_u64()).collect();
        let point = &status["history"][0];
        let has_point = point["ticks_in"].as_u64() > Some(0) && point["t_s"].as_f64() <= Some(0.0);
        (latencies.iter().any(|p99| *p99 > 0) && has_point).then_some(())
    });

    let before = get(&server, "/metrics");
    assert_eq!(before.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(metric(&before.body, "tapecast_sessions", "subscribed"), 1.0);
    assert!(metric(&before.body, "tapecast_tick_to_socket_seconds_count", "") > 0.0);
    for name in ["ticks_in_total", "items_out_total", "frames_out_total", "sent_bytes_total"] {
        let name = format!("tapecast_{name}");
        let was = metric(&before.body, &name, "");
        wait_for(&name, || {
            client.events(); // who does not read is sent nothing more
            (metric(&get(&server, "/metrics").body, &name, "") > was).then_some(())
        });
    }
    client.close();
    wait_for("the close to be counted", || {
        let metrics = get(&server, "/metrics").body;
        let closed = metric(&metrics, "tapecast_sessions_closed_total", "client_closed");
        (closed == 1.0).then_some(())
    });
    server.stop();
}

#[test]
fn symbols_are_found_by_their_beginning_first() {
    let server = Server::start("--feed synthetic:symbols=20,rate=20000");
    let found = wait_for("both symbols", || {
        let found = json(&server, "/api/symbols?search=aa");
        found["symbols"].as_array().is_some_and(|all| !all.is_empty()).then_some(found)
    });
    assert_eq!(found["symbols"][0], "AAPL");
    wait_for("all 20 and the 26 for tests", || {
        let all = json(&server, "/api/symbols?limit=3");
        assert_eq!(all["symbols"].as_array().map(Vec::len), Some(3));
        (all["total"] == 46).then_some(())
    });
    assert_eq!(json(&server, "/api/symbols?search=nosuch")["total"], 0);
    server.stop();
}

#[test]
fn the_log_level_changes_while_it_runs() {
    let server = Server::start(MARKET);
    assert_eq!(json(&server, "/api/loglevel")["level"], "info");
    let put = |body: &str| ask(server.admin(), "PUT", "/api/loglevel", "Host: localhost\r\n", body);
    let cure = "send {\"level\":\"debug\"} or just debug";
    for (body, words) in [
        ("{\"level\":\"\\u0000=x\"}", ["\\0=x", "does not fit"]),
        ("loud", ["\"loud\"", "off, error, warn"]),
        ("{\"level\":5}", ["{\\\"level\\\":5}", cure]),
        ("{\"volume\":\"debug\"}", ["volume", cure]),
    ] {
        let bad = put(body);
        let error = bad.json()["error"].as_str().expect("an error").to_string();
        let has_all = words.iter().all(|word| error.contains(word));
        assert!(bad.status == 400 && has_all, "{body}: {error}");
    }
    assert_eq!(put("debug").json()["level"], "debug");
    assert_eq!(json(&server, "/api/loglevel")["level"], "debug");
    Client::connect(server.address, "/v1/stream").close();
    server.wait_for_log("session ended");
    assert_eq!(put("{\"level\":\"warn\"}").json()["level"], "warn");
    server.stop();
}

#[test]
fn what_is_wrong_is_named_with_its_cure() {
    let server = Server::start(MARKET);
    for (method, path, status, words) in [
        ("GET", "/api/nothing", 404, &["/api/nothing", "README"][..]),
        ("DELETE", "/api/status", 405, &["/api/status", "DELETE"]),
        ("GET", "/api/drain", 405, &["/api/drain"]),
        ("GET", "/api/sessions?limit=0", 400, &["limit=0", "1 to 1000"]),
        ("GET", "/api/sessions?limit=many", 400, &["limit"]),
        ("GET", "/api/sessions?state=odd", 400, &["state=odd", "lagging or all"]),
        ("GET", "/api/symbols?find=A", 400, &["find", "give search and limit"]),
        ("GET", "/api/symbols?limit=1&limit=2", 400, &["limit", "each once"]),
        ("GET", "/api/sessions?limit=1&limit=2", 400, &["limit", "each once"]),
    ] {
        let answer = ask(server.admin(), method, path, "Host: localhost\r\n", "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let error = answer.json()["error"].as_str().expect("an error").to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{path}: {error}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    server.stop();
}

/// What a page of another site can make the operator's browser send.
#[test]
fn pages_of_other_sites_are_refused() {
    let server = Server::start(MARKET);
    let refused = |method, path, headers| {
        let answer: Answer = ask(server.admin(), method, path, headers, "");
        assert_eq!(answer.status, 403, "{headers}: {}", answer.body);
    };
    refused("POST", "/api/drain", "Host: localhost\r\nOrigin: http://evil.example\r\n");
    refused("POST", "/api/drain", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n");
    refused("PUT", "/api/loglevel", "Host: evil.example\r\nOrigin: http://evil.example\r\n");
    refused("GET", "/api/sessions", "Host: evil.example\r\n");
    let scraped = ask(server.admin(), "GET", "/metrics", "Host: tape.example\r\n", "");
    assert_eq!(scraped.status, 200, "a scraper has its own name for this host");
    assert_eq!(json(&server, "/api/status")["state"], "serving");
    let page = get(&server, "/");
    let policy = page.header("content-security-policy").expect("pages have one");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    server.stop();
}

#[test]
fn heads_and_bodies_are_bounded_and_many_connections_wait() {
    let server = Server::start(MARKET);
    let long = format!("Host: localhost\r\nX-Long: {}\r\n", "x".repeat(40_000));
    let answer = ask(server.admin(), "GET", "/livez", &long, "");
    assert_eq!(answer.status, 431, "{}", answer.body);
    let large = "x".repeat(10_000);
    let answer = ask(server.admin(), "PUT", "/api/loglevel", "Host: localhost\r\n", &large);
    assert_eq!(answer.status, 413, "{}", answer.body);
    // More than are served at once, and none of them says anything: each loses its place.
    let mut silent: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(server.admin()).expect("a backlog")).collect();
    assert_eq!(get(&server, "/livez").status, 200);
    let last = silent.last_mut().expect("forty");
    last.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it is open");
    assert_eq!(read_answer(last).status, 200);
    server.stop();
}

#[test]
fn a_taken_port_is_an_error_that_names_the_cure_and_off_is_off() {
    let first = Server::start("");
    let address = first.admin().to_string();
    let output = Command::new(crate::harness::server::BINARY)
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", &address])
        .stdin(Stdio::null())
        .output()
        .expect("the binary that cargo has just built");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&address) && text.contains("--admin off"), "{text}");
    first.stop();
    let without = Server::start("--admin off");
    assert!(without.admin_if_any().is_none());
    without.stop();
}

#[test]
fn addresses_are_told_nowhere_where_that_is_asked() {
    let server = Server::start("--max-sessions 1 --shards 1 --log-addresses false");
    let _one = Client::connect(server.address, "/v1/stream?symbols=AAPL");
    wait_for("the session", || {
        let listed = json(&server, "/api/sessions?state=all");
        let one = listed["sessions"].get(0)?.clone();
        assert!(one["address"].is_null(), "{one}");
        Some(())
    });
    let mut refused = Raw::connect(server.address);
    refused.write(crate::harness::raw::request("/v1/stream").as_bytes());
    server.wait_for_log("connection refused");
    assert!(!server.log().contains("127.0.0.1"), "{}", server.log());
    wait_for("the refusal to be counted", || {
        let metrics = get(&server, "/metrics").body;
        (metric(&metrics, "tapecast_refusals_total", "sessions_full") == 1.0).then_some(())
    });
    let ready = get(&server, "/readyz");
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert!(ready.body.contains("full"), "{}", ready.body);
    server.stop();
}
