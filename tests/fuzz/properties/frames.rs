//! Received bytes as frames and messages.

use std::ops::ControlFlow;
use tapecast::limits::PONGS_PER_READ_MAX;
use tapecast::wire::{Decoder, DecoderPool, Incoming};

/// Small, so that the fuzzer comes to messages above it.
const MESSAGE_BYTES_MAX: usize = 300;

/// What came out: words for messages and the error, reply bytes, pings.
#[derive(Debug, Default, PartialEq)]
struct Transcript {
    words: Vec<String>,
    replies: Vec<u8>,
    pings: usize,
}

/// However the bytes are cut, the same messages come out, then the same error; what is replied is
/// whole frames of a server, and nothing follows a Close.
pub fn check(bytes: &[u8]) {
    let whole = decode([bytes]);
    let single = decode(bytes.chunks(1));
    assert_eq!(whole.words, single.words);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let halves = decode([first, second]);
    assert_eq!(whole.words, halves.words);
    if whole.pings < PONGS_PER_READ_MAX {
        assert_eq!(whole.replies, single.replies);
        assert_eq!(whole.replies, halves.replies);
    }
    check_replies(&whole.replies);
    check_replies(&single.replies);
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Transcript {
    let (mut decoder, mut pool) = (Decoder::new(), DecoderPool::new(MESSAGE_BYTES_MAX));
    let Transcript { mut words, mut replies, mut pings } = Transcript::default();
    for piece in pieces {
        let result = decoder.feed(&mut pool, piece, &mut replies, &mut |message, _| {
            pings += usize::from(message == Incoming::Ping);
            words.push(word(&message));
            ControlFlow::Continue(())
        });
        if let Err(error) = result {
            assert!(error.to_string().len() <= 123, "the text must fit a close reason");
            words.push(format!("error {error}"));
            break;
        }
    }
    Transcript { words, replies, pings }
}

fn word(message: &Incoming<'_>) -> String {
    match message {
        Incoming::Text(text) => {
            assert!(text.len() <= MESSAGE_BYTES_MAX);
            format!("text {text}")
        }
        Incoming::Binary(bytes) => {
            assert!(bytes.len() <= MESSAGE_BYTES_MAX);
            format!("binary {bytes:02x?}")
        }
        other => format!("{other:?}"),
    }
}

/// Pongs, then at most one Close; all final, unmasked and short.
fn check_replies(mut replies: &[u8]) {
    while let [first, length, rest @ ..] = replies {
        assert!(matches!(first, 0x8a | 0x88), "{first:#x}");
        assert!(*length <= 125 && rest.len() >= usize::from(*length));
        replies = &rest[usize::from(*length)..];
        assert!(*first == 0x8a || replies.is_empty(), "a Close is the last frame");
    }
    assert!(replies.is_empty(), "a whole number of frames");
}
