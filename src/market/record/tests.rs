//! Lines become records and lines again, and bad ones errors that name what is wrong.

use super::*;

fn parse(line: &str) -> Result<Record<'_>, RecordError> {
    Record::parse(line.as_bytes())
}

/// Method: lines as a feed writes them, parsed, written, and parsed again.
#[test]
fn lines_become_records_and_lines_again() {
    let trade = concat!(
        r#"{"T":"t","S":"SPY","i":27724,"x":"P","p":167.50,"s":360,"c":["@","I"],"#,
        r#""t":"2013-10-08T13:46:21.414Z","new":{"a":[1]}}"#
    );
    let record = parse(trade).expect("a trade");
    assert_eq!(record.event_ns, 1_381_239_981_414_000_000);
    let RecordBody::Trade { id, price, exchange, tape, conditions, .. } = &record.body else {
        panic!("{record:?}")
    };
    assert_eq!((*id, *price), (Some(27_724), Decimal::new(16_750, 2)));
    assert_eq!((&**exchange, &**tape, &**conditions), ("P", "", "@,I"));
    let mut line = Vec::new();
    record.write(&mut line);
    let written = r#"{"T":"t","S":"SPY","i":27724,"x":"P","p":167.5,"s":360,"c":["@","I"],"#;
    assert!(line.starts_with(written.as_bytes()), "{}", String::from_utf8_lossy(&line));
    let again = Record::parse(&line).expect("what is written is a line");
    assert_eq!((again.event_ns, again.symbol), (record.event_ns, record.symbol));

    let quote = concat!(
        r#"{"T":"q","S":"BAC","bx":"\u0051","bp":-13.81,"bs":24200.5,"ap":13.82,"as":0,"#,
        r#""t":1381239981414000001,"ax":null}"#
    );
    let record = parse(quote).expect("a quote");
    let RecordBody::Quote { bid, bid_exchange, ask, ask_exchange } = &record.body else {
        panic!("{record:?}")
    };
    assert_eq!(*bid, (Decimal::new(-1381, 2), Decimal::new(242_005, 1)));
    assert_eq!(*ask, (Decimal::new(1382, 2), Decimal::new(0, 0)));
    assert_eq!((&**bid_exchange, &**ask_exchange), ("Q", ""));
    let mut line = Vec::new();
    record.write(&mut line);
    assert_eq!(Record::parse(&line), Ok(record));
}

