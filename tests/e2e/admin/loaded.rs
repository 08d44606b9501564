//! Answers while the stream port has more to do than it can, and while shards close clients.
//!
//! Method: `tapecast load` for a bounded time, and every endpoint asked again and again meanwhile.
//! An answer that does not come within a minute fails the test; how long they took is printed. A
//! shard may be kept from its core by other tests, and is not stuck for that.

use super::{get, json, metric};
use crate::harness::{Server, alone, wait_for};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENT: &str = "--stuck-report-ms 60000 --stuck-exit-ms 120000";

/// Ended when it is dropped.
struct Load(Child);

impl Load {
    fn start(server: &Server, flags: &str) -> Load {
        let mut command = Command::new(crate::harness::server::BINARY);
        command.args(["load", &server.url("/v1/stream")]).args(flags.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Load(command.spawn().expect("the binary that cargo has just built"))
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks everything once; the longest answer.
fn ask_everything(server: &Server) -> Duration {
    let mut longest = Duration::ZERO;
    for path in ["/livez", "/metrics", "/api/status", "/api/sessions?state=all", "/api/symbols"] {
        let began = Instant::now();
        let answer = get(server, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        longest = longest.max(began.elapsed());
    }
    longest
}

#[test]
fn it_answers_while_the_stream_port_is_saturated() {
    let _alone = alone();
    let server = Server::start(&format!(
        "--feed synthetic:symbols=200,rate=200000 --max-sessions 400 {PATIENT}"
    ));
    // As many as there is room for, all symbols for each, and 500 more a second who are refused.
    let mut load =
        Load::start(&server, "--connections 400 --symbols * --seconds 6 --churn 500 --window 100");
    wait_for("a full server", || {
        let status = json(&server, "/api/status");
        let refused = &status["totals"]["refused"];
        refused.as_object().is_some_and(|by_word| !by_word.is_empty()).then_some(())
    });
    let (mut longest, mut rounds) = (Duration::ZERO, 0);
    while load.is_running() {
        longest = longest.max(ask_everything(&server));
        rounds += 1;
    }
    writeln!(std::io::stderr(), "saturated: {rounds} rounds, the longest answer {longest:?}")
        .expect("stderr is open");
    assert!(rounds > 0, "the load ended before anything was asked");
    server.stop();
}

#[test]
fn it_answers_while_shards_shed() {
    let _alone = alone();
    let server = Server::start(&format!(
        "--shards 1 --feed synthetic:symbols=200,rate=20000 --memory-budget 64M \
         --write-stall-ms 600000 --user-timeout-ms 600000 {PATIENT}"
    ));
    let _stuck =
        Load::start(&server, "--connections 700 --symbols * --seconds 60 --stall 1 --rcvbuf 8192");
    let mut longest = Duration::ZERO;
    wait_for("clients closed for want of memory", || {
        longest = longest.max(ask_everything(&server));
        let shed = metric(&get(&server, "/metrics").body, "tapecast_sessions_shed_total", "");
        (shed > 0.0).then_some(())
    });
    for _ in 0..10 {
        longest = longest.max(ask_everything(&server));
    }
    let closed = &json(&server, "/api/status")["totals"]["closed"];
    assert!(closed["overload"].as_u64() > Some(0), "{closed}");
    writeln!(std::io::stderr(), "shedding: the longest answer {longest:?}").expect("it is open");
    server.stop();
}
