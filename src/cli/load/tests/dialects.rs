//! Method: servers of each dialect, made of a few threads, and a whole run against each.

use super::*;
use crate::cli::load::findings::Violation;

/// Method: servers that send what others than ours do, one event a message and nothing else.
#[test]
fn single_events_are_measured() {
    let (url, asked) = serve(|number, mut server| {
        let first = if number == 0 { 9 } else { 1 };
        for sq in first.. {
            let event = quote(sq).replace(['[', ']'], "");
            if !server.say(&event) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    for (dialect, expected) in
        [(Dialect::Messages, "/feed?symbols=A,B"), (Dialect::Nchan, "/feed/A/B")]
    {
        let report = load(&LoadArgs { dialect, ..args(format!("{url}/feed"), 5) }).expect("a run");
        assert!(report.is_good() && report.window.items > 5, "{report}");
        assert_eq!(asked.recv().expect("a request came"), expected);
        (0..4).for_each(|_| drop(asked.recv()));
    }
}

#[test]
fn a_hole_in_single_events_is_a_loss() {
    let (url, _asked) = serve(|_, mut server| {
        for sq in [4, 5, 7, 8] {
            server.say(&quote(sq).replace(['[', ']'], ""));
        }
        stream_quotes(server);
    });
    let report = load(&LoadArgs { dialect: Dialect::Messages, ..args(url, 1) }).expect("a run");
    assert_eq!(report.findings.violations.get(&Violation::Loss), Some(&1), "{report}");
    assert_eq!(report.findings.unannounced_count, 1, "{report}");
}

#[test]
fn connections_draw_symbols_of_their_own() {
    let (url, asked) = serve(|_, mut server| {
        let drawn = server.target.split_once("symbols=").expect("an option").1.to_string();
        server.say(GREETING);
        for sq in 1..=3 {
            for name in drawn.split(',') {
                server.say(&quote(sq).replace("\"A\"", &format!("\"{name}\"")));
            }
        }
        stream_quotes(server);
    });
    let own = LoadArgs {
        symbols: None,
        symbols_each: Some(3),
        symbols_of: Some(500),
        channels: Some("quotes".to_string()),
        ..args(url, 4)
    };
    let report = load(&own).expect("a run");
    // Each gets the quotes of A as well, which it did not ask for.
    let found = &report.findings.violations;
    assert_eq!(found.len(), 1, "{report}");
    assert!(found.contains_key(&Violation::NotAsked), "{report}");
    let targets: std::collections::BTreeSet<String> = asked.try_iter().collect();
    assert_eq!(targets.len(), 4, "{targets:?}");
    let prefix = "/v1/stream?channels=quotes&ts=ns&symbols=S00";
    assert!(targets.iter().all(|target| target.starts_with(prefix)), "{targets:?}");
}

/// Method: a server that wants to be greeted, answers, and cuts its stream where it likes.
#[test]
fn nats_is_subscribed_and_its_messages_are_measured() {
    let (url, _asked) = serve(|_, mut server| {
        server.say_bytes(b"INFO {\"server_id\":\"N\"}\r\n".to_vec());
        let Sent::Binary(hello) = server.read() else { panic!("a client says hello") };
        let hello = String::from_utf8(hello).expect("lines of text");
        assert!(hello.starts_with("CONNECT {"), "{hello}");
        assert!(hello.ends_with("\r\nSUB tick.A 1\r\nSUB tick.B 2\r\nPING\r\n"), "{hello}");
        server.say_bytes(b"PONG\r\nPING\r\n".to_vec());
        assert_eq!(server.read(), Sent::Binary(b"PONG\r\n".to_vec()));
        for sq in 1.. {
            let event = quote(sq).replace(['[', ']'], "");
            let message = format!("MSG tick.A 1 {}\r\n{event}\r\n", event.len()).into_bytes();
            let (head, tail) = message.split_at(sq as usize % message.len());
            if !server.say_bytes(head.to_vec()) || !server.say_bytes(tail.to_vec()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    });
    let report = load(&LoadArgs { dialect: Dialect::Nats, ..args(url, 5) }).expect("a run");
    assert!(report.is_good() && report.window.items > 100, "{report}");
    assert!(report.window.frames > report.window.items, "{report}");
    assert_eq!((report.brief.missing, report.brief.dialect), (0, "nats"));
}

#[test]
fn messagepack_is_asked_for_and_measured() {
    let (url, asked) = serve(|_, mut server| {
        let packed = |text: &str| {
            let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
            rmp_serde::to_vec(&value).expect("plain data is MessagePack")
        };
        server.say_bytes(packed(GREETING));
        for sq in 1.. {
            if !server.say_bytes(packed(&quote(sq))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let encoding = Some("msgpack".to_string());
    let report = load(&LoadArgs { encoding, ..args(url, 5) }).expect("a run");
    assert!(report.is_good() && report.window.items > 5, "{report}");
    let latency = report.latency_us.expect("times are of now");
    assert!(latency.p50 < 1_000_000, "{report}");
    let target = asked.recv().expect("a request came");
    assert!(target.contains("encoding=msgpack"), "{target}");
}

/// Method: what is not asked for, in the form that was not asked for.
#[test]
fn a_message_of_another_form_is_a_violation() {
    let (url, _asked) = serve(|_, mut server| {
        server.say(GREETING);
        server.say_bytes(vec![0x90]);
        stream_quotes(server);
    });
    let report = load(&args(url, 1)).expect("a run");
    assert_eq!(report.findings.violations.get(&Violation::Format), Some(&1), "{report}");
}

#[test]
fn bare_arrays_need_no_greeting() {
    let (url, _asked) = serve(|_, server| stream_quotes(server));
    let report = load(&LoadArgs { dialect: Dialect::Arrays, ..args(url, 3) }).expect("a run");
    assert!(report.is_good() && report.window.items > 5, "{report}");
}
