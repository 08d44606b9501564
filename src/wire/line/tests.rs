//! Method: exact text for JSON; MessagePack is decoded by another reader (rmp-serde) and compared
//! member by member; extremes of every member for the length limit.

use super::*;
use crate::wire::TimeStyle;
use serde::Deserialize;
use std::collections::BTreeMap;

const CONDITIONS: &str = "@,F,T";

struct Table {
    symbol: String,
    code: String,
    conditions: String,
}

impl Names for Table {
    fn symbol(&self, _: SymbolId) -> &str {
        &self.symbol
    }
    fn code(&self, _: u8) -> &str {
        &self.code
    }
    fn conditions(&self, _: u16) -> &str {
        &self.conditions
    }
}

fn table() -> Table {
    Table { symbol: "SPY".into(), code: "P".into(), conditions: CONDITIONS.into() }
}

const HEAD: Head = Head {
    symbol: SymbolId(0),
    seq: 812,
    event_ns: 1_381_239_981_414_000_000,
    ingest_ns: 0,
    price_scale: 2,
    size_scale: 0,
};

const TRADE: Trade =
    Trade { id: Some(27_724), price: 16_750, size: 360, exchange: 1, tape: 0, conditions: 0 };

const QUOTE: Quote = Quote {
    bid_price: 1381,
    bid_size: 24_200,
    ask_price: 1382,
    ask_size: 32_700,
    bid_exchange: 1,
    ask_exchange: 1,
};

fn bar() -> Event {
    let prices = BarPrices { open: 100, high: 250, low: 75, close: 200 };
    Event::Bar(HEAD, prices, BarTotals { volume: 5000, trades: 17, vwap: 151 })
}

fn encode(format: Format, event: &Event, snapshot: bool, names: &Table) -> Vec<u8> {
    let mut out = b"before".to_vec();
    LineEncoder::new(format).encode(event, snapshot, names, &mut out);
    out.split_off(6)
}

fn json(times: TimeStyle, event: &Event, snapshot: bool) -> String {
    let format = Format { encoding: Encoding::Json, times };
    String::from_utf8(encode(format, event, snapshot, &table())).expect("JSON is UTF-8")
}

