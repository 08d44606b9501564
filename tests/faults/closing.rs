//! How connections end: the freeze, half-closes, resets in every state.

use crate::stage::peer::{Peer, addresses, upgrade_head};
use crate::stage::{Stage, Struck};
use std::time::Duration;
use tapecast::wire::client::Opcode;

const CLOSE_MS: u64 = 1500;

/// What ends at once has this long.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A Close frame without a status, masked.
const CLOSE: [u8; 6] = [0x88, 0x80, 1, 2, 3, 4];

/// All other deadlines are long, so that only the one for closing can end these.
fn stage() -> Stage {
    let long = "--user-timeout-ms 60000 --write-stall-ms 60000 --handshake-ms 60000";
    Stage::new(&format!("--close-ms {CLOSE_MS} {long}"))
}

/// A client fills its buffer, sends a Close without a status, keeps TCP open, never reads again.
#[test]
fn two_thousand_frozen_clients_freeze_nobody_else() {
    let stage = stage();
    stage.play("the freeze", &["client_closed"], |stage| {
        let mut peers = stage.subscribe(2000, Some(2048));
        stage.server.wait_full(stage.network.far);
        // They are as many subscribers more until they are full: the fault begins here.
        stage.begin_phase();
        let mut struck = Struck::now(Vec::new(), Duration::from_millis(CLOSE_MS));
        peers.iter_mut().for_each(|peer| assert!(peer.send(&CLOSE), "it is still open"));
        struck.hold(peers);
        struck
    });
    stage.end();
}

#[test]
fn a_half_close_ends_the_session() {
    let stage = stage();
    let shut = |peers: Vec<Peer>| {
        peers.iter().for_each(Peer::shut_write);
        Struck::now(peers, AT_ONCE)
    };
    stage.play("half-close while streaming", &["peer_left"], |s| shut(s.subscribe(200, None)));
    stage.play("FIN before the upgrade", &["peer_left"], |s| shut(s.connect(200, None)));
    stage.play("FIN during the upgrade", &["peer_left"], |s| shut(mid_upgrade(s)));
    stage.end();
}

#[test]
fn a_reset_ends_the_session_in_every_state() {
    let stage = stage();
    let lost = &["peer_lost"];
    stage.play("RST before the accept", &["peer_lost", "peer_left"], |stage| {
        let peers = stage.connect(200, None);
        let addresses = addresses(&peers);
        peers.into_iter().for_each(Peer::reset);
        // Who is gone before it is accepted never becomes a session.
        Struck { may_end: addresses, ..Struck::now(Vec::new(), AT_ONCE) }
    });
    stage.play("RST before the upgrade", lost, |s| reset(s.connect_accepted(200)));
    stage.play("RST during the upgrade", lost, |s| reset(mid_upgrade(s)));
    stage.play("RST while streaming", lost, |s| reset(s.subscribe(200, None)));
    stage.play("RST in a frame", lost, |stage| {
        let mut peers = stage.subscribe(200, None);
        // The header of 100 bytes, and three of them.
        peers.iter_mut().for_each(|peer| assert!(peer.send(&[0x81, 0xe4, 1, 2, 3, 4, 5, 6, 7])));
        reset(peers)
    });
    stage.play("RST while closing", &["client_closed", "peer_lost"], |stage| {
        let mut peers = stage.subscribe(200, None);
        peers.iter_mut().for_each(|peer| assert!(peer.send_frame(Opcode::Close, &[3, 232])));
        reset(peers)
    });
    stage.end();
}

fn mid_upgrade(stage: &Stage) -> Vec<Peer> {
    let mut peers = stage.connect_accepted(200);
    let head = upgrade_head("symbols=*");
    peers.iter_mut().for_each(|peer| assert!(peer.send(&head.as_bytes()[..head.len() / 2])));
    peers
}

fn reset(peers: Vec<Peer>) -> Struck {
    let mut struck = Struck::now(Vec::new(), AT_ONCE);
    struck.must_end = addresses(&peers);
    peers.into_iter().for_each(Peer::reset);
    struck
}
