//! Method: each message is read from JSON and, turned into MessagePack, again; both must say the
//! same. Errors by code, and by the words that name input and cure.

use super::*;
use serde_json::json;

/// Parses both encodings of `value`.
fn parse_both(value: &serde_json::Value) -> Result<Command, CommandError> {
    let json = parse(Encoding::Json, value.to_string().as_bytes());
    let packed = rmp_serde::to_vec_named(value).expect("a JSON value packs");
    let messagepack = parse(Encoding::MessagePack, &packed);
    match (&json, &messagepack) {
        // The texts of two libraries differ; the rest may not.
        (Err(a), Err(b)) => assert_eq!((a.code, &a.id), (b.code, &b.id), "{a} {b}"),
        _ => assert_eq!(json, messagepack),
    }
    json
}

fn item(channel: Channel, name: &str) -> Item {
    Item { channel, subject: Subject::parse(name).expect("a subject") }
}

#[test]
fn every_member_is_read() {
    let command = parse_both(&json!({
        "action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL", "MSFT"], "bars": ["*"],
        "id": 7, "max_hz": 4, "epoch": "e1", "since": {"AAPL": {"trades": 812, "lulds": []}},
        "heartbeat_ms": 1000, "ts": "ns", "updatedBars": ["AAPL"], "news": {"x": [1, null]}
    }));
    let since = vec![Since {
        symbol: Symbol::parse("AAPL").expect("valid"),
        seqs: [Some(812), None, None],
    }];
    let change = Change {
        items: vec![
            item(Channel::Trades, "AAPL"),
            item(Channel::Quotes, "AAPL"),
            item(Channel::Quotes, "MSFT"),
            item(Channel::Bars, "*"),
        ],
        id: Some(MessageId::Number(7)),
        max_hz: Some(Rate { millihertz: 4000 }),
        heartbeat_ms: Some(1000),
        times: Some(TimeStyle::Nanos),
        epoch: Some("e1".into()),
        since,
    };
    assert_eq!(command, Ok(Command::Subscribe(change)));
}

#[test]
fn what_sdks_send_is_understood() {
    let auth = json!({"action": "auth", "key": "k", "secret": "s"});
    assert_eq!(parse_both(&auth), Ok(Command::Auth));
    let list = json!({"action": "list", "id": "a"});
    assert_eq!(parse_both(&list), Ok(Command::List { id: Some(MessageId::Text("a".into())) }));
    assert_eq!(parse_both(&json!({"action": "ping"})), Ok(Command::Ping { id: None }));
    let change = Change { items: vec![item(Channel::Trades, "A")], ..Change::default() };
    assert_eq!(
        parse_both(&json!({"trades": ["A"], "quotes": null, "action": "unsubscribe"})),
        Ok(Command::Unsubscribe(change))
    );
    let change = Change { max_hz: Some(Rate::OFF), heartbeat_ms: Some(0), ..Change::default() };
    assert_eq!(
        parse_both(&json!({"action": "subscribe", "max_hz": 0.0, "heartbeat_ms": 0})),
        Ok(Command::Subscribe(change))
    );
}

#[test]
fn errors_name_the_input_and_keep_the_id() {
    let long = "x".repeat(65);
    for (value, code, words) in [
        (json!([]), 400, "not an object"),
        (json!("subscribe"), 400, "not an object"),
        (json!({}), 400, "no \"action\""),
        (json!({"action": "sub\n"}), 400, "unknown action \"sub\\n\""),
        (json!({"action": 1}), 400, "invalid message"),
        (json!({"action": "ping", "id": 1.5}), 400, "integer"),
        (json!({"action": "ping", "id": long}), 400, "64 bytes"),
        (json!({"action": "ping", "id": u64::MAX}), 400, "integer"),
        (json!({"action": "subscribe", "trades": "AAPL"}), 400, "list of symbols"),
        (json!({"action": "subscribe", "trades": [1]}), 400, "a symbol"),
        (json!({"action": "subscribe"}), 410, "names nothing"),
        (json!({"action": "unsubscribe", "trades": []}), 410, "unsubscribe names nothing"),
        (json!({"action": "subscribe", "quotes": ["A B"]}), 410, "quotes: a symbol has the byte"),
        (json!({"action": "subscribe", "bars": ["A", ""]}), 410, "bars: a symbol is empty"),
        (json!({"action": "subscribe", "max_hz": -1}), 400, "max_hz -1"),
        (json!({"action": "subscribe", "heartbeat_ms": -5}), 400, "heartbeat_ms -5"),
        (json!({"action": "subscribe", "ts": "iso"}), 400, "unknown ts \"iso\""),
    ] {
        let error = parse_both(&value).expect_err("an error");
        assert_eq!((error.code, &error.id), (code, &None), "{value}");
        assert!(error.message.contains(words), "{value}: {}", error.message);
    }
    for value in [
        json!({"action": "subscribe", "id": 9}),
        json!({"id": 9}),
        json!({"trades": 5, "id": 9}),
        json!({"action": "subscribe", "trades": ["A"], "since": {"*": {}}, "id": 9}),
        json!({"action": "subscribe", "trades": ["A"], "since": {"A": [812]}, "id": 9}),
    ] {
        let error = parse_both(&value).expect_err("an error");
        assert_eq!(error.id, Some(MessageId::Number(9)), "{value}");
    }
}