/// Method: what another server gives of its own, written and parsed again.
#[test]
fn bars_and_gaps_have_lines_too() {
    let bar = concat!(
        r#"{"T":"b","S":"A","o":1.5,"h":2,"l":1,"c":1.75,"v":300,"n":3,"vw":1.625,"#,
        r#""sq":4,"t":"2013-10-08T13:46:00Z"}"#
    );
    for line in [bar, r#"{"T":"gap","S":"A","ch":"trades","from":5,"to":9}"#] {
        let mut written = Vec::new();
        parse(line).expect(line).write(&mut written);
        assert_eq!(String::from_utf8_lossy(&written), format!("{line}\n"));
    }
    assert_eq!(parse(bar).map(|record| record.seq), Ok(Some(4)));
    let other = parse(r#"{"T":"t","S":"A","p":1,"s":1,"sq":"a-7","t":5}"#);
    assert_eq!(other.map(|record| record.seq), Ok(None), "a number of another kind");
    let gap = parse(r#"{"T":"gap","S":"A","ch":"bars","to":9}"#).map(|record| record.body);
    assert_eq!(gap, Ok(RecordBody::Lost { channel: Channel::Bars, from: 1, to: 9 }));
}

#[test]
fn times_have_any_offset() {
    for (text, ns) in [
        (r#""1970-01-01T01:00:00.000000001+01:00""#, 1),
        (r#""1969-12-31T23:59:59Z""#, -1_000_000_000),
        ("-5", -5),
    ] {
        let line = format!(r#"{{"T":"t","S":"A","p":1,"s":1,"t":{text}}}"#);
        assert_eq!(parse(&line).map(|r| r.event_ns), Ok(ns), "{text}");
    }
}

/// Method: one wrong member at a time; the message must name the member and the value.
#[test]
fn errors_name_member_and_value() {
    let time = r#""t":"2013-10-08T13:46:21Z""#;
    for (bad, words) in [
        ("nonsense".to_string(), vec!["JSON object"]),
        ("[]".to_string(), vec!["JSON object", "[]"]),
        (r#"["t","A",0,1,1,1,"","",[],"",1,1,"",1,1]"#.to_string(), vec!["JSON object"]),
        (format!("\"{}\"", "w".repeat(60_000)), vec!["JSON object", "www"]),
        (r#"{"T":"t""#.to_string(), vec!["JSON object"]),
        (format!(r#"{{"S":"A",{time}}}"#), vec!["\"T\"", "missing"]),
        (format!(r#"{{"T":"x","S":"A",{time}}}"#), vec!["\"T\"", "\"x\""]),
        (format!(r#"{{"T":"b","S":"A",{time}}}"#), vec!["\"o\"", "missing"]),
        (r#"{"T":"gap","S":"A","ch":"news","to":2}"#.to_string(), vec!["\"ch\"", "news"]),
        (r#"{"T":"gap","S":"A","ch":"trades"}"#.to_string(), vec!["\"to\"", "missing"]),
        (r#"{"T":"gap","S":"A","ch":"trades","from":3,"to":2}"#.to_string(), vec!["3 and 2"]),
        (format!(r#"{{"T":"t","p":1,"s":1,{time}}}"#), vec!["\"S\"", "missing"]),
        (format!(r#"{{"T":"t","S":7,"p":1,"s":1,{time}}}"#), vec!["\"S\"", "7", "string"]),
        (format!(r#"{{"T":"t","S":"A B","p":1,"s":1,{time}}}"#), vec!["\"S\"", "A B", "0x20"]),
        (format!(r#"{{"T":"t","S":"A","s":1,{time}}}"#), vec!["\"p\"", "missing"]),
        (format!(r#"{{"T":"t","S":"A","p":"1","s":1,{time}}}"#), vec!["\"p\"", "decimal"]),
        (format!(r#"{{"T":"t","S":"A","p":1e-99,"s":1,{time}}}"#), vec!["\"p\"", "1e-99"]),
        (format!(r#"{{"T":"t","S":"A","p":1,"s":-3,{time}}}"#), vec!["\"s\"", "-3", "0 or"]),
        (format!(r#"{{"T":"t","S":"A","p":1,"s":1,"i":-1,{time}}}"#), vec!["\"i\"", "-1"]),
        (format!(r#"{{"T":"t","S":"A","p":1,"s":1,"c":["a,b"],{time}}}"#), vec!["\"c\""]),
        (format!(r#"{{"T":"t","S":"A","p":1,"s":1,"x":{{}},{time}}}"#), vec!["\"x\""]),
        (r#"{"T":"t","S":"A","p":1,"s":1}"#.to_string(), vec!["\"t\"", "missing"]),
        (r#"{"T":"t","S":"A","p":1,"s":1,"t":"noon"}"#.to_string(), vec!["\"t\"", "noon"]),
        (r#"{"T":"t","S":"A","p":1,"s":1,"t":1.5}"#.to_string(), vec!["\"t\"", "1.5"]),
        (format!(r#"{{"T":"q","S":"A","bp":1,"bs":1,"ap":2,{time}}}"#), vec!["\"as\""]),
    ] {
        let error = parse(&bad).expect_err(&bad).to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{bad} gave: {error}");
        assert!(error.len() < 250, "{error}");
    }
    assert_eq!(Record::parse(b"{\"T\":\"\xff\"}"), Err(RecordError::NotUtf8));
    let long = format!(r#"{{"T":"{}\u001b"}}"#, "x".repeat(1000));
    assert!(parse(&long).expect_err("no kind").to_string().len() < 150);
}