#[test]
fn json_lines_are_exact() {
    let time = r#""t":"2013-10-08T13:46:21.414Z","sq":812"#;
    let text = |event: &Event, snapshot| json(TimeStyle::Rfc3339, event, snapshot);
    assert_eq!(
        text(&Event::Trade(HEAD, TRADE), false),
        format!(r#"{{"T":"t","S":"SPY","i":27724,"x":"P","p":167.5,"s":360,{time}}}"#)
    );
    let bare = Trade { id: None, exchange: 0, tape: 1, conditions: 1, ..TRADE };
    assert_eq!(
        text(&Event::Trade(HEAD, bare), false),
        format!(r#"{{"T":"t","S":"SPY","p":167.5,"s":360,{time},"c":["@","F","T"],"z":"P"}}"#)
    );
    assert_eq!(
        text(&Event::Quote(HEAD, QUOTE), true),
        format!(
            r#"{{"T":"q","S":"SPY","bx":"P","bp":13.81,"bs":24200,{ask},{time},"sn":1}}"#,
            ask = r#""ax":"P","ap":13.82,"as":32700"#
        )
    );
    assert_eq!(
        text(&bar(), false),
        format!(
            r#"{{"T":"b","S":"SPY",{prices},"v":5000,"n":17,"vw":1.51,{time}}}"#,
            prices = r#""o":1.0,"h":2.5,"l":0.75,"c":2.0"#
        )
    );
    assert!(json(TimeStyle::Nanos, &bar(), false).contains(r#""t":1381239981414000000,"#));
}

#[test]
fn gaps_name_what_is_known() {
    let gap = |from, to| Event::Gap { symbol: SymbolId(0), channel: Channel::Trades, from, to };
    assert_eq!(
        json(TimeStyle::Nanos, &gap(Some(3), Some(9)), false),
        r#"{"T":"gap","S":"SPY","ch":"trades","from":3,"to":9}"#
    );
    assert_eq!(
        json(TimeStyle::Nanos, &gap(None, Some(9)), false),
        r#"{"T":"gap","S":"SPY","ch":"trades","to":9}"#
    );
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    Integer(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
    Timestamp(Ext),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename = "_ExtStruct")]
struct Ext((i8, Vec<u8>));

fn unpack(times: TimeStyle, event: &Event, snapshot: bool) -> BTreeMap<String, Value> {
    let format = Format { encoding: Encoding::MessagePack, times };
    rmp_serde::from_slice(&encode(format, event, snapshot, &table())).expect("MessagePack")
}

#[test]
fn messagepack_lines_have_the_same_members() {
    let trade = Trade { conditions: 1, tape: 1, ..TRADE };
    let head = Head { size_scale: 1, ..HEAD };
    let members = unpack(TimeStyle::Nanos, &Event::Trade(head, trade), true);
    let expected = [
        ("T", Value::Text("t".into())),
        ("S", Value::Text("SPY".into())),
        ("i", Value::Integer(27_724)),
        ("x", Value::Text("P".into())),
        ("p", Value::Float(167.5)),
        ("s", Value::Float(36.0)),
        ("t", Value::Integer(HEAD.event_ns)),
        ("sq", Value::Integer(812)),
        ("c", Value::Texts(vec!["@".into(), "F".into(), "T".into()])),
        ("z", Value::Text("P".into())),
        ("sn", Value::Integer(1)),
    ];
    assert_eq!(members, expected.into_iter().map(|(k, v)| (k.to_string(), v)).collect());
    let members = unpack(TimeStyle::Nanos, &bar(), false);
    assert_eq!((members.len(), &members["v"]), (11, &Value::Integer(5000)));
    assert_eq!(members["vw"], Value::Float(1.51));
    assert_eq!(unpack(TimeStyle::Nanos, &Event::Quote(HEAD, QUOTE), true).len(), 11);
}

#[test]
fn messagepack_times_are_the_extension_type() {
    let format = Format { encoding: Encoding::MessagePack, times: TimeStyle::Rfc3339 };
    let line = encode(format, &Event::Quote(HEAD, QUOTE), false, &table());
    let mut expected = vec![0xa1, b't', 0xd7, 0xff];
    expected.extend((414_000_000_u64 << 34 | 1_381_239_981).to_be_bytes());
    assert!(line.windows(expected.len()).any(|bytes| bytes == expected), "{line:02x?}");
}

#[test]
fn feed_texts_are_escaped() {
    let names = Table { code: "\"\\\n".into(), conditions: "\t,é,".into(), ..table() };
    let trade = Trade { conditions: 1, ..TRADE };
    let line = encode(Format::default(), &Event::Trade(HEAD, trade), false, &names);
    let value: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
    assert_eq!(value["x"], "\"\\\n");
    assert_eq!(value["c"], serde_json::json!(["\t", "é", ""]));
}

#[test]
fn no_line_exceeds_its_limit() {
    let head = Head { seq: u64::MAX, event_ns: i64::MIN, price_scale: 15, size_scale: 15, ..HEAD };
    let worst = i64::MIN + 1;
    let trade = Trade {
        id: Some(u64::MAX),
        price: worst,
        size: worst,
        exchange: 1,
        tape: 1,
        conditions: 1,
    };
    let quote = Quote {
        bid_price: worst,
        bid_size: worst,
        ask_price: worst,
        ask_size: worst,
        bid_exchange: 1,
        ask_exchange: 1,
    };
    let prices = BarPrices { open: worst, high: worst, low: worst, close: worst };
    let totals = BarTotals { volume: worst, trades: u64::MAX, vwap: worst };
    let events =
        [Event::Trade(head, trade), Event::Quote(head, quote), Event::Bar(head, prices, totals)];
    // A control byte is six in JSON; a comma is an element.
    for conditions in ["\u{1}".repeat(32), ",".repeat(32), "\u{1},".repeat(16)] {
        let names = Table { symbol: "X".repeat(32), code: "\u{1}".repeat(32), conditions };
        for (format, event) in Format::ALL.iter().flat_map(|f| events.iter().map(move |e| (f, e))) {
            let line = encode(*format, event, true, &names);
            assert!(line.len() <= LINE_BYTES_MAX, "{} bytes of {event:?}", line.len());
        }
    }
}
