//! Method: frames made by hand go in whole, byte by byte and in every two parts; what counts is
//! what comes out, and that nothing is held when the connection is at rest. The rules of RFC 6455
//! one by one are in `tests/conformance.rs`.

use super::*;

const MASK: [u8; 4] = [1, 2, 3, 4];

/// A masked frame of up to 65,535 bytes; `first` is the flags and the opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        long => {
            out.push(0x80 | 126);
            out.extend((long as u16).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

struct Session {
    decoder: Decoder,
    pool: DecoderPool,
    replies: Vec<u8>,
    heard: Vec<String>,
}

impl Session {
    fn new() -> Session {
        Session {
            decoder: Decoder::new(),
            pool: DecoderPool::new(10_000),
            replies: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let heard = &mut self.heard;
        self.decoder.feed(&mut self.pool, bytes, &mut self.replies, &mut |message, _| {
            heard.push(match message {
                Incoming::Text(text) => text.to_string(),
                Incoming::Binary(bytes) => format!("{} bytes", bytes.len()),
                other => format!("{other:?}"),
            });
            ControlFlow::Continue(())
        })
    }
}

#[test]
fn a_session_at_rest_holds_no_decoder() {
    let stream = [frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b")].concat();
    for split in 0..=stream.len() {
        let mut session = Session::new();
        session.feed(&stream[..split]).expect("valid");
        assert_eq!(session.decoder.is_at_rest(), split == 0 || split == stream.len(), "{split}");
        session.feed(&stream[split..]).expect("valid");
        assert!(session.decoder.is_at_rest());
        assert_eq!(session.pool.spares.len(), 1, "the one decoder went back");
        assert_eq!(session.heard, ["Ping", "ab"]);
        assert_eq!(session.replies, b"\x8a\x01p");
    }
}

#[test]
fn one_decoder_serves_sessions_in_turn() {
    let mut first = Session::new();
    first.feed(&frame(0x81, b"one")).expect("valid");
    let mut second = Session { pool: first.pool, ..Session::new() };
    second.feed(&frame(0x81, b"two")).expect("valid");
    assert_eq!((second.heard, second.pool.spares.len()), (vec!["two".to_string()], 1));
}

#[test]
fn a_decoder_that_grew_is_not_kept() {
    let mut session = Session::new();
    session.feed(&frame(0x82, &vec![0; DECODER_BUFFER_BYTES + 1])).expect("valid");
    assert!(session.decoder.is_at_rest() && session.pool.spares.is_empty());
}

#[test]
fn a_flood_of_pings_is_answered_sixteen_times() {
    let mut session = Session::new();
    let pings: Vec<u8> = (0..=255_u8).flat_map(|n| frame(0x89, &[n])).collect();
    session.feed(&pings).expect("valid");
    assert_eq!(session.heard.len(), 256);
    let pongs: Vec<u8> = session.replies.chunks(3).map(|pong| pong[2]).collect();
    assert_eq!(pongs[..15], (0..15).collect::<Vec<u8>>());
    assert_eq!(pongs[15..], [255], "the newest ping is answered");
    session.feed(&frame(0x89, b"x")).expect("valid");
    assert!(session.replies.ends_with(b"\x8a\x01x"), "the next bytes begin anew");
}

#[test]
fn nothing_counts_after_a_close_frame() {
    let close = frame(0x88, b"\x03\xe8bye");
    let stream = [frame(0x81, b"a"), close, frame(0x81, b"b"), vec![0xff; 9]].concat();
    for split in 0..=stream.len() {
        let mut session = Session::new();
        session.feed(&stream[..split]).expect("valid");
        session.feed(&stream[split..]).expect("ignored after the Close frame");
        assert_eq!(session.heard, ["a", "Close { code: Some(1000) }"]);
        assert_eq!(session.replies, b"\x88\x05\x03\xe8bye");
        assert!(session.pool.spares.is_empty(), "a closed decoder is not used again");
    }
}

#[test]
fn what_stands_before_an_error_is_decoded() {
    let stream = [frame(0x81, b"a"), frame(0x89, b"p"), frame(0xc1, b"b")].concat();
    for split in 0..stream.len() {
        let mut session = Session::new();
        let early = session.feed(&stream[..split]);
        let late = session.feed(&stream[split..]);
        assert_eq!(early.and(late), Err(DecodeError::ReservedBits), "{split}");
        assert_eq!(session.heard, ["a", "Ping"]);
        assert_eq!(session.replies, b"\x8a\x01p");
        assert_eq!(session.feed(&frame(0x81, b"c")), Ok(()), "ignored");
        assert_eq!(session.heard.len(), 2);
    }
}

#[test]
fn a_break_stops_at_once_and_nothing_follows_the_owners_close() {
    let (mut decoder, mut pool) = (Decoder::new(), DecoderPool::new(100));
    let mut stream: Vec<u8> = (0..20).flat_map(|_| frame(0x89, b"")).collect();
    stream.extend([frame(0x81, b"a"), frame(0x81, b"b")].concat());
    let (mut replies, mut texts) = (Vec::new(), 0);
    let result = decoder.feed(&mut pool, &stream, &mut replies, &mut |message, replies| {
        if !matches!(message, Incoming::Text(_)) {
            return ControlFlow::Continue(());
        }
        texts += 1;
        replies.extend_from_slice(b"close");
        ControlFlow::Break(())
    });
    assert_eq!((result, texts), (Ok(()), 1));
    assert!(replies.ends_with(b"close"));
}

/// Method: random bytes, and valid streams with random bytes changed, in random pieces. Whatever
/// a peer sends: no panic, and replies stay bounded.
#[test]
fn no_bytes_make_it_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3_000 {
        let mut stream = Vec::new();
        for _ in 0..random.usize(1..5) {
            let payload: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
            stream.extend(frame(random.u8(..), &payload));
        }
        for _ in 0..random.usize(0..4) {
            let at = random.usize(0..stream.len());
            stream[at] = random.u8(..);
        }
        let mut session = Session::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(random.usize(1..=rest.len()));
            rest = tail;
            if session.feed(piece).is_err() {
                break;
            }
        }
        assert!(session.replies.len() <= stream.len());
    }
}
