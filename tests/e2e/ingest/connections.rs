//! Many connections, their acks, and what one of them does to the others.

use super::{Publisher, counts, feed, tcp_address, trade};
use crate::admin;
use crate::harness::client::is;
use crate::harness::{Client, Server, wait_for};
use std::collections::BTreeSet;
use std::net::Shutdown;
use std::thread;

const FEED: &str = "tcp:127.0.0.1:0";

#[test]
fn acks_come_after_so_many_lines_at_a_pause_and_at_the_end() {
    let server = Server::with_feed(FEED, "");
    let mut publisher = Publisher::connect(tcp_address(&server));
    publisher.send("{\"action\":\"acks\",\"every\":2,\"id\":\"mine\"}\n");
    let first = publisher.ack();
    assert_eq!((counts(&first), first["id"].as_str()), ([0; 5], Some("mine")));
    publisher.send(&(trade("A", 1) + &trade("A", 2)));
    assert_eq!(counts(&publisher.ack()), [2, 2, 0, 0, 0]);
    publisher.send(&trade("A", 3));
    assert_eq!(counts(&publisher.ack()), [3, 3, 0, 0, 0], "at a pause");
    // Half a line is none yet; at a clean end it is one, without its newline.
    let line = trade("A", 4);
    publisher.send(&line[..line.len() / 2]);
    publisher.send(line[line.len() / 2..].trim_end());
    let rest = publisher.finish();
    assert_eq!(rest.iter().map(counts).collect::<Vec<_>>(), [[4, 4, 0, 0, 0]]);
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&channels=bars");
    client.send(serde_json::json!({"action": "ping"}));
    client.find("that the server goes on", |event| event["T"] == "pong");
    server.stop();
}

#[test]
fn garbage_costs_its_own_lines_alone() {
    let server = Server::with_feed(FEED, "");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=A&channels=trades");
    let address = tcp_address(&server);
    let mut other = Publisher::with_acks(address, 1);
    let mut publisher = Publisher::with_acks(address, 1_000);
    let long = "x".repeat(70_000);
    let bad = ["garbage", "{}", "[1]", "{\"T\":\"epoch\",\"epoch\":\"e\"}", "\u{1}", &long];
    let mut text = String::new();
    for (at, line) in bad.iter().enumerate() {
        text += &format!("{}\n\n{line}\r\n", trade("A", at as u64 + 1).trim_end());
    }
    publisher.send(&text);
    other.send(&trade("A", 7));
    assert_eq!(counts(&other.ack()), [1, 1, 0, 0, 0]);
    publisher.stream.shutdown(Shutdown::Write).expect("it is open");
    let lines: Vec<_> = std::iter::from_fn(|| publisher.line()).collect();
    let errors: Vec<_> = lines.iter().filter(|line| line["T"] == "error").collect();
    // After the request, each bad line is the third of three.
    let numbers: Vec<_> = errors.iter().filter_map(|error| error["line"].as_u64()).collect();
    assert_eq!(numbers, [4, 7, 10, 13, 16, 19], "{lines:?}");
    let epoch = errors[3]["msg"].as_str().expect("a text");
    assert!(epoch.contains("line=NAME"), "{epoch}");
    assert!(errors[5]["msg"].as_str().expect("a text").contains("65536"), "{:?}", errors[5]);
    assert_eq!(counts(lines.last().expect("an ack")), [12, 6, 6, 0, 0]);
    let got = client.until("seven trades", |event| is(event, "t", "A") && event["sq"] == 7);
    let ids = got.iter().filter(|e| is(e, "t", "A")).filter_map(|e| e["i"].as_u64());
    assert_eq!(ids.collect::<BTreeSet<_>>(), (1..=7).collect());
    server.stop();
}

