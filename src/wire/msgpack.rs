//! The members of an event line in MessagePack: a map with text keys.

use super::TimeStyle;
use super::line::Line;
use crate::market::Decimal;
use rmp::encode;

/// Type of the timestamp extension in the MessagePack specification.
pub(super) const TIMESTAMP_TYPE: i8 = -1;

const ROOM: &str = "a Vec takes every byte";

/// An event has fewer than 16 members, so its map has the one-byte header, which is written
/// first and corrected with each member.
const MEMBERS_MAX: u8 = 15;

pub(super) struct MessagePackLine<'a> {
    times: TimeStyle,
    out: &'a mut Vec<u8>,
    header_at: usize,
}

impl<'a> MessagePackLine<'a> {
    pub(super) fn new(times: TimeStyle, out: &'a mut Vec<u8>) -> MessagePackLine<'a> {
        let header_at = out.len();
        encode::write_map_len(out, 0).expect(ROOM);
        MessagePackLine { times, out, header_at }
    }

    #[inline]
    fn key(&mut self, key: &'static str) {
        debug_assert!(self.out[self.header_at] & 0x0f < MEMBERS_MAX, "too many for the header");
        self.out[self.header_at] += 1;
        encode::write_str(self.out, key).expect(ROOM);
    }
}

impl Line for MessagePackLine<'_> {
    #[inline]
    fn word(&mut self, key: &'static str, value: &str) {
        self.text(key, value);
    }

    #[inline]
    fn text(&mut self, key: &'static str, value: &str) {
        self.key(key);
        encode::write_str(self.out, value).expect(ROOM);
    }

    fn texts(&mut self, key: &'static str, joined: &str) {
        self.key(key);
        encode::write_array_len(self.out, joined.split(',').count() as u32).expect(ROOM);
        for value in joined.split(',') {
            encode::write_str(self.out, value).expect(ROOM);
        }
    }

    fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        encode::write_uint(self.out, value).expect(ROOM);
    }

    fn price(&mut self, key: &'static str, value: Decimal) {
        self.key(key);
        encode::write_f64(self.out, value.to_f64()).expect(ROOM);
    }

    fn size(&mut self, key: &'static str, value: Decimal) {
        if value.scale != 0 {
            return self.price(key, value);
        }
        self.key(key);
        encode::write_sint(self.out, value.units).expect(ROOM);
    }

    fn time(&mut self, key: &'static str, ns: i64) {
        self.key(key);
        match self.times {
            TimeStyle::Nanos => {
                encode::write_sint(self.out, ns).expect(ROOM);
            }
            TimeStyle::Rfc3339 => {
                let (bytes, length) = timestamp(ns);
                encode::write_ext_meta(self.out, length as u32, TIMESTAMP_TYPE).expect(ROOM);
                self.out.extend_from_slice(&bytes[..length]);
            }
        }
    }

    fn end(&mut self) {}
}

/// The data of a timestamp, in the shortest of the three forms of the MessagePack specification:
/// 4 bytes of seconds, 8 bytes with 30 bits of ns, or 12 bytes for times before 1970.
pub(super) fn timestamp(ns: i64) -> ([u8; 12], usize) {
    let second = ns.div_euclid(1_000_000_000);
    let fraction = ns.rem_euclid(1_000_000_000) as u32;
    let mut bytes = [0; 12];
    let length = match u32::try_from(second) {
        Ok(short) if fraction == 0 => {
            bytes[..4].copy_from_slice(&short.to_be_bytes());
            4
        }
        _ if second >= 0 => {
            // 64 bits of ns have less than 2^34 seconds.
            let both = u64::from(fraction) << 34 | second as u64;
            bytes[..8].copy_from_slice(&both.to_be_bytes());
            8
        }
        _ => {
            bytes[..4].copy_from_slice(&fraction.to_be_bytes());
            bytes[4..].copy_from_slice(&second.to_be_bytes());
            12
        }
    };
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_the_shortest_form() {
        let data = |ns| {
            let (bytes, length) = timestamp(ns);
            bytes[..length].to_vec()
        };
        assert_eq!(data(0), [0; 4]);
        assert_eq!(data(1_381_239_981_000_000_000), [0x52, 0x54, 0x0c, 0xad]);
        assert_eq!(data(1), (1_u64 << 34).to_be_bytes());
        assert_eq!(data(-1)[..4], 999_999_999_u32.to_be_bytes());
        assert_eq!(data(-1)[4..], (-1_i64).to_be_bytes());
        assert_eq!(data(i64::MAX).len(), 8);
        assert_eq!(data(i64::MIN).len(), 12);
    }
}
