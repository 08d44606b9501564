//! RFC 6455, sections 5 and 7: framing, fragmentation, control frames, closing.

use crate::{Transcript, check, decode, frame, header};
use tapecast::limits::{COMMAND_BYTES_MAX, ECHO_BYTES_MAX, FRAGMENTS_MAX};

/// Name, input, words, replies.
type Row = (&'static str, Vec<u8>, &'static [&'static str], &'static [u8]);

fn run(rows: Vec<Row>) {
    for (name, input, events, replies) in rows {
        check(name, &input, &Transcript::of(events, replies));
    }
}

/// A Close frame's payload.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes()[..], reason].concat())
}

#[test]
fn every_form_of_length() {
    for (length, word) in [
        (0, "binary of 0"),
        (1, "binary of 1"),
        (125, "binary of 125"),
        (126, "binary of 126"),
        (127, "binary of 127"),
        (128, "binary of 128"),
        (65_535, "binary of 65535"),
        (65_536, "binary of 65536"),
    ] {
        let input = frame(0x82, &vec![0xfe; length]);
        check(word, &input, &Transcript::of(&[word], b""));
    }
    check("text", &frame(0x81, b""), &Transcript::of(&["text "], b""));
    let long = frame(0x81, &vec![b'*'; 65_536]);
    check("long text", &long, &Transcript::of(&["text of 65536"], b""));
}

#[test]
fn lengths_in_a_longer_form_than_needed() {
    let mask = [1, 2, 3, 4];
    let sixteen = |length: u16| [&[0x82, 0xfe][..], &length.to_be_bytes(), &mask].concat();
    let sixty_four = |length: u64| [&[0x82, 0xff][..], &length.to_be_bytes(), &mask].concat();
    run(vec![
        ("125 in 16 bits", sixteen(125), &["error 1002"], b""),
        ("0 in 16 bits", sixteen(0), &["error 1002"], b""),
        ("65535 in 64 bits", sixty_four(65_535), &["error 1002"], b""),
        ("5 in 64 bits", sixty_four(5), &["error 1002"], b""),
        ("the highest bit", sixty_four(1 << 63), &["error 1009"], b""),
        ("all bits", sixty_four(u64::MAX), &["error 1009"], b""),
    ]);
}

