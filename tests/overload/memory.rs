//! Clients that never read, in numbers that exceed the budget.

use crate::harness::{Group, Server, alone, wait_for};
use serde_json::Value;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT_BYTES: u64 = 160 << 20;

/// What the kernel holds for a socket with empty buffers.
const SOCKET_BYTES: u64 = 4_608;

const STUCK: u64 = 2_000;
const READERS: u64 = 200;

/// Deadlines above the test's length: memory alone shall close somebody.
const PATIENT: &str = "--write-stall-ms 600000 --user-timeout-ms 600000 --ping-ms 600000";

/// Trades for all, from the moment on when all have subscribed. 2,000 stuck clients would cost
/// 188 MB (57 KB in the socket, a frame of 32 KB, 5 KB at rest), and there are 80.
///
/// The limit is that of a control group of version 1 where the machine has one, and a flag
/// elsewhere. Version 1 does not charge sockets, so what is compared with the limit is the
/// process's memory and the sockets' together. A limit of version 2 is read from fixtures only
/// (`server::cgroup`).
#[test]
fn the_stuck_are_shed_and_the_readers_lose_nothing() {
    let _alone = alone();
    let group = Group::limited(LIMIT_BYTES);
    let budget = match &group {
        Some(_) => String::new(),
        None => {
            eprintln!("NOTE: no memory control group of version 1 here; a flag sets the limit");
            format!("--memory-budget {}", LIMIT_BYTES * 8 / 10)
        }
    };
    let flags = format!("--shards 1 --feed stdin {PATIENT} {budget}");
    let mut server = Server::start(&flags, group.as_ref());
    let url = "--symbols * --channels trades";
    let mut stuck =
        server.load(&format!("{url} --connections {STUCK} --seconds 14 --stall 1 --rcvbuf 8192"));
    let mut readers = server.load(&format!("{url} --connections {READERS} --seconds 12 --json"));
    wait_for("all connections", || (server.sockets().count >= STUCK + READERS).then_some(()));

    let feed = feed(server.process.stdin.take().expect("piped"), Duration::from_secs(8));
    let mut most = 0;
    while !feed.is_finished() {
        let sockets = server.sockets();
        let used =
            server.process.resident_bytes() + sockets.buffer_bytes + sockets.count * SOCKET_BYTES;
        most = most.max(used);
        thread::sleep(Duration::from_millis(50));
    }
    println!("at most {} of {} MiB used", most >> 20, LIMIT_BYTES >> 20);
    assert!(most < LIMIT_BYTES, "{most} bytes in process and sockets");
    let _stdin = feed.join().expect("the feed's thread");

    assert!(server.process.says("-> shed"), "it was never tight");
    assert!(readers.wait(), "the readers' report is good: {}", readers.output());
    check_readers(&readers.output());
    let left = server.sockets().count;
    println!("{left} of {STUCK} stuck clients were kept");
    assert!((STUCK / 10..STUCK * 9 / 10).contains(&left), "{left} of {STUCK} are left");

    stuck.wait();
    wait_for("the return", || server.process.says("-> normal").then_some(()));
    let mut again = server.load("--symbols * --connections 50 --seconds 1");
    assert!(again.wait(), "there is room again: {}", again.output());
    assert!(!server.process.has_ended());
    if let Some(group) = &group {
        println!("the group used at most {} MiB", group.max_bytes() >> 20);
        assert_eq!(group.hits(), 0, "the kernel had to look for memory");
    }
    drop(server);
}

/// Writes trades for so long; gives the feed's pipe back, which shall stay open.
fn feed(
    mut stdin: impl Write + Send + 'static,
    time: Duration,
) -> thread::JoinHandle<impl Write + Send + 'static> {
    thread::spawn(move || {
        let began = Instant::now();
        let mut id = 0;
        while began.elapsed() < time {
            let mut lines = String::new();
            for symbol in 0..40 {
                id += 1;
                let line = format!(
                    "{{\"T\":\"t\",\"S\":\"SYM{symbol}\",\"i\":{id},\"x\":\"V\",\"p\":12.34,\
                     \"s\":100,\"c\":[\"@\"],\"z\":\"C\",\
                     \"t\":\"2024-01-02T15:04:05.123456789Z\"}}\n"
                );
                lines.push_str(&line);
            }
            stdin.write_all(lines.as_bytes()).expect("the server reads");
            thread::sleep(Duration::from_millis(10));
        }
        stdin
    })
}

fn check_readers(output: &str) {
    let json = &output[output.find('{').expect("a report")..];
    let report: Value = serde_json::from_str(json).expect("a report");
    assert_eq!(report["violation_count"], 0, "{report}");
    assert_eq!(report["findings"]["gap_count"], 0, "{report}");
    assert_eq!(report["connections"]["open_at_end"], READERS, "{report}");
    assert!(report["window"]["items"].as_u64() > Some(READERS * 10_000), "{report}");
}
