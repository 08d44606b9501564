//! The text line of a record.

use super::{Record, RecordBody};
use crate::market::Decimal;
use std::io::Write;

impl Record<'_> {
    /// Appends the record as a line, with its newline: the inverse of [`Record::parse`].
    pub fn write(&self, out: &mut Vec<u8>) {
        let kind = match self.body {
            RecordBody::Trade { .. } => "t",
            RecordBody::Quote { .. } => "q",
            RecordBody::Bar { .. } => "b",
            RecordBody::Lost { .. } => "gap",
        };
        put(out, format_args!("{{\"T\":\"{kind}\",\"S\":\"{}\"", self.symbol));
        self.body.write(out);
        if let Some(seq) = self.seq {
            put(out, format_args!(",\"sq\":{seq}"));
        }
        if !matches!(self.body, RecordBody::Lost { .. }) {
            let time = jiff::Timestamp::from_nanosecond(i128::from(self.event_ns))
                .expect("64-bit nanoseconds are the years 1677 to 2262, all of which jiff knows");
            put(out, format_args!(",\"t\":\"{time}\""));
        }
        out.extend_from_slice(b"}\n");
    }
}

impl RecordBody<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            RecordBody::Trade { id, price, size, exchange, tape, conditions } => {
                if let Some(id) = id {
                    put(out, format_args!(",\"i\":{id}"));
                }
                write_text(out, "x", exchange);
                write_numbers(out, [("p", *price), ("s", *size)]);
                if !conditions.is_empty() {
                    let list: Vec<&str> = conditions.split(',').collect();
                    write_json(out, "c", &list);
                }
                write_text(out, "z", tape);
            }
            RecordBody::Quote { bid, bid_exchange, ask, ask_exchange } => {
                write_text(out, "bx", bid_exchange);
                write_numbers(out, [("bp", bid.0), ("bs", bid.1)]);
                write_text(out, "ax", ask_exchange);
                write_numbers(out, [("ap", ask.0), ("as", ask.1)]);
            }
            RecordBody::Bar { open, high, low, close, volume, trades, vwap } => {
                write_numbers(out, [("o", *open), ("h", *high), ("l", *low), ("c", *close)]);
                write_numbers(out, [("v", *volume)]);
                put(out, format_args!(",\"n\":{trades}"));
                write_numbers(out, [("vw", *vwap)]);
            }
            RecordBody::Lost { channel, from, to } => {
                let channel = channel.name();
                put(out, format_args!(",\"ch\":\"{channel}\",\"from\":{from},\"to\":{to}"));
            }
        }
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every byte");
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, member: &str, value: &T) {
    put(out, format_args!(",\"{member}\":"));
    serde_json::to_writer(out, value).expect("strings always serialize, and a Vec takes them");
}

fn write_text(out: &mut Vec<u8>, member: &str, text: &str) {
    if !text.is_empty() {
        write_json(out, member, text);
    }
}

fn write_numbers<const N: usize>(out: &mut Vec<u8>, numbers: [(&str, Decimal); N]) {
    for (member, number) in numbers {
        put(out, format_args!(",\"{member}\":"));
        number.write(out);
    }
}
