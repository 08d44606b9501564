//! RFC 6455, section 8.1: text is UTF-8 (RFC 3629), however it is cut into fragments.

use crate::{Transcript, check, frame};

/// The ends of each length of sequence, what is next to the surrogates, and noncharacters, which
/// are valid.
const VALID: [&[u8]; 16] = [
    b"",
    b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
    b"\x00",
    b"\x7f",
    b"\xc2\x80",
    b"\xdf\xbf",
    b"\xe0\xa0\x80",
    b"\xef\xbf\xbf",
    b"\xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf",
    b"\xed\x9f\xbf",
    b"\xee\x80\x80",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xf0\x9f\xbf\xbf",
];

const INVALID: [&[u8]; 26] = [
    // Lone continuations and lone starts.
    b"\x80",
    b"\xbf",
    b"\x80\xbf",
    b"\xc2 ",
    b"\xe0\xa0 ",
    b"\xf0\x90\x80 ",
    // Cut at the end.
    b"\xc2",
    b"\xe1\xbd",
    b"\xf0\x90\x80",
    b"\xce\xba\xe1",
    // Impossible bytes, and lengths that UTF-8 no longer has.
    b"\xfe",
    b"\xff",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    // Overlong.
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x80\xaf",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf0\x8f\xbf\xbf",
    b"\xc0\x80",
    // Surrogates, alone and in pairs.
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    // Above U+10FFFF.
    b"\xf4\x90\x80\x80",
    b"\xf7\xbf\xbf\xbf",
];

/// `bytes` as one frame, and as two fragments cut at every place.
fn streams(bytes: &[u8]) -> Vec<Vec<u8>> {
    let two = |cut| [frame(0x01, &bytes[..cut]), frame(0x80, &bytes[cut..])].concat();
    (0..=bytes.len()).map(two).chain([frame(0x81, bytes)]).collect()
}

#[test]
fn valid_text_is_accepted() {
    for bytes in VALID {
        let word = format!("text {}", std::str::from_utf8(bytes).expect("valid"));
        for stream in streams(bytes) {
            check("valid", &stream, &Transcript::of(&[&word], b""));
        }
    }
}

#[test]
fn invalid_text_ends_with_1007() {
    for bytes in INVALID {
        for text in [bytes.to_vec(), [b"kosme ", bytes].concat()] {
            for stream in streams(&text) {
                let name = format!("{text:02x?}");
                check(&name, &stream, &Transcript::of(&["error 1007"], b""));
            }
        }
        let reason = [&1000_u16.to_be_bytes()[..], bytes].concat();
        check("reason", &frame(0x88, &reason), &Transcript::of(&["error 1007"], b""));
    }
}

#[test]
fn each_byte_in_a_fragment_of_its_own() {
    let text = "κόσμε 🦀";
    let mut stream = frame(0x01, b"");
    for byte in text.as_bytes() {
        stream.extend(frame(0x00, &[*byte]));
        stream.extend(frame(0x8a, b""));
    }
    stream.extend(frame(0x80, b""));
    let mut events = vec!["pong"; text.len()];
    events.push("text κόσμε 🦀");
    check("byte by byte", &stream, &Transcript::of(&events, b""));
}

#[test]
fn a_message_that_is_valid_alone_does_not_heal_the_one_before() {
    let stream = [frame(0x81, b"\xce"), frame(0x81, b"\xba")].concat();
    check("two halves", &stream, &Transcript::of(&["error 1007"], b""));
    let binary = frame(0x82, b"\xff\xfe");
    check("binary is not text", &binary, &Transcript::of(&["binary of 2"], b""));
}
