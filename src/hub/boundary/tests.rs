use super::*;
use crate::hub::rig::{Rig, texts, trade};
use std::panic::{AssertUnwindSafe, catch_unwind};

const FAULT: &str = r#"{"action":"fault","at":"session"}"#;

fn faulty() -> Rig {
    let mut rig = Rig::new(HubSettings { fault_injection: true, ..HubSettings::default() });
    rig.define(0, "A");
    rig
}

/// Sends texts in one read, as a shard does, and lets the hub repair itself.
fn send(rig: &mut Rig, slot: u32, texts: &[&str]) -> Result<(), Torn> {
    let (hub, now) = (&mut rig.hub, rig.now);
    match catch_unwind(AssertUnwindSafe(|| hub.receive(slot, &Rig::frames(texts), now))) {
        Ok(()) => Ok(()),
        Err(_) => {
            rig.hub.receive_panicked(slot, rig.now)?;
            rig.hub.check();
            Ok(())
        }
    }
}

/// Method: the fault comes in one read with a command before it and one behind it.
#[test]
fn a_panic_in_a_session_ends_that_session_alone() {
    let mut rig = faulty();
    let (bad, good) = (rig.open(""), rig.open("?symbols=A"));
    rig.texts(bad);
    rig.texts(good);
    let ping = r#"{"action":"ping","id":1}"#;
    assert_eq!(send(&mut rig, bad, &[ping, FAULT, ping]), Ok(()));
    let got = rig.texts(bad);
    assert_eq!(got.len(), 3, "{got:?}");
    assert!(got[0].contains(r#""T":"pong","id":1"#), "{got:?}");
    assert!(got[1].contains(r#""code":500,"msg":"internal error, session 0000000000000abc""#));
    assert_eq!(got[2], "close 1011 internal error, session 0000000000000abc");
    assert_eq!(
        (&rig.shut[..], rig.hub.counters().closed[CloseReason::Internal.counter()]),
        (&[bad][..], 1)
    );
    rig.hub.tick(&trade(0, 1));
    assert!(rig.texts(good)[0].contains(r#""sq":1"#));
    assert_eq!(send(&mut rig, good, &[ping]), Ok(()), "decoders are whole again");
    assert!(rig.texts(good)[0].contains("pong"));
}

/// Method: the very first bytes hold the upgrade and the fault.
#[test]
fn the_upgrade_is_answered_before_the_close() {
    let mut rig = faulty();
    let slot = rig.open("?symbols=A");
    assert_eq!(send(&mut rig, slot, &[FAULT]), Ok(()));
    let bytes = rig.bytes(slot);
    assert!(bytes.starts_with(b"HTTP/1.1 101 "));
    let got = texts(&bytes);
    assert!(got[0].contains("connected") && got[got.len() - 1].starts_with("close 1011 "));
    assert_eq!((rig.hub.subscribed(), rig.hub.sessions()), (0, 1));
}

#[test]
fn numbers_of_a_subscription_that_panicked_are_free_again() {
    let mut rig = faulty();
    let slot = rig.open("");
    let (hub, name) = (&mut rig.hub, crate::market::Symbol::parse("NEW").expect("a symbol"));
    hub.book.symbols.number(name).expect("room");
    assert_eq!(hub.receive_panicked(slot, rig.now), Ok(()));
    assert_eq!(hub.book.symbols.find(&name), None);
    hub.check();
}

#[test]
fn a_panic_among_shared_tables_tears_the_hub() {
    let mut rig = faulty();
    let (slot, other) = (rig.open("?symbols=A"), rig.open(""));
    let upgrading = rig.connect();
    rig.pump();
    assert_eq!(send(&mut rig, slot, &[r#"{"action":"fault","at":"hub"}"#]), Err(Torn));
    for slot in [slot, other] {
        let words = rig.hub.last_words(slot).expect("no frame is unfinished");
        let words = texts(&words);
        assert!(words[0].contains(r#""code":500"#));
        assert_eq!(words[1], "close 1011 internal error, session 0000000000000abc");
    }
    let words = rig.hub.last_words(upgrading).expect("nothing was sent");
    assert!(words.starts_with(b"HTTP/1.1 500 "));
}

#[test]
fn faults_are_unknown_unless_they_are_enabled() {
    let mut rig = Rig::new(HubSettings::default());
    let slot = rig.open("");
    rig.texts(slot);
    rig.send(slot, &[FAULT, r#"{"action":"faultx"}"#]);
    let got = rig.texts(slot);
    assert!(got[0].contains(r#""code":400,"msg":"unknown action \"fault\""#), "{got:?}");
    assert_eq!(got[0].replace("fault", "faultx"), got[1]);
    rig.send(slot, &[r#"{"action":"fault","at":"turn"}"#]);
    assert_eq!(rig.hub.take_fault(), None);
}

#[test]
fn faults_of_the_shard_are_handed_to_it_once() {
    let mut rig = faulty();
    let slot = rig.open("");
    rig.send(slot, &[r#"{"action":"fault","at":"stall","ms":40}"#]);
    assert_eq!(rig.hub.take_fault(), Some(Fault::Stall { ms: 40 }));
    assert_eq!(rig.hub.take_fault(), None);
    rig.texts(slot);
    rig.send(slot, &[r#"{"action":"fault","at":"nowhere"}"#]);
    assert!(rig.texts(slot)[0].contains("unknown action"));
}

/// Method: a client asks for its list until its answers are over the limit; nothing is read.
#[test]
fn unread_answers_end_with_407_and_1008() {
    let mut rig = Rig::new(HubSettings::default());
    let slot = rig.open("");
    rig.texts(slot);
    let long = "x".repeat(64);
    let ping = format!(r#"{{"action":"ping","id":"{long}"}}"#);
    for round in 0..5_000 {
        rig.now.ms += 1_000 * u64::from(round % 40 == 0);
        rig.send(slot, &[&ping]);
    }
    let got = rig.texts(slot);
    let [.., error, close] = &got[..] else { panic!("{} frames", got.len()) };
    assert!(error.contains(r#""code":407"#), "{error}");
    assert!(close.starts_with("close 1008 "), "{close}");
}

/// Method: sessions are drained; the hints of their Close frames are compared.
#[test]
fn a_larger_drain_spreads_the_return_wider() {
    let settings = HubSettings { returns_per_second: 2, jitter_ms: 100, ..HubSettings::default() };
    let mut rig = Rig::new(settings);
    let slots: Vec<u32> = (0..8).map(|_| rig.open("")).collect();
    rig.pump();
    rig.hub.drain(400, rig.now);
    let mut closed_at = Vec::new();
    for _ in 0..50 {
        rig.now.ms += 10;
        rig.hub.timers(rig.now);
        for slot in &slots {
            let close = rig.texts(*slot).into_iter().find(|text| text.starts_with("close"));
            if let Some(close) = close {
                assert_eq!(close, r#"close 1012 {"retry_ms":1000,"jitter_ms":4000}"#);
                closed_at.push(rig.now.ms - 1_000_000);
            }
        }
    }
    assert_eq!(closed_at, [50, 100, 150, 200, 250, 300, 350, 400]);
}
