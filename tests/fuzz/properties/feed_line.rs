//! One line of a feed.

use tapecast::market::{Record, RecordBody};

/// A line that is a record can be written, and what is written is the same record.
pub fn check(bytes: &[u8]) {
    let record = match Record::parse(bytes) {
        Ok(record) => record,
        Err(error) => {
            let text = error.to_string();
            assert!(text.chars().count() < 1000, "{text}");
            assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
            return;
        }
    };
    let mut line = Vec::new();
    record.write(&mut line);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    let again = Record::parse(line.trim_ascii_end()).expect("what is written is a line");
    assert_eq!(
        (again.symbol, again.event_ns, again.seq),
        (record.symbol, record.event_ns, record.seq)
    );
    assert_eq!(numbers(&again), numbers(&record));
    assert_eq!(texts(&again), texts(&record));
}

/// Decimals as they are written: a trailing zero is no difference.
fn numbers(record: &Record<'_>) -> Vec<String> {
    let decimals = match &record.body {
        RecordBody::Trade { price, size, .. } => vec![*price, *size],
        RecordBody::Quote { bid, ask, .. } => vec![bid.0, bid.1, ask.0, ask.1],
        RecordBody::Bar { open, high, low, close, volume, vwap, .. } => {
            vec![*open, *high, *low, *close, *volume, *vwap]
        }
        RecordBody::Lost { .. } => Vec::new(),
    };
    let written = |decimal: tapecast::market::Decimal| {
        let mut out = Vec::new();
        decimal.write(&mut out);
        String::from_utf8(out).expect("digits are text")
    };
    decimals.into_iter().map(written).collect()
}

fn texts(record: &Record<'_>) -> Vec<String> {
    match &record.body {
        RecordBody::Trade { id, exchange, tape, conditions, .. } => {
            vec![format!("{id:?}"), exchange.to_string(), tape.to_string(), conditions.to_string()]
        }
        RecordBody::Quote { bid_exchange, ask_exchange, .. } => {
            vec![bid_exchange.to_string(), ask_exchange.to_string()]
        }
        RecordBody::Bar { trades, .. } => vec![trades.to_string()],
        RecordBody::Lost { channel, from, to } => vec![format!("{channel:?} {from} {to}")],
    }
}
