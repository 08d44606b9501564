//! Commands in numbers, sizes and forms that nobody should send.

use crate::stage::peer::{Peer, Seen, upgrade};
use crate::stage::{Stage, Struck};
use std::time::Duration;
use tapecast::limits::{COMMAND_BYTES_MAX, COMMANDS_BURST, SESSION_SYMBOLS_MAX, STRIKES_MAX};
use tapecast::wire::client::Opcode;

const DEADLINE: Duration = Duration::from_secs(10);

/// Sends the message until the server has had enough, and expects 1008.
fn repeat_until_closed(peers: &mut [Peer], opcode: Opcode, message: &[u8], count: usize) {
    for peer in peers {
        // Their answers are read as they come, or they would be the reason of the end.
        for _ in 0..count {
            if !peer.send_frame(opcode, message) {
                break;
            }
            peer.take_what_has_come();
        }
        assert_eq!(peer.read_end(), Seen::Close(1008));
    }
}

/// Messages that are refused: a huge one, whose answer names `word`, and then small ones to the
/// end.
struct Refused {
    opcode: Opcode,
    /// In turn, a client one of them.
    huge: Vec<Vec<u8>>,
    word: &'static str,
    small: Vec<u8>,
}

fn play(stage: &Stage, fault: &'static str, clients: usize, refused: &Refused) {
    let strikes = usize::from(STRIKES_MAX) + 10;
    stage.play(fault, &["abuse"], |stage| {
        let mut peers = stage.connect(clients, None);
        let binary = refused.opcode == Opcode::Binary;
        upgrade(&mut peers, if binary { "encoding=msgpack" } else { "ts=ns" });
        let mut struck = Struck::now(peers, DEADLINE);
        for (peer, huge) in struck.peers.iter_mut().zip(refused.huge.iter().cycle()) {
            assert!(peer.send_frame(refused.opcode, huge));
            peer.read_until(refused.word);
        }
        repeat_until_closed(&mut struck.peers, refused.opcode, &refused.small, strikes);
        struck.was_seen()
    });
}

#[test]
fn commands_over_the_rate_end_the_session() {
    let stage = Stage::new("");
    let churn = [
        br#"{"action":"subscribe","quotes":["*"],"trades":["S0001","S0002"]}"#.to_vec(),
        br#"{"action":"unsubscribe","quotes":["*"],"trades":["S0001","S0002"]}"#.to_vec(),
    ];
    stage.play("subscribe and unsubscribe churn", &["abuse"], |stage| {
        let mut peers = stage.connect(50, None);
        upgrade(&mut peers, "ts=ns");
        let mut struck = Struck::now(peers, DEADLINE);
        // Together they are 50 a turn; each is over its rate after the burst.
        for round in 0..COMMANDS_BURST as usize * 2 {
            for peer in &mut struck.peers {
                peer.send_frame(Opcode::Text, &churn[round % 2]);
                peer.take_what_has_come();
            }
        }
        for peer in &mut struck.peers {
            assert_eq!(peer.read_end(), Seen::Close(1008));
        }
        struck.was_seen()
    });
    stage.end();
}

#[test]
fn commands_that_are_none_end_the_session() {
    let stage = Stage::new("");
    let room = COMMAND_BYTES_MAX - 100;
    let json = Refused {
        opcode: Opcode::Text,
        huge: vec![
            [b"{\"x\":".to_vec(), vec![b'['; room]].concat(),
            [b"{\"action\":\"".to_vec(), vec![b'x'; room], b"\"}".to_vec()].concat(),
            [b"{\"x\":\"".to_vec(), vec![b'\\'; room], b"\"}".to_vec()].concat(),
        ],
        word: r#""code":400"#,
        small: [b"{\"x\":".to_vec(), vec![b'['; 1000]].concat(),
    };
    play(&stage, "deep and huge JSON", 20, &json);
    let msgpack = Refused {
        opcode: Opcode::Binary,
        huge: vec![
            [b"\x82\xa1x".to_vec(), vec![0x91; room]].concat(),
            b"\x82\xa6action\xa9subscribe\xa6trades\xdd\xff\xff\xff\xff".to_vec(),
            [b"\x81\xa6action\xdb\xff\xff\xff\xff".to_vec(), vec![b'x'; room]].concat(),
        ],
        word: "invalid message",
        small: [b"\x82\xa1x".to_vec(), vec![0x91; 1000]].concat(),
    };
    play(&stage, "deep and huge MessagePack", 20, &msgpack);
    let subscribe = |names: &str| format!(r#"{{"action":"subscribe","trades":[{names}]}}"#);
    let long = subscribe(&format!("\"{}\"", "A".repeat(10_000))).into_bytes();
    let long = Refused {
        opcode: Opcode::Text,
        huge: vec![long.clone()],
        word: r#""code":410"#,
        small: long,
    };
    play(&stage, "symbols of 10 KB", 20, &long);
    let names: Vec<String> = (0..=SESSION_SYMBOLS_MAX).map(|n| format!(r#""{n:X}""#)).collect();
    let many = Refused {
        opcode: Opcode::Text,
        huge: vec![subscribe(&names.join(",")).into_bytes()],
        word: r#""code":405"#,
        small: b"{}".to_vec(),
    };
    play(&stage, "20,001 symbols", 20, &many);
    stage.end();
}

#[test]
fn a_hundred_thousand_symbols_are_one_message_too_large() {
    let stage = Stage::new("");
    let names: Vec<String> = (0..100_000).map(|n| format!(r#""S{n}""#)).collect();
    let message = format!(r#"{{"action":"subscribe","quotes":[{}]}}"#, names.join(","));
    stage.play("100,000 symbols", &["message_too_large"], |stage| {
        let mut struck = Struck::now(stage.subscribe(50, None), DEADLINE);
        for peer in &mut struck.peers {
            peer.say(&message);
            assert_eq!(peer.read_end(), Seen::Close(1009));
        }
        struck.was_seen()
    });
    stage.end();
}
