//! The lines of ticks in the form that Tapecast and its peers write, read without a JSON parser.
//!
//! Only what is checked is read: kind, symbol, event time, `sq` and the mark of a snapshot. What
//! stands between is skipped eight bytes a step. Whatever looks different is left to the parser,
//! so this never refuses anything: it only does not know it.

use crate::cli::load::digest::{Digest, Item};
use crate::cli::load::symbols::SymbolTable;
use crate::market::Channel;

/// `{"T":"q","S":"`, where the place of the kind is left open.
const HEAD: [u8; 14] = *b"{\"T\":\"?\",\"S\":\"";
const KIND_AT: usize = 6;

/// A name that is longer has its quote found by the parser.
const NAME_BYTES_MAX: usize = 32;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// Adds the items of an array of lines to `digest`. `false` where it knows less than all of it;
/// the digest then holds a part.
pub fn scan_array(payload: &[u8], symbols: &mut SymbolTable, digest: &mut Digest) -> bool {
    let Some((b'[', mut rest)) = payload.split_first().map(|(first, rest)| (*first, rest)) else {
        return false;
    };
    loop {
        let Some((item, line_bytes)) = scan_line(rest, symbols) else { return false };
        digest.push_item(item);
        match &rest[line_bytes..] {
            [b',', more @ ..] => rest = more,
            [b']'] => return true,
            _ => return false,
        }
    }
}

/// The same for a single line.
pub fn scan_object(payload: &[u8], symbols: &mut SymbolTable, digest: &mut Digest) -> bool {
    match scan_line(payload, symbols) {
        Some((item, line_bytes)) if line_bytes == payload.len() => {
            digest.push_item(item);
            true
        }
        _ => false,
    }
}

/// The first line of `bytes` and its length.
#[inline]
fn scan_line(bytes: &[u8], symbols: &mut SymbolTable) -> Option<(Item, usize)> {
    let (head, rest) = bytes.split_first_chunk::<{ HEAD.len() }>()?;
    let channel = match head[KIND_AT] {
        b'q' => Channel::Quotes,
        b't' => Channel::Trades,
        b'b' => Channel::Bars,
        _ => return None,
    };
    let mut fixed = *head;
    fixed[KIND_AT] = b'?';
    if fixed != HEAD {
        return None;
    }
    let name_bytes = quote_at(rest)?;
    let symbol = symbols.intern_bytes(&rest[..name_bytes])?;
    let mut rest = &rest[name_bytes + 1..];
    // Peers number their lines in front of the feed's members, Tapecast behind them.
    let mut sq = None;
    if let Some(digits) = rest.strip_prefix(b",\"sq\":") {
        let (number, length) = leading_number(digits)?;
        (sq, rest) = (Some(number), &digits[length..]);
    }
    let (event_us, behind) = scan_time(rest)?;
    let (sq, behind) = match sq {
        Some(sq) => (sq, behind),
        None => {
            let digits = behind.strip_prefix(b",\"sq\":")?;
            let (sq, length) = leading_number(digits)?;
            (sq, &digits[length..])
        }
    };
    let (is_snapshot, behind) = match behind {
        [b'}', behind @ ..] => (false, behind),
        _ => (true, behind.strip_prefix(b",\"sn\":1}")?),
    };
    Some((Item { symbol, channel, is_snapshot, sq, event_us }, bytes.len() - behind.len()))
}

/// Where the name ends.
#[inline]
fn quote_at(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at <= NAME_BYTES_MAX {
        let hits = bytes_equal(word_at(bytes, at)?, b'"');
        if hits != 0 {
            return Some(at + first_hit(hits));
        }
        at += 8;
    }
    None
}

/// The member `t` of this line, integer ns of 19 digits (the years 2001 to 2286), in µs; and what
/// follows. No such key can stand within a text, whose quotes would be escaped.
#[inline]
fn scan_time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut at = 0;
    loop {
        let word = word_at(bytes, at)?;
        let hits = bytes_equal(word, b't') | bytes_equal(word, b'}');
        if hits == 0 {
            at += 8;
            continue;
        }
        let hit = at + first_hit(hits);
        if bytes[hit] == b'}' {
            return None;
        }
        at = hit + 1;
        let begins = hit >= 2 && bytes[hit - 2..hit] == *b",\"";
        if begins && bytes[at..].starts_with(b"\":") {
            break;
        }
    }
    let (digits, behind) = bytes[at + 2..].split_first_chunk::<19>()?;
    let high = eight_digits(word_at(digits, 0)?)?;
    let low = eight_digits(word_at(digits, 8)?)?;
    let is_end = behind.first().is_some_and(|byte| !byte.is_ascii_digit());
    let are_digits = digits[16..].iter().all(u8::is_ascii_digit);
    (is_end && are_digits && digits[0] != b'0')
        .then_some(((high * 100_000_000 + low) as i64, behind))
}