#[test]
fn fragments_make_one_message() {
    run(vec![
        ("two", [frame(0x01, b"a"), frame(0x80, b"b")].concat(), &["text ab"], b""),
        (
            "empty ones",
            [frame(0x01, b""), frame(0x00, b""), frame(0x00, b"a"), frame(0x80, b"")].concat(),
            &["text a"],
            b"",
        ),
        ("all empty", [frame(0x02, b""), frame(0x80, b"")].concat(), &["binary of 0"], b""),
        (
            "a ping between",
            [frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b")].concat(),
            &["ping", "text ab"],
            b"\x8a\x01p",
        ),
        (
            "pings and pongs between",
            [
                frame(0x01, b"a"),
                frame(0x8a, b"x"),
                frame(0x00, b"b"),
                frame(0x89, b"1"),
                frame(0x89, b"2"),
                frame(0x80, b"c"),
                frame(0x81, b"d"),
            ]
            .concat(),
            &["pong", "ping", "ping", "text abc", "text d"],
            b"\x8a\x011\x8a\x012",
        ),
        (
            "closed in the middle",
            [frame(0x01, b"a"), close(1000, b""), frame(0x80, b"b")].concat(),
            &["close 1000"],
            b"\x88\x02\x03\xe8",
        ),
    ]);
}

#[test]
fn fragments_out_of_order() {
    run(vec![
        ("a continuation of nothing", frame(0x80, b"a"), &["error 1002"], b""),
        ("the same, not final", frame(0x00, b"a"), &["error 1002"], b""),
        (
            "a continuation after the end",
            [frame(0x01, b"a"), frame(0x80, b"b"), frame(0x80, b"c")].concat(),
            &["text ab", "error 1002"],
            b"",
        ),
        (
            "a message within a message",
            [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
            &["error 1002"],
            b"",
        ),
        (
            "a first fragment within a message",
            [frame(0x02, b"a"), frame(0x02, b"b")].concat(),
            &["error 1002"],
            b"",
        ),
    ]);
}

#[test]
fn pings_are_answered_with_their_payload() {
    let long = [0x55; 125];
    let ping = frame(0x89, &long);
    let pong = [&[0x8a, 125][..], &long].concat();
    check("125 bytes", &ping, &Transcript::of(&["ping"], &pong));
    let ten: Vec<u8> = (0..10).flat_map(|n| frame(0x89, &[n])).collect();
    let pongs: Vec<u8> = (0..10).flat_map(|n| [0x8a, 1, n]).collect();
    check("ten at once", &ten, &Transcript::of(&["ping"; 10], &pongs));
    run(vec![
        ("an empty ping", frame(0x89, b""), &["ping"], b"\x8a\x00"),
        ("binary payload", frame(0x89, b"\x00\xff"), &["ping"], b"\x8a\x02\x00\xff"),
        ("a pong that nobody asked for", frame(0x8a, b"x"), &["pong"], b""),
        (
            "a pong, then a ping",
            [frame(0x8a, b""), frame(0x89, b"y")].concat(),
            &["pong", "ping"],
            b"\x8a\x01y",
        ),
    ]);
}

/// Only the header is sent: the error must not wait for the payload.
#[test]
fn headers_that_break_a_rule() {
    let reserved = [0x83, 0x84, 0x85, 0x86, 0x87, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x03, 0x0b];
    for opcode in reserved {
        check("a reserved opcode", &header(opcode, 5), &Transcript::of(&["error 1002"], b""));
    }
    for bits in 1..8_u8 {
        for opcode in [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01] {
            let input = [frame(0x81, b"a"), header(opcode | bits << 4, 5)].concat();
            let expected = Transcript::of(&["text a", "error 1002"], b"");
            check("reserved bits", &input, &expected);
        }
    }
    run(vec![
        ("a ping of 126 bytes", header(0x89, 126), &["error 1002"], b""),
        ("a pong of 126 bytes", header(0x8a, 126), &["error 1002"], b""),
        ("a close of 126 bytes", header(0x88, 126), &["error 1002"], b""),
        ("a ping of 2^20 bytes", header(0x89, 1 << 20), &["error 1002"], b""),
        ("a fragmented ping", header(0x09, 1), &["error 1002"], b""),
        ("a fragmented pong", header(0x0a, 1), &["error 1002"], b""),
        ("a fragmented close", header(0x08, 2), &["error 1002"], b""),
        ("no mask", vec![0x81, 0x01], &["error 1002"], b""),
        ("no mask, empty", vec![0x81, 0x00], &["error 1002"], b""),
        ("no mask, long", vec![0x82, 0x7e, 0x01, 0x00], &["error 1002"], b""),
        ("a ping without mask", vec![0x89, 0x00], &["error 1002"], b""),
    ]);
}

#[test]
fn messages_over_the_limit() {
    let over = [
        ("one frame", header(0x82, COMMAND_BYTES_MAX as u64 + 1)),
        (
            "two fragments",
            [frame(0x01, b"ab"), header(0x80, COMMAND_BYTES_MAX as u64 - 1)].concat(),
        ),
        ("a length that no memory has", header(0x82, u64::MAX)),
    ];
    for (name, input) in over {
        for pieces in [vec![&input[..]], input.chunks(1).collect()] {
            let transcript = decode(pieces, COMMAND_BYTES_MAX);
            assert_eq!(transcript.events, ["error 1009"], "{name}");
        }
    }
    let fits = [frame(0x01, b"ab"), frame(0x80, &vec![b'x'; COMMAND_BYTES_MAX - 2])].concat();
    assert_eq!(decode([&fits[..]], COMMAND_BYTES_MAX).events, ["text of 262144"]);
    let fits = frame(0x82, &vec![0; ECHO_BYTES_MAX]);
    assert_eq!(decode(fits.chunks(1000), ECHO_BYTES_MAX).events, ["binary of 1048576"]);
}

#[test]
fn fragments_over_the_limit() {
    let more = |count: u32| frame(0x00, b"").repeat(count as usize);
    let fits = [frame(0x01, b"a"), more(FRAGMENTS_MAX - 2), frame(0x80, b"b")].concat();
    assert_eq!(decode([&fits[..], &fits[..]], COMMAND_BYTES_MAX).events, ["text ab"; 2]);
    let over = [frame(0x01, b"a"), more(FRAGMENTS_MAX)].concat();
    assert_eq!(decode([&over[..]], COMMAND_BYTES_MAX).events, ["error 1009"]);
}

#[test]
fn closing() {
    run(vec![
        ("without a code", frame(0x88, b""), &["close"], b"\x88\x00"),
        ("half a code", frame(0x88, b"\x03"), &["error 1002"], b""),
        ("a reason", close(1000, b"bye"), &["close 1000"], b"\x88\x05\x03\xe8bye"),
        (
            "a ping before",
            [frame(0x89, b"p"), close(1001, b"")].concat(),
            &["ping", "close 1001"],
            b"\x8a\x01p\x88\x02\x03\xe9",
        ),
        (
            "anything after",
            [close(1000, b""), frame(0x89, b"p"), close(1000, b""), vec![0xff; 20]].concat(),
            &["close 1000"],
            b"\x88\x02\x03\xe8",
        ),
        ("bad UTF-8 in the reason", close(1000, b"\xff\xfe"), &["error 1007"], b""),
        ("half a character in the reason", close(1000, b"\xce"), &["error 1007"], b""),
    ]);
    let longest = close(1000, &[b'*'; 123]);
    let reply = [&b"\x88\x7d\x03\xe8"[..], &[b'*'; 123]].concat();
    check("the longest reason", &longest, &Transcript::of(&["close 1000"], &reply));
}

#[test]
fn close_codes() {
    let good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013];
    for code in good.into_iter().chain([3000, 3999, 4000, 4999]) {
        let reply = [&[0x88, 2][..], &u16::to_be_bytes(code)].concat();
        let word = format!("close {code}");
        check(&word, &close(code, b""), &Transcript::of(&[&word], &reply));
    }
    let bad = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    for code in bad {
        let expected = Transcript::of(&["error 1002"], b"");
        check(&format!("close {code}"), &close(code, b""), &expected);
        check(&format!("close {code}"), &close(code, b"why"), &expected);
    }
}