/// Method: forty publishers at once, each with its own symbol, in pieces that do not end where
/// lines do, every tenth line bad; their counts, the admin port's and a subscriber's must agree.
#[test]
fn the_counts_of_many_publishers_add_up() {
    const PUBLISHERS: u64 = 40;
    const LINES: u64 = 2_000;
    let server = Server::with_feed(FEED, "");
    let mut client = Client::connect(server.address, "/v1/stream?symbols=*&channels=trades");
    let address = tcp_address(&server);
    let publishing = (0..PUBLISHERS).map(|number| {
        thread::spawn(move || {
            let mut publisher = Publisher::with_acks(address, 500);
            let line = |at| match at % 10 {
                0 => "bad\n".to_string(),
                _ => trade(&format!("P{number}"), at),
            };
            let text: String = (1..=LINES).map(line).collect();
            for piece in text.as_bytes().chunks(4_999) {
                publisher.send(std::str::from_utf8(piece).expect("ASCII"));
            }
            let told = publisher.finish();
            let ack = told.iter().rfind(|line| line["T"] == "ack").expect("the last");
            let errors = told.iter().filter(|line| line["T"] == "error");
            let of = |line: &serde_json::Value| line["suppressed"].as_u64().unwrap_or(0);
            let left_out: u64 = told.iter().map(of).sum();
            // Some of them came before the last line was sent.
            assert!(errors.count() as u64 + left_out <= LINES / 10);
            counts(ack)
        })
    });
    let publishing: Vec<_> = publishing.collect();
    let good = LINES - LINES / 10;
    let mut trades = 0;
    while trades < PUBLISHERS * good {
        trades += client.events().iter().filter(|event| event["T"] == "t").count() as u64;
    }
    for publisher in publishing {
        let counts = publisher.join().expect("its thread ends in order");
        assert_eq!(counts, [LINES, good, LINES / 10, 0, 0]);
    }
    assert_eq!(trades, PUBLISHERS * good);
    let status = wait_for("all connections to be over", || {
        let status = feed(&server, 0);
        (status["publishers"]["connections"] == 0).then_some(status)
    });
    assert_eq!(status["publishers"]["lines"], PUBLISHERS * LINES);
    assert_eq!(status["bad_lines"], PUBLISHERS * LINES / 10);
    assert_eq!(status["ticks"], PUBLISHERS * good);
    let metrics = admin::get(&server, "/metrics").body;
    let lines = admin::metric(&metrics, "tapecast_feed_lines_total", "tcp");
    assert_eq!(lines as u64, PUBLISHERS * LINES);
    server.stop();
}

/// Method: one asks for an ack and an error a line and never reads; what it sends is taken
/// nevertheless, and who reads later finds the newest counts.
#[test]
fn who_does_not_read_its_acks_holds_up_nobody() {
    const LINES: u64 = 200_000;
    let server = Server::with_feed(FEED, "");
    let address = tcp_address(&server);
    let mut deaf = Publisher::connect(address);
    deaf.send("{\"action\":\"acks\",\"every\":1}\n");
    let text: String = (0..1_000).map(|at| trade("DEAF", at)).collect();
    for _ in 0..LINES / 1_000 {
        deaf.send(&text);
    }
    let mut other = Publisher::with_acks(address, 1);
    other.send(&trade("OTHER", 1));
    assert_eq!(counts(&other.ack()), [1, 1, 0, 0, 0]);
    wait_for("every line to be taken", || {
        (feed(&server, 0)["publishers"]["lines"] == LINES + 1).then_some(())
    });
    let told = deaf.finish();
    assert_eq!(counts(told.last().expect("an ack")), [LINES, LINES, 0, 0, 0]);
    let grows = told.windows(2).all(|pair| counts(&pair[0])[0] <= counts(&pair[1])[0]);
    assert!(grows, "acks never go back");
    server.stop();
}

#[test]
fn one_connection_too_many_is_told_so_and_places_come_back() {
    let server = Server::with_feed("tcp:[::1]:0,connections=2", "");
    let address = tcp_address(&server);
    assert!(address.is_ipv6());
    let mut first = Publisher::with_acks(address, 1);
    let second = Publisher::with_acks(address, 1);
    let mut third = Publisher::connect(address);
    let error = third.line().expect("a reason");
    let msg = error["msg"].as_str().expect("a text");
    assert!(error["T"] == "error" && msg.contains("2 publishers"), "{error}");
    assert_eq!(third.line(), None);
    wait_for("it to be counted", || (feed(&server, 0)["publishers"]["refused"] == 1).then_some(()));
    drop(second);
    wait_for("its place", || {
        let mut again = Publisher::connect(address);
        again.send("{\"action\":\"acks\"}\n");
        (again.line().expect("an answer")["T"] == "ack").then_some(())
    });
    first.send(&trade("A", 1));
    assert_eq!(counts(&first.ack()), [1, 1, 0, 0, 0]);
    server.stop();
}

/// Method: a rate of a hundred lines a second, after a hundred at once, and a silence that is too
/// long: the connection ends by itself, and its unfinished line is none.
#[test]
fn a_connection_may_be_limited_in_rate_and_silence() {
    let server = Server::with_feed("tcp:127.0.0.1:0,rate=100,idle_s=1", "");
    let began = std::time::Instant::now();
    let mut publisher = Publisher::with_acks(tcp_address(&server), 1_000);
    for at in 0..300 {
        publisher.send(&trade("A", at));
    }
    publisher.send("{\"T\":\"t\"");
    let last = std::iter::from_fn(|| publisher.line()).last().expect("an ack");
    assert_eq!(counts(&last), [300, 300, 0, 0, 0]);
    let least = std::time::Duration::from_millis(1_500);
    assert!(began.elapsed() > least, "a limit that does not limit: {:?}", began.elapsed());
    server.stop();
}
