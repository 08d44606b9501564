//! Upgrades that never come whole, or are too large.

use crate::stage::peer::{Seen, upgrade_head};
use crate::stage::{Stage, Struck};
use std::time::{Duration, Instant};

const HANDSHAKE_MS: u64 = 1500;

#[test]
fn slow_and_silent_upgrades_end_by_their_deadline() {
    let stage = Stage::new(&format!("--handshake-ms {HANDSHAKE_MS}"));
    let deadline = Duration::from_millis(HANDSHAKE_MS);
    stage.play("silent instead of an upgrade", &["upgrade_timeout"], |stage| {
        Struck::now(stage.connect(500, None), deadline)
    });
    // Ten bytes a second: no byte is late, and the whole would take 20 s.
    stage.play("slowloris upgrade", &["upgrade_timeout"], |stage| {
        let mut struck = Struck::now(stage.connect(500, None), deadline);
        for byte in upgrade_head("symbols=*").as_bytes().iter().take(20) {
            let next = Instant::now() + Duration::from_millis(100);
            struck.peers.iter_mut().for_each(|peer| _ = peer.send(&[*byte]));
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        struck
    });
    stage.end();
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let stage = Stage::new("");
    let head = upgrade_head("symbols=*");
    let filler = format!("X: {}\r\n", "y".repeat(1000)).repeat(100);
    let long = head.trim_end().to_string() + "\r\n" + &filler + "\r\n";
    stage.play("100 KB of headers", &["upgrade_refused"], |stage| {
        let mut struck = Struck::now(stage.connect(100, None), Duration::from_secs(5));
        for peer in &mut struck.peers {
            peer.send(long.as_bytes());
            assert_eq!(peer.read_head(), 431);
            peer.shut_write();
            assert_eq!(peer.read_end_of_answer(), Seen::Eof);
        }
        struck.was_seen()
    });
    stage.end();
}
