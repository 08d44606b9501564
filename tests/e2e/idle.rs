//! Fifteen thousand connections that do nothing, on one shard.
//!
//! Method: they are opened and left alone; private memory before and after, and the processor
//! time of ten seconds, in which the server's only work is to wait.

use crate::harness::{Raw, Server, alone, kernel, wait_for};
use std::io::Write;
use std::time::{Duration, Instant};

const CLIENTS: usize = 15_000;

const OBSERVED: Duration = Duration::from_secs(10);

/// Of a core, at rest.
const BUSY_MAX: f64 = 0.01;

#[test]
fn fifteen_thousand_idle_connections_cost_next_to_nothing() {
    let _alone = alone();
    let server = Server::with_feed("stdin", "--shards 1");
    let before = kernel::anonymous_bytes(&server);
    let clients: Vec<Raw> = (0..CLIENTS)
        .map(|_| {
            let mut client = Raw::connect(server.address);
            client.upgrade("/v1/stream?symbols=A");
            client
        })
        .collect();
    wait_for("all are there", || (kernel::sockets(&server).count == CLIENTS).then_some(()));
    let bytes = kernel::anonymous_bytes(&server).saturating_sub(before) / CLIENTS as u64;
    let (begin, used) = (Instant::now(), kernel::cpu_time(&server));
    std::thread::sleep(OBSERVED);
    let used = kernel::cpu_time(&server) - used;
    let busy = used.as_secs_f64() / begin.elapsed().as_secs_f64();
    writeln!(std::io::stderr(), "an idle client costs {bytes} bytes; at rest {busy:.4} of a core")
        .expect("stderr is open");
    assert!(busy < BUSY_MAX, "{used:?} of processor time in {OBSERVED:?}");
    assert!(bytes < 2_048, "{bytes} bytes of private memory a client");
    drop(clients);
    wait_for("all are gone", || (kernel::sockets(&server).count == 0).then_some(()));
    server.stop();
}
