//! Client processes that are stopped or killed: `tapecast load` in the namespace.

use crate::stage::{Stage, Struck};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Stdio};
use std::time::Duration;

const WRITE_STALL_MS: u64 = 2500;

/// Killed on drop.
struct Clients(Child);

impl Clients {
    /// Starts a process with so many connections that read everything, and waits for all of them.
    fn start(stage: &Stage, count: usize) -> Clients {
        let before = stage.server.descriptors_at_rest();
        let mut command = stage.network.command(env!("CARGO_BIN_EXE_tapecast"));
        command
            .args(["load", &format!("ws://{}/v1/stream", stage.server.address)])
            .args(["--connections", &count.to_string(), "--symbols", "*"])
            .args(["--seconds", "600", "--rcvbuf", "8192"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let clients = Clients(command.spawn().expect("ip runs"));
        stage.wait_accepted(before + count);
        clients
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it is our child and runs");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_client_process_that_is_stopped_or_killed() {
    let stage = Stage::new(&format!(
        "--user-timeout-ms 60000 --write-stall-ms {WRITE_STALL_MS} --ping-ms 60000"
    ));
    stage.play("kill -STOP of a client process", &["write_stall"], |stage| {
        let clients = Clients::start(stage, 200);
        let filling = Duration::from_secs(3);
        let mut struck = Struck::now(Vec::new(), filling + Duration::from_millis(WRITE_STALL_MS));
        struck.must_end = stage.server.peers(stage.network.far);
        assert_eq!(struck.must_end.len(), 200);
        clients.signal(Signal::STOP);
        stage.wait_ended(&struck);
        struck
    });
    stage.play("kill -9 of a client process", &["peer_lost", "peer_left"], |stage| {
        let clients = Clients::start(stage, 500);
        let mut struck = Struck::now(Vec::new(), Duration::from_secs(1));
        struck.must_end = stage.server.peers(stage.network.far);
        assert_eq!(struck.must_end.len(), 500);
        clients.signal(Signal::KILL);
        struck
    });
    stage.end();
}
