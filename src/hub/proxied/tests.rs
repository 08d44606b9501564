//! Whose a session is, and against which address it is held.

use super::*;
use crate::hub::{AdmissionLimits, Counters, Effect, HubSettings, Told};
use crate::wire::{AddressHeader, Proxies};

const NOW: Now = Now { ms: 1_000, unix_ns: 1 };
const PROXY: ([u8; 4], u16) = ([10, 0, 0, 1], 5);

fn hub(announce: bool) -> Hub {
    let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
    let proxies = Proxies { trusted, announce, header: AddressHeader::XForwardedFor };
    let admission = AdmissionLimits { per_address_max: 2, proxies, ..AdmissionLimits::default() };
    Hub::new(HubSettings { admission, ..HubSettings::default() }, "e".into(), NOW)
}

fn request(header: &str) -> Vec<u8> {
    let head = "GET /v1/stream HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    format!("{head}{header}\r\n").into_bytes()
}

fn announced(last: u8) -> Vec<u8> {
    format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 4000 9001\r\n").into_bytes()
}

fn open(hub: &mut Hub) -> u32 {
    hub.judge(PROXY.0.into(), NOW).expect("a proxy has no limit of its address");
    hub.open(PROXY.into(), 1, NOW).0
}

/// The shard's part: who is let go is released, and everyone gets what is composed.
fn settle(hub: &mut Hub) -> Vec<u8> {
    let mut sent = Vec::new();
    while hub.next_batch(NOW) {
        let batch = hub.batch();
        sent.extend_from_slice(batch.bytes());
        let taken: Vec<i32> =
            batch.sends().iter().map(|send| (send.end - send.start) as i32).collect();
        hub.sent(&taken, NOW);
    }
    for effect in hub.take_effects() {
        match effect {
            Effect::Shut { slot } => hub.receive_ended(slot, 0, NOW),
            Effect::Drop { slot, .. } => drop(hub.release(slot)),
            _ => {}
        }
    }
    for effect in hub.take_effects() {
        if let Effect::Drop { slot, .. } = effect {
            drop(hub.release(slot));
        }
    }
    sent
}

fn leave_all(hub: &mut Hub) -> Counters {
    let slots: Vec<u32> = hub.sessions.slots().collect();
    slots.into_iter().for_each(|slot| hub.receive_ended(slot, 104, NOW));
    settle(hub);
    assert_eq!(hub.sessions(), 0);
    assert!(hub.admission().is_at_rest());
    hub.counters().clone()
}

/// Method: three connections of one client and one of another through the proxy, told by each
/// way; the third gets 429. Afterwards nothing is held for anyone.
#[test]
fn the_limit_of_an_address_holds_for_clients_and_not_for_the_proxy() {
    for announce in [true, false] {
        let mut hub = hub(announce);
        let bytes = |last: u8| match announce {
            true => [announced(last), request("X-Forwarded-For: 198.51.100.1\r\n")].concat(),
            false => request(&format!("X-Forwarded-For: 1.2.3.4, 192.0.2.{last}\r\n")),
        };
        for (last, head) in
            [(7, "HTTP/1.1 101 "), (7, "HTTP/1.1 101 "), (7, "HTTP/1.1 429 "), (8, "HTTP/1.1 101 ")]
        {
            let slot = open(&mut hub);
            hub.receive(slot, &bytes(last), NOW);
            assert_eq!(
                hub.session(slot).expect("open").peer.ip().to_string(),
                format!("192.0.2.{last}")
            );
            let sent = settle(&mut hub);
            assert!(sent.starts_with(head.as_bytes()), "{}", String::from_utf8_lossy(&sent));
        }
        assert_eq!(hub.sessions(), 3, "who was refused is gone");
        hub.check();
        let counters = leave_all(&mut hub);
        assert_eq!(counters.refused[Refused::AddressFull as usize], 1);
        assert_eq!(counters.told[Told::TooMany as usize], 1);
        assert_eq!(counters.closed[CloseReason::AddressFull.counter()], 1);
    }
}

/// Method: a header and a request, byte by byte; and one whose client leaves in the middle.
#[test]
fn a_header_may_come_in_pieces_and_counts_once() {
    let mut hub = hub(true);
    let (first, second) = (open(&mut hub), open(&mut hub));
    for byte in [announced(7), request("")].concat() {
        hub.receive(first, &[byte], NOW);
    }
    assert!(hub.session(first).expect("open").is_streaming());
    assert_eq!(hub.session(first).expect("open").peer, ([192, 0, 2, 7], 4000).into());
    hub.receive(second, &[announced(7), b"GET".to_vec()].concat(), NOW);
    hub.receive(second, b" /", NOW);
    let third = open(&mut hub);
    hub.receive(third, &announced(7), NOW);
    assert_eq!(hub.session(third).expect("open").reason(), Some(CloseReason::AddressFull));
    hub.receive_ended(second, 0, NOW);
    assert_eq!(hub.admission().half_open(), 0);
    leave_all(&mut hub);
}

#[test]
fn a_health_check_is_the_proxys_own_and_what_has_no_header_is_cut() {
    let mut hub = hub(true);
    for _ in 0..3 {
        let slot = open(&mut hub);
        hub.receive(slot, &[b"PROXY UNKNOWN\r\n".to_vec(), request("")].concat(), NOW);
        assert!(hub.session(slot).expect("open").is_streaming());
        assert_eq!(hub.session(slot).expect("open").peer, PROXY.into());
    }
    let slot = open(&mut hub);
    hub.receive(slot, &request(""), NOW);
    assert_eq!(hub.session(slot).expect("open").reason(), Some(CloseReason::BadProxyHeader));
    assert_eq!(hub.judge([192, 0, 2, 1].into(), NOW), Err(Refused::NotThroughProxy));
    settle(&mut hub);
    assert_eq!(hub.sessions(), 3);
    leave_all(&mut hub);
}

#[test]
fn a_refused_connection_behind_a_proxy_gets_the_answer_to_its_request() {
    let (mut hub, mut out) = (hub(true), Vec::new());
    let bytes = [announced(7), request("")].concat();
    assert!(!hub.answer_refused(Refused::SessionsFull, &bytes[..20], NOW, &mut out));
    assert!(hub.answer_refused(Refused::SessionsFull, &bytes, NOW, &mut out));
    assert!(out.starts_with(b"HTTP/1.1 101 "));
    out.clear();
    hub.answer_unread(Refused::NotThroughProxy, NOW, &mut out);
    assert!(out.starts_with(b"HTTP/1.1 403 Forbidden\r\n"));
}
