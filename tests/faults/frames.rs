//! Frames in numbers or forms that nobody should send.

use crate::stage::peer::{Peer, Seen};
use crate::stage::{Stage, Struck};
use std::time::Duration;
use tapecast::limits::{COMMAND_BYTES_MAX, FRAGMENTS_MAX, PERSONAL_BYTES_MAX};
use tapecast::wire::client::{Opcode, write_frame};

const CLOSE_MS: u64 = 1500;

/// Floods end when the client has sent them and leaves, or when the server has had enough.
const DEADLINE: Duration = Duration::from_secs(10);

fn stage() -> Stage {
    Stage::new(&format!("--close-ms {CLOSE_MS}"))
}

fn repeated(opcode: Opcode, payload: &[u8], count: usize) -> Vec<u8> {
    let mut one = Vec::new();
    write_frame(&mut one, opcode, payload, [9, 8, 7, 6]);
    one.repeat(count)
}

/// Without a feed of their own, so that only what they ask for comes back.
fn upgraded(stage: &Stage, count: usize) -> Vec<Peer> {
    let mut peers = stage.connect(count, None);
    crate::stage::peer::upgrade(&mut peers, "ts=ns");
    peers
}

#[test]
fn floods_of_pings_and_pongs_cost_their_sender() {
    let stage = stage();
    stage.play("2,000 pings each, read", &["client_closed"], |stage| {
        let mut struck = Struck::now(upgraded(stage, 50), DEADLINE);
        let pings = repeated(Opcode::Ping, &[7; 125], 100);
        for peer in &mut struck.peers {
            for _ in 0..20 {
                assert!(peer.send(&pings));
                assert!(peer.read_pong(), "the newest of the pings is answered");
            }
            assert!(peer.send_frame(Opcode::Close, &[3, 232]));
            assert_eq!(peer.read_end(), Seen::Close(1000));
        }
        struck.was_seen()
    });
    stage.play("5,000 pongs each, unasked", &["client_closed"], |stage| {
        let mut struck = Struck::now(upgraded(stage, 50), DEADLINE);
        let pongs = repeated(Opcode::Pong, &[7; 125], 5000);
        for peer in &mut struck.peers {
            assert!(peer.send(&pongs));
            assert!(peer.send_frame(Opcode::Close, &[3, 232]));
            assert_eq!(peer.read_end(), Seen::Close(1000));
        }
        struck.was_seen()
    });
    // More than the server keeps of what is not read, and all that the two sockets hold.
    let count = (PERSONAL_BYTES_MAX * 4).div_ceil(127);
    stage.play("pings, their pongs unread", &["answers_unread"], |stage| {
        let mut peers = stage.connect(20, Some(4096));
        crate::stage::peer::upgrade(&mut peers, "ts=ns");
        let mut struck = Struck::now(peers, DEADLINE);
        let pings = repeated(Opcode::Ping, &[7; 125], count);
        struck.peers.iter_mut().for_each(|peer| _ = peer.send(&pings));
        struck
    });
    stage.end();
}

#[test]
fn a_message_in_fragments_has_an_end() {
    let stage = stage();
    let begin = |peers: &mut Vec<Peer>| {
        peers.iter_mut().for_each(|peer| assert!(peer.send(&[0x01, 0x80, 1, 2, 3, 4])));
    };
    let fragments = |payload: &[u8], count: usize| {
        let mut bytes = repeated(Opcode::Text, payload, count);
        // Continuation, not final.
        bytes.chunks_mut(6 + payload.len()).for_each(|frame| frame[0] = 0);
        bytes
    };
    stage.play("empty fragments without end", &["message_too_large"], |stage| {
        let mut struck = Struck::now(upgraded(stage, 20), DEADLINE);
        begin(&mut struck.peers);
        let flood = fragments(b"", FRAGMENTS_MAX as usize + 1);
        for peer in &mut struck.peers {
            peer.send(&flood);
            assert_eq!(peer.read_end(), Seen::Close(1009));
        }
        struck.was_seen()
    });
    stage.play("fragments without end", &["message_too_large"], |stage| {
        let mut struck = Struck::now(upgraded(stage, 20), DEADLINE);
        begin(&mut struck.peers);
        let flood = fragments(&[b'x'; 100], COMMAND_BYTES_MAX / 100 + 1);
        for peer in &mut struck.peers {
            peer.send(&flood);
            assert_eq!(peer.read_end(), Seen::Close(1009));
        }
        struck.was_seen()
    });
    stage.end();
}

#[test]
fn frames_against_the_rules_get_their_close_code() {
    let stage = stage();
    let mask = [1, 2, 3, 4];
    let header = |first: u8, second: &[u8]| [&[first], second, &mask[..]].concat();
    let huge = header(0x82, &[0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let mut bad_text = Vec::new();
    write_frame(&mut bad_text, Opcode::Text, b"\xed\xa0\x80", mask);
    let kinds: Vec<(Vec<u8>, u16)> = vec![
        (huge, 1009),
        (bad_text, 1007),
        (header(0xc1, &[0x85]), 1002),         // a reserved bit
        (header(0x83, &[0x85]), 1002),         // a reserved opcode
        (vec![0x81, 0x02, b'h', b'i'], 1002),  // no mask
        (header(0x89, &[0xfe, 0, 126]), 1002), // a ping of 126 bytes
        (header(0x09, &[0x81]), 1002),         // a fragmented ping
        (header(0x80, &[0x81]), 1002),         // nothing to continue
        (header(0x82, &[0xfe, 0, 5]), 1002),   // a length in a longer form
    ];
    let reasons = ["message_too_large", "bad_utf8", "protocol_error"];
    stage.play("malformed and oversized frames", &reasons, |stage| {
        let mut struck = Struck::now(stage.subscribe(kinds.len() * 20, None), DEADLINE);
        for (peer, (bytes, _)) in struck.peers.iter_mut().zip(kinds.iter().cycle()) {
            assert!(peer.send(bytes));
        }
        for (peer, (bytes, code)) in struck.peers.iter_mut().zip(kinds.iter().cycle()) {
            assert_eq!(peer.read_end(), Seen::Close(*code), "{bytes:02x?}");
        }
        struck.was_seen()
    });
    stage.end();
}