#[test]
fn limits_are_errors_405() {
    let names: Vec<String> = (0..SESSION_SYMBOLS_MAX).map(|n| format!("S{n}")).collect();
    let mut value = json!({"action": "subscribe", "trades": names});
    assert!(parse_both(&value).is_ok());
    value["bars"] = json!(["ONE.MORE"]);
    assert_eq!(parse_both(&value).expect_err("too many").code, 405);
    let entries = |count| (0..count).map(|n| (format!("S{n}"), json!({"trades": 1}))).collect();
    let since = |count: usize| -> serde_json::Value { serde_json::Value::Object(entries(count)) };
    let subscribe =
        |count| json!({"action": "subscribe", "trades": ["A"], "since": since(count), "id": 1});
    assert!(parse_both(&subscribe(SINCE_SYMBOLS_MAX)).is_ok());
    let error = parse_both(&subscribe(SINCE_SYMBOLS_MAX + 5)).expect_err("too many");
    assert_eq!((error.code, error.id), (405, Some(MessageId::Number(1))));
}

/// Method: claims of lengths that the bytes do not hold, depth, and what follows the object. That
/// they end at once, and not in an allocation, is what a run of the test shows.
#[test]
fn hostile_messages_end_in_short_errors() {
    let subscribe = b"\x82\xa6action\xa9subscribe\xa6trades".to_vec();
    let with = |tail: &[u8]| [&subscribe[..], tail].concat();
    let mut hostile = vec![
        with(b"\xdd\xff\xff\xff\xff"),
        with(b"\xdd\xff\xff\xff\xff\xa1A"),
        with(b"\xdb\xff\xff\xff\xff"),
        with(b"\xc6\xff\xff\xff\xff"),
        with(b"\x91\xdb\xff\xff\xff\xffA"),
        b"\xdf\xff\xff\xff\xff\xa1a".to_vec(),
        b"\x80\x80".to_vec(),
        b"\xc1".to_vec(),
        Vec::new(),
    ];
    let nested = |open: &[u8]| [b"\x81\xa1x".to_vec(), open.repeat(100_000)].concat();
    hostile.extend([nested(b"\x91"), nested(b"\x81\xa1a"), nested(b"\xd4")]);
    for bytes in &hostile {
        let error = parse(Encoding::MessagePack, bytes).expect_err("hostile");
        assert!(error.code == 400 && error.message.len() < 300, "{error}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    let long = format!("{{\"action\":\"subscribe\",\"trades\":\"{}\"}}", "é".repeat(100_000));
    for text in [&deep, &long, "{\"action\":\"ping\"} x", "{\"id\":1,\"id\":2}", "{", ""] {
        let error = parse(Encoding::Json, text.as_bytes()).expect_err("hostile");
        assert!(error.code == 400 && error.message.len() < 300, "{error}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut random = fastrand::Rng::with_seed(3);
    let seed = json!({"action": "subscribe", "trades": ["A", "*"], "id": 1, "since": {"A": {}}});
    let packed = rmp_serde::to_vec_named(&seed).expect("a JSON value packs");
    for _ in 0..5_000 {
        let mut bytes = packed.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(0..=bytes.len()));
        let _ = parse(Encoding::MessagePack, &bytes);
    }
}
