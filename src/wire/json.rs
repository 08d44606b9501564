//! The members of an event line in JSON (RFC 8259).

use super::TimeStyle;
use super::clockface::Clockface;
use super::line::Line;
use crate::market::Decimal;

pub(super) struct JsonLine<'a> {
    times: TimeStyle,
    clockface: &'a mut Clockface,
    out: &'a mut Vec<u8>,
    /// What stands before the next key: a brace before the first, then commas.
    before: u8,
}

impl<'a> JsonLine<'a> {
    pub(super) fn new(
        times: TimeStyle,
        clockface: &'a mut Clockface,
        out: &'a mut Vec<u8>,
    ) -> JsonLine<'a> {
        JsonLine { times, clockface, out, before: b'{' }
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(&[self.before, b'"']);
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.before = b',';
    }
}

impl Line for JsonLine<'_> {
    #[inline]
    fn word(&mut self, key: &'static str, value: &str) {
        self.key(key);
        write_quoted(value, self.out);
    }

    fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        write_text(value, self.out);
    }

    fn texts(&mut self, key: &'static str, joined: &str) {
        self.key(key);
        for (index, value) in joined.split(',').enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            write_text(value, self.out);
        }
        self.out.push(b']');
    }

    fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn price(&mut self, key: &'static str, value: Decimal) {
        self.key(key);
        value.write(self.out);
    }

    fn size(&mut self, key: &'static str, value: Decimal) {
        self.price(key, value);
    }

    fn time(&mut self, key: &'static str, ns: i64) {
        self.key(key);
        match self.times {
            TimeStyle::Nanos => {
                self.out.extend_from_slice(itoa::Buffer::new().format(ns).as_bytes());
            }
            TimeStyle::Rfc3339 => {
                self.out.push(b'"');
                self.clockface.write(ns, self.out);
                self.out.push(b'"');
            }
        }
    }

    fn end(&mut self) {
        self.out.push(b'}');
    }
}

fn write_text(value: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        write_quoted(value, out);
    } else {
        serde_json::to_writer(out, value).expect("a str is JSON, and a Vec takes every byte");
    }
}

fn write_quoted(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}
