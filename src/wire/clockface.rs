//! Times as text: RFC 3339, in UTC, with as many groups of three fraction digits as needed.

use jiff::{Timestamp, tz::Offset};

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Writes times, and keeps the text of the last one's second.
///
/// Events come many to a second and mostly in order, so the civil date is worked out once a
/// second and only the fraction is written for each event.
#[derive(Debug, Clone)]
pub(super) struct Clockface {
    second: i64,
    /// `2013-10-08T13:46:21`, of `second`.
    text: [u8; 19],
}

impl Clockface {
    pub(super) fn new() -> Clockface {
        Clockface { second: 0, text: *b"1970-01-01T00:00:00" }
    }

    /// Appends `ns` since the Unix epoch, without quotes.
    pub(super) fn write(&mut self, ns: i64, out: &mut Vec<u8>) {
        let second = ns.div_euclid(NS_PER_SECOND);
        if second != self.second {
            self.turn_to(second);
        }
        out.extend_from_slice(&self.text);
        write_fraction(ns.rem_euclid(NS_PER_SECOND) as u32, out);
        out.push(b'Z');
    }

    fn turn_to(&mut self, second: i64) {
        let time = Timestamp::from_second(second).expect("64 bits of ns end in the year 2262");
        let civil = Offset::UTC.to_datetime(time);
        write_digits(&mut self.text[0..4], civil.year() as u32);
        write_digits(&mut self.text[5..7], civil.month() as u32);
        write_digits(&mut self.text[8..10], civil.day() as u32);
        write_digits(&mut self.text[11..13], civil.hour() as u32);
        write_digits(&mut self.text[14..16], civil.minute() as u32);
        write_digits(&mut self.text[17..19], civil.second() as u32);
        self.second = second;
    }
}

/// Nothing, or the point and 3, 6 or 9 digits: what readers of ms, µs and ns expect.
fn write_fraction(ns: u32, out: &mut Vec<u8>) {
    if ns == 0 {
        return;
    }
    let mut text = *b".000000000";
    let (value, length) = match (ns % 1_000_000, ns % 1_000) {
        (0, _) => (ns / 1_000_000, 4),
        (_, 0) => (ns / 1_000, 7),
        _ => (ns, 10),
    };
    write_digits(&mut text[1..length], value);
    out.extend_from_slice(&text[..length]);
}

fn write_digits(place: &mut [u8], mut value: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(face: &mut Clockface, ns: i64) -> String {
        let mut out = Vec::new();
        face.write(ns, &mut out);
        String::from_utf8(out).expect("digits are ASCII")
    }

    #[test]
    fn writes_as_many_digits_as_needed() {
        let face = &mut Clockface::new();
        for (ns, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_381_239_981_414_000_000, "2013-10-08T13:46:21.414Z"),
            (1_381_239_981_000_000_000, "2013-10-08T13:46:21Z"),
            (1_381_239_981_000_120_000, "2013-10-08T13:46:21.000120Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            assert_eq!(text(face, ns), expected);
        }
    }

    /// Method: jiff reads back what was written, for times all over the range, some of them
    /// within the second before so that the kept text is used.
    #[test]
    fn round_trips_through_a_parser() {
        let mut random = fastrand::Rng::with_seed(1);
        let face = &mut Clockface::new();
        for _ in 0..2_000 {
            let start = random.i64(i64::MIN / 2..i64::MAX / 2);
            for ns in [start, start + 1_000, start + 999_999_999] {
                let parsed: Timestamp = text(face, ns).parse().expect("RFC 3339");
                assert_eq!(parsed.as_nanosecond(), i128::from(ns));
            }
        }
    }
}