/// An unsigned integer of at most 18 digits, and how many they are.
#[inline]
fn leading_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let (mut number, mut length) = (0, 0);
    while let Some(digit) = bytes.get(length).map(|byte| byte.wrapping_sub(b'0')) {
        if digit > 9 {
            break;
        }
        number = number * 10 + u64::from(digit);
        length += 1;
        if length > 18 {
            return None;
        }
    }
    (length > 0 && (length == 1 || bytes[0] != b'0')).then_some((number, length))
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The highest bit of every byte that equals `byte`; bits above the lowest of them may be wrong.
#[inline]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    let zeroed = word ^ (ONES * u64::from(byte));
    zeroed.wrapping_sub(ONES) & !zeroed & HIGHS
}

#[inline]
fn first_hit(hits: u64) -> usize {
    (hits.trailing_zeros() / 8) as usize
}

/// The value of eight digits, the first in the lowest byte, joined pair by pair.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    let zeros = ONES * u64::from(b'0');
    let above = word.wrapping_add(ONES * u64::from(0x7f - b'9'));
    let below = word.wrapping_sub(zeros);
    if (word | above | below) & HIGHS != 0 {
        return None;
    }
    let pairs = (below * 10 + (below >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::dialect::Form;

    const LINE: &str = concat!(
        r#"{"T":"q","S":"AAPL","bx":"Q","bp":13.81,"bs":24200,"ax":"t","ap":13.82,"#,
        r#""as":3,"t":1700000000123456789,"sq":712}"#
    );

    fn scanned(text: &str) -> Option<Digest> {
        let (mut symbols, mut digest) = (SymbolTable::default(), Digest::default());
        scan_array(text.as_bytes(), &mut symbols, &mut digest).then_some(digest)
    }

    fn parsed(text: &str) -> Digest {
        let (mut symbols, mut digest) = (SymbolTable::default(), Digest::default());
        Form::Array.parse(text.as_bytes(), &mut symbols, &mut digest);
        digest
    }

    /// Method: what is scanned equals what the parser says.
    #[test]
    fn known_lines_are_read_as_the_parser_does() {
        let peer = r#"{"T":"q","S":"S00001","sq":5,"bp":1,"t":1700000000123456789}"#;
        let trade = r#"{"T":"t","S":"A","i":7,"p":1.5,"s":1,"t":1999999999999999999,"sq":0}"#;
        let bar = concat!(
            r#"{"T":"b","S":"LONGER.NAME.OF.32.BYTES.IN.ALL.X","o":1,"#,
            r#""t":1700000000000000000,"sq":123456789012345678}"#
        );
        let snapshot = LINE.replace('}', r#","sn":1}"#);
        for text in [
            format!("[{LINE}]"),
            format!("[{LINE},{peer},{trade},{bar},{snapshot},{LINE}]"),
            format!("[{snapshot}]"),
        ] {
            assert_eq!(scanned(&text), Some(parsed(&text)), "{text}");
        }
    }

    /// Method: every byte of a line is changed and every prefix taken: either it is not known, or
    /// the parser reads the same, or the parser finds a flaw in what the scan skips.
    #[test]
    fn unknown_lines_are_left_to_the_parser() {
        for text in [
            "",
            "[]",
            "[",
            "{}",
            r#"[{"T":"q","S":"A","bp":1,"sq":1}]"#,
            r#"[{"T":"q","S":"A","sq":1},{"T":"q","S":"B","t":1700000000000000000,"sq":1}]"#,
            r#"[{"T":"q","S":"A","t":"2023-11-14T22:13:20Z","sq":1}]"#,
            r#"[{"T":"q","S":"A","t":17000000000000000001,"sq":1}]"#,
            r#"[{"T":"q","S":"A","t":1700000000000000000,"sq":-1}]"#,
            r#"[{"T":"q","S":"A","t":1700000000000000000,"sq":01}]"#,
            r#"[{"T":"t","S":"A","t":1700000000000000000,"sq":1,"c":["@"]}]"#,
            r#"[{"T":"gap","S":"A","ch":"trades"}]"#,
        ] {
            assert_eq!(scanned(text), None, "{text}");
        }
        let text = format!("[{LINE},{LINE}]");
        for at in 0..text.len() {
            assert_eq!(scanned(&text[..at]), None);
            for byte in ["0", "t", "}", "\"", ",", " "] {
                let changed = format!("{}{byte}{}", &text[..at], &text[at + 1..]);
                let expected = parsed(&changed);
                let Some(found) = scanned(&changed) else { continue };
                assert!(found == expected || expected.item_count == 0, "{changed}");
            }
        }
    }

    #[test]
    fn digits_are_joined() {
        let value = |text: &[u8; 8]| eight_digits(u64::from_le_bytes(*text));
        assert_eq!(value(b"00000000"), Some(0));
        assert_eq!(value(b"12345678"), Some(12_345_678));
        assert_eq!(value(b"99999999"), Some(99_999_999));
        for bad in [b"1234567:", b"/2345678", b"1234 678", b"123\xb4567 "] {
            assert_eq!(value(bad), None);
        }
    }
}
