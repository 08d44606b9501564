//! Conformance of the wire layer to RFC 6455 and to HTTP/1.1's part in it: tables of bytes in and
//! what must come out. Every row is fed whole, byte by byte and in two parts.

mod frames;
mod upgrade;
mod utf8;

use std::ops::ControlFlow;
use tapecast::limits::ECHO_BYTES_MAX;
use tapecast::wire::{Decoder, DecoderPool, Incoming};

/// What came out of a stream: a word for each message, then `error N` with the close code if it
/// failed; and the reply bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Transcript {
    events: Vec<String>,
    replies: Vec<u8>,
}

impl Transcript {
    fn of(events: &[&str], replies: &[u8]) -> Transcript {
        let events = events.iter().map(|event| event.to_string()).collect();
        Transcript { events, replies: replies.to_vec() }
    }
}

/// One masked frame in the shortest form; `first` is the flags and the opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = header(first, payload.len() as u64);
    let mask: [u8; 4] = out[out.len() - 4..].try_into().expect("a header ends with the mask");
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// The header of such a frame.
fn header(first: u8, length: u64) -> Vec<u8> {
    let mut out = vec![first];
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend([0x37, 0xfa, 0x21, 0x3d]);
    out
}

/// Feeds the pieces one after the other, as a server would receive them.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, message_max: usize) -> Transcript {
    let (mut decoder, mut pool) = (Decoder::new(), DecoderPool::new(message_max));
    let Transcript { mut events, mut replies } = Transcript::default();
    for piece in pieces {
        let result = decoder.feed(&mut pool, piece, &mut replies, &mut |message, _| {
            events.push(word(&message));
            ControlFlow::Continue(())
        });
        if let Err(error) = result {
            assert!(error.to_string().len() <= 123, "the text must fit a close reason");
            events.push(format!("error {}", error.close_code()));
            break;
        }
    }
    Transcript { events, replies }
}

fn word(message: &Incoming<'_>) -> String {
    match message {
        Incoming::Text(text) if text.len() < 100 => format!("text {text}"),
        Incoming::Text(text) => format!("text of {}", text.len()),
        Incoming::Binary(bytes) => format!("binary of {}", bytes.len()),
        Incoming::Ping => "ping".into(),
        Incoming::Pong => "pong".into(),
        Incoming::Close { code: None } => "close".into(),
        Incoming::Close { code: Some(code) } => format!("close {code}"),
    }
}

/// Checks one row in every way of feeding it. Of long input only the splits near its ends, where
/// the headers are.
fn check(name: &str, input: &[u8], expected: &Transcript) {
    assert_eq!(&decode([input], ECHO_BYTES_MAX), expected, "{name}, whole");
    assert_eq!(&decode(input.chunks(1), ECHO_BYTES_MAX), expected, "{name}, byte by byte");
    let is_near_an_end = |split: &usize| *split < 64 || input.len() - split < 64;
    for split in (0..=input.len()).filter(is_near_an_end) {
        let (first, second) = input.split_at(split);
        assert_eq!(&decode([first, second], ECHO_BYTES_MAX), expected, "{name}, at {split}");
    }
}
