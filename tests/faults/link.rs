//! Power cuts, and clients that do not read.
//!
//! Method: in one server TCP_USER_TIMEOUT is short and our own deadline for writes long, in the
//! other the reverse, so that each is seen to work without the other.

use crate::stage::{Stage, Struck};
use std::time::{Duration, Instant};

/// What is set short, in ms.
const SHORT_MS: u64 = 2500;

/// A client's receive buffer, and the server's send buffer as the kernel counts it, are full after
/// so long at the feed's rate.
const FILLING: Duration = Duration::from_secs(3);

/// Small, so that a client that does not read is soon full.
const RECEIVE_BYTES: usize = 4096;

fn by_user_timeout() -> Stage {
    Stage::new(&format!("--user-timeout-ms {SHORT_MS} --write-stall-ms 60000"))
}

fn by_write_progress() -> Stage {
    Stage::new(&format!("--user-timeout-ms 60000 --write-stall-ms {SHORT_MS}"))
}

/// From when they stop to read: their sockets fill, then the deadline runs.
fn stuck(stage: &Stage, count: usize) -> Struck {
    let peers = stage.subscribe(count, Some(RECEIVE_BYTES));
    Struck::now(peers, FILLING + Duration::from_millis(SHORT_MS))
}

fn cut_power(stage: &Stage, deadline: Duration) -> Struck {
    stage.network.mend();
    let mut peers = stage.subscribe(200, None);
    peers.iter_mut().for_each(|peer| drop(peer.read_until(r#""T":"q""#)));
    stage.network.cut();
    Struck::now(peers, deadline)
}

#[test]
fn the_kernel_gives_up_who_acknowledges_nothing_or_keeps_its_window_shut() {
    let stage = by_user_timeout();
    let deadline = Duration::from_millis(SHORT_MS);
    stage.play("power cut, TCP_USER_TIMEOUT", &["peer_lost"], |s| cut_power(s, deadline));
    stage.network.mend();
    stage.play("never reads, TCP_USER_TIMEOUT", &["peer_lost"], |stage| stuck(stage, 200));
    stage.end();
}

#[test]
fn a_socket_without_progress_ends_by_our_own_deadline() {
    let stage = by_write_progress();
    let deadline = FILLING + Duration::from_millis(SHORT_MS);
    stage.play("power cut, write deadline", &["write_stall"], |s| cut_power(s, deadline));
    stage.network.mend();
    stage.play("never reads, write deadline", &["write_stall"], |stage| stuck(stage, 200));
    stage.play("reads one byte a second", &["write_stall"], |stage| {
        let mut struck = stuck(stage, 200);
        while struck.since.elapsed() < struck.deadline {
            let next = Instant::now() + Duration::from_secs(1);
            struck.peers.iter_mut().for_each(|peer| peer.discard(1));
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        struck
    });
    stage.play("reads half and stops", &["write_stall"], |stage| {
        let mut struck = stuck(stage, 200);
        struck.peers.iter_mut().for_each(|peer| _ = peer.read_some(RECEIVE_BYTES / 2));
        struck
    });
    stage.end();
}
