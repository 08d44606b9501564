//! The request that opens a WebSocket.

use tapecast::limits::UPGRADE_BYTES_MAX;
use tapecast::wire::Queries;
use tapecast::wire::upgrade::{Parsed, parse};

/// Prefixes of a longer request are not all tried: that would be quadratic.
const PREFIXES_MAX: usize = 256;

/// What is granted stays granted however the head is cut, what is refused has a whole answer of
/// one line, and a head is never awaited beyond its limit.
pub fn check(bytes: &[u8]) {
    for echo in [false, true] {
        let whole = answer(bytes, echo);
        assert!(whole.is_some() || bytes.len() < UPGRADE_BYTES_MAX, "awaited beyond the limit");
        let step = bytes.len() / PREFIXES_MAX + 1;
        for end in (0..bytes.len()).step_by(step) {
            if let Some(early) = answer(&bytes[..end], echo) {
                let whole = whole.as_ref().expect("more bytes do not make a head incomplete");
                assert_eq!(&early, whole, "after {end} bytes");
            }
        }
    }
}

/// The answer and the length of the head; `None` while it is incomplete.
fn answer(bytes: &[u8], echo: bool) -> Option<(String, usize)> {
    let mut out = Vec::new();
    let consumed = match parse(bytes, echo, &mut Queries::default()) {
        Ok(Parsed::Incomplete) => return None,
        Ok(Parsed::Request { upgrade, consumed }) => {
            assert!(consumed <= bytes.len());
            upgrade.response(&mut out);
            assert!(out.starts_with(b"HTTP/1.1 101 ") && out.ends_with(b"\r\n\r\n"));
            consumed
        }
        Err(refusal) => {
            refusal.response(&mut out);
            0
        }
    };
    let text = String::from_utf8(out).expect("an answer is text");
    if consumed == 0 {
        check_refusal(&text);
    }
    Some((text, consumed))
}

/// Nothing that the peer sent may add a header or a second line to the body.
fn check_refusal(text: &str) {
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    assert!(body.is_empty() || (body.ends_with('\n') && body.lines().count() == 1), "{text}");
    assert!(head.starts_with("HTTP/1.1 4") || head.starts_with("HTTP/1.1 5"), "{text}");
    assert!(head.lines().count() <= 5 && text.len() < 1024, "{text}");
    assert!(!body.trim_end_matches('\n').contains(|c: char| c.is_control()), "{text:?}");
}
