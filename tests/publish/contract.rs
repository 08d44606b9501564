//! What goes over the wire: subjects, headers, lines, batches, meta, and the stream's settings.
//!
//! Method: lines into a publisher's standard input, and a client that hears all of `tape.>`.

use crate::listener::{Heard, Listener, Node};
use crate::nats_server::{NatsServer, Setup};
use crate::publisher::Publisher;
use crate::{stored, wait_for};
use std::time::Duration;

fn trade(symbol: &str, price: u32) -> String {
    let rest = r#""s":360,"c":["@","I"],"z":"B","t":"2013-10-08T13:46:21.414Z"}"#;
    format!(r#"{{"T":"t","S":"{symbol}","i":7,"x":"P","p":{price}.5,{rest}"#) + "\n"
}

fn quote(symbol: &str) -> String {
    let rest = r#""ax":"N","ap":1.6,"as":3,"t":"2013-10-08T13:46:22Z"}"#;
    format!(r#"{{"T":"q","S":"{symbol}","bx":"Q","bp":1.5,"bs":2,{rest}"#) + "\n"
}

/// The last of what a publisher sends: what it sent before has been heard, too.
fn wait_for_farewell(listener: &Listener) {
    wait_for("the farewell", || {
        listener.metas().iter().any(|heard| heard["leaving"] == true).then_some(())
    });
}

#[test]
fn lines_have_subjects_numbers_and_headers() {
    let server = NatsServer::start(Setup::default());
    let listener = Listener::start(&server);
    let mut publisher = Publisher::start(&server, "--feed stdin --batch-ms 100");
    publisher.wait_for_log("publishes with term");
    let lines = [trade("BRK.B", 1), trade("BRK.B", 2), quote("BRK.B"), trade("A/B", 3)].concat();
    publisher.write(&lines);
    let heard = listener.wait_for("the last subject", |heard| heard.subject == "tape.t.A/B");
    listener.wait_for("the quote", |heard| heard.subject == "tape.q.BRK%2EB");
    assert_eq!((heard.first, heard.last, heard.id), (1, 1, None));
    let trades: Vec<_> =
        listener.messages().into_iter().filter(|m| m.subject == "tape.t.BRK%2EB").collect();
    let lines: Vec<_> = trades.iter().flat_map(|message| &message.lines).collect();
    assert_eq!(lines.len(), 2);
    let expected = serde_json::json!({"T": "t", "S": "BRK.B", "i": 7, "x": "P", "p": 1.5, "s": 360,
        "c": ["@", "I"], "z": "B", "t": "2013-10-08T13:46:21.414Z", "sq": 1});
    assert_eq!((lines[0], &lines[1]["sq"]), (&expected, &serde_json::json!(2)));
    // Lines that came together go out together, as far as the ingest thread saw them so.
    assert!(trades.len() <= 2 && trades[0].first == 1);

    let meta = wait_for("a meta with the feed's state", || {
        listener.metas().into_iter().find(|heard| heard["state"] == "ok")
    });
    assert!(publisher.is_named(meta["instance"].as_str().expect("a text")));
    assert_eq!(meta["T"], "publisher");
    assert_eq!(meta["epoch"], heard.epoch.as_str());
    assert_eq!(meta["term"], heard.term);
    assert!(meta["stream_seq"].is_null());
    let log = publisher.stop();
    assert!(log.contains("4 lines in"), "{log}");
    // It says that it goes, and a second start is another epoch.
    wait_for_farewell(&listener);
    let mut again = Publisher::start(&server, "--feed stdin");
    again.write(&trade("A/B", 4));
    let second = listener.wait_for("another epoch", |other| other.epoch != heard.epoch);
    assert_eq!(second.first, 1);
    again.stop();
}

#[test]
fn the_stream_has_what_was_published_and_a_second_start_goes_on() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let flags = "--jetstream --max-age 10m --max-bytes 32M --max-per-subject 100000 \
                 --feed synthetic:symbols=20,rate=4000,test_symbols=off";
    let first = Publisher::start(&server, flags);
    listener.wait_for_more(2_000);
    let log = first.stop();
    wait_for_farewell(&listener);
    let (heard, kept) = (Node::of(&listener.messages()), stored::all(&server));
    assert_eq!(stored::assert_each_once(&kept), heard.taken, "{log}");
    assert!(heard.holes.is_empty() && heard.lost == 0 && heard.repeated == 0, "{:?}", heard.holes);
    for message in &kept {
        let (of, epoch) = (message.subject.strip_prefix("tape").expect("ours"), &message.epoch);
        let id = format!("{epoch}{of}.{}-{}", message.first, message.last);
        assert_eq!(message.id.as_ref(), Some(&id));
    }
    let sequences: Vec<u64> =
        listener.metas().iter().filter_map(|heard| heard["stream_seq"].as_u64()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    assert_eq!(sequences.last(), Some(&(kept.len() as u64)), "the farewell comes after all acks");

    let config = stored::ask(&server, async |context| {
        context.get_stream("TAPE").await.expect("the stream").cached_info().config.clone()
    });
    assert_eq!(config.subjects, ["tape.t.>", "tape.q.>", "tape.b.>"]);
    assert_eq!((config.max_age, config.max_bytes), (Duration::from_secs(600), 32 << 20));
    assert_eq!(config.max_messages_per_subject, 100_000);
    assert_eq!(config.duplicate_window, Duration::from_secs(120));

    // The same epoch goes on under a higher term, with what may have been given told as lost.
    let before = listener.count();
    let second = Publisher::start(&server, flags);
    listener.wait_for_more(500);
    second.stop();
    let messages = listener.messages();
    assert_eq!(messages[before].epoch, messages[0].epoch);
    assert!(messages[before].term > messages[0].term);
    let node = Node::of(&messages);
    assert!(node.holes.is_empty() && node.repeated == 0, "{:?}", node.holes);
    assert!(node.lost >= 100_000, "{}", node.lost);
}

/// A symbol was quiet for longer than the stream keeps anything. Its numbers must not begin again
/// in the same epoch, where nodes would take them for such as they have had.
#[test]
fn a_symbol_that_the_stream_has_forgotten_begins_a_new_epoch() {
    let server = NatsServer::with_jetstream();
    let listener = Listener::start(&server);
    let line = |symbol: &str, id: u32| {
        format!("{{\"T\":\"t\",\"S\":\"{symbol}\",\"i\":{id},\"p\":1,\"s\":1,\"t\":5}}\n")
    };
    let flags = "--jetstream --max-bytes 32M --feed stdin";
    let mut first = Publisher::start(&server, flags);
    (1..=5).for_each(|id| first.write(&line("QUIET", id)));
    listener.wait_for("the fifth", |heard| heard.last == 5);
    first.write(&line("BUSY", 6));
    listener.wait_for("the other", |heard| heard.subject == "tape.t.BUSY");
    first.stop();
    stored::ask(&server, async |context| {
        let stream = context.get_stream("TAPE").await.expect("the stream");
        stream.purge().filter("tape.t.QUIET").await.expect("it is emptied of it");
    });
    let mut second = Publisher::start(&server, flags);
    second.wait_for_log("publishes with term");
    second.write(&line("BUSY", 7));
    second.write(&line("QUIET", 8));
    let epoch = listener.messages()[0].epoch.clone();
    let is_quiet = |heard: &Heard| heard.subject == "tape.t.QUIET" && heard.epoch != epoch;
    let quiet = listener.wait_for("the quiet one in a new epoch", is_quiet);
    assert_eq!((quiet.first, quiet.epoch), (1, format!("{epoch}+1")));
    second.stop();
}

#[test]
fn a_stream_that_is_otherwise_is_refused_or_changed() {
    let server = NatsServer::with_jetstream();
    let flags = "--jetstream --max-bytes 32M --feed stdin";
    let first = Publisher::start(&server, flags);
    first.wait_for_log("publishes with term");
    first.stop();
    let mut other = Publisher::start(&server, &format!("{flags} --max-age 2h"));
    assert_eq!(other.wait_exit().code(), Some(1));
    other.wait_for_log("max_age is 3600s and not 7200s; give its values, or --update-stream");
    let changed = Publisher::start(&server, &format!("{flags} --max-age 2h --update-stream"));
    changed.wait_for_log("publishes with term");
    changed.stop();

    let plain = NatsServer::start(Setup::default());
    let waiting = Publisher::start(&plain, flags);
    waiting.wait_for_log("start nats-server with -js");
}

/// Logins are settings, as flags here; what is in them is told nowhere.
#[test]
fn a_login_is_read_from_a_file() {
    let more = "authorization { token: \"s3cret\" }".to_string();
    let server = NatsServer::start(Setup { more, ..Setup::default() });
    let token = server.dir().join("token");
    std::fs::write(&token, "s3cret\n").expect("the server's directory");
    let flags = format!("--feed stdin --nats-token-file {}", token.display());
    let publisher = Publisher::start(&server, &flags);
    publisher.wait_for_log(&format!("connected to nats://127.0.0.1:{}", server.port()));
    let log = publisher.stop();
    assert!(!log.contains("s3cret"), "{log}");
    let refused = Publisher::start(&server, "--feed stdin");
    refused.wait_for_log("refused the login");
}
