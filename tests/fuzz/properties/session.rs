//! A whole connection, from its first byte to its release, in a real hub.

use std::cell::RefCell;
use tapecast::hub::{Effect, Hub, HubSettings};
use tapecast::session::Now;

/// Begins the upgrade that most inputs need: without it the fuzzer would have to guess it.
const UPGRADE: &[u8] = b"GET /v1/stream?symbols=A HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Time that passes between two pieces of the input, and until the end.
const STEP_MS: u64 = 7;
const END_MS: u64 = 400_000;

thread_local! {
    /// One hub for all inputs: what an input leaves behind is found by the next.
    static HUB: RefCell<(Hub, Now)> = RefCell::new({
        let now = Now { ms: 1, unix_ns: 1 };
        let settings = HubSettings { tape_ticks: 64, echo: true, ..HubSettings::default() };
        (Hub::new(settings, "e".into(), now), now)
    });
}

/// The first byte says how the input is cut, whether an upgrade stands before it, and how much of
/// each send the socket takes. Then the peer falls silent; every deadline passes, and nothing of
/// the connection is left.
pub fn check(bytes: &[u8]) {
    let Some((shape, rest)) = bytes.split_first() else { return };
    HUB.with_borrow_mut(|(hub, now)| {
        let peer = ([127, 0, 0, 1], 1).into();
        let (slot, _) = hub.open(peer, u64::from(*shape), *now);
        if shape & 1 == 0 {
            hub.receive(slot, UPGRADE, *now);
        }
        let piece = [1, 2, 7, 4096][usize::from(shape >> 1 & 3)];
        let share = [1, 2, 3, usize::MAX][usize::from(shape >> 3 & 3)];
        for piece in rest.chunks(piece) {
            hub.receive(slot, piece, *now);
            run(hub, share, *now);
            pass(now, STEP_MS);
        }
        let end = now.ms + END_MS;
        while hub.session(slot).is_some() {
            assert!(now.ms < end, "a silent peer must end: {:?}", hub.session(slot));
            pass(now, 1000);
            hub.timers(*now);
            run(hub, 0, *now);
        }
        assert_eq!((hub.sessions(), hub.subscribed(), hub.lagging()), (0, 0, 0));
    });
}

fn pass(now: &mut Now, ms: u64) {
    now.ms += ms;
    now.unix_ns += ms as i64 * 1_000_000;
}

/// Sends what is owed, as a socket that takes 1/`share` of it (none for 0, all for the largest).
fn run(hub: &mut Hub, share: usize, now: Now) {
    let part = |length: usize| match share {
        usize::MAX => length,
        0 => 0,
        share => length / share,
    };
    for _ in 0..64 {
        while hub.next_batch(now) {
            let sends = hub.batch().sends();
            let results: Vec<i32> = sends.iter().map(|s| part(s.end - s.start) as i32).collect();
            hub.sent(&results, now);
        }
        let effects = hub.take_effects();
        if effects.is_empty() {
            return;
        }
        for effect in effects {
            match effect {
                Effect::SendRest { slot } if share > 0 => {
                    let length = hub.rest(slot).len();
                    hub.rest_sent(slot, part(length).max(1) as i32, now);
                }
                Effect::SendRest { .. } | Effect::Pause { .. } | Effect::Resume { .. } => {}
                Effect::Shut { slot } => hub.receive_ended(slot, 0, now),
                Effect::Drop { slot, .. } => drop(hub.release(slot)),
            }
        }
    }
}
