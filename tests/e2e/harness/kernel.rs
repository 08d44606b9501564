//! What the kernel says of the server: memory, descriptors, sockets, processor time.

use super::Server;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Private memory of the process, in bytes: `RssAnon` of proc_pid_status(5).
pub fn anonymous_bytes(server: &Server) -> u64 {
    status(server, "RssAnon:") * 1024
}

fn status(server: &Server, key: &str) -> u64 {
    let path = format!("/proc/{}/status", server.pid());
    let text = fs::read_to_string(path).expect("the server runs");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a known key");
    let number = line.split_whitespace().next().expect("a number");
    number.parse().expect("a number")
}

pub fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the server runs").count()
}

/// User and system time of all its threads (proc_pid_stat(5), fields 14 and 15).
pub fn cpu_time(server: &Server) -> Duration {
    let path = format!("/proc/{}/stat", server.pid());
    let text = fs::read_to_string(path).expect("the server runs");
    let after_name = text.rsplit_once(')').expect("the name is in parentheses").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|f| f.parse::<u64>().expect("ticks")).sum();
    // USER_HZ is 100 on every Linux that Rust runs on.
    Duration::from_millis(ticks * 10)
}

/// The server's own connected sockets.
#[derive(Debug, Clone, Copy)]
pub struct Sockets {
    pub count: usize,
    /// What the kernel holds for them: the sum of what `skmem` says is in use.
    pub bytes: u64,
}

/// From `ss -m` (ss(8)): r, t, f, w, o and bl are in use; rb and tb are limits; d counts drops. t
/// is the part of w that is on its way, so the larger of both counts.
pub fn sockets(server: &Server) -> Sockets {
    let filter = format!("sport = :{}", server.address.port());
    let output = Command::new("ss")
        .args(["-tmnH", "state", "established", &filter])
        .output()
        .expect("'ss' is missing; tests/run installs it (package iproute2)");
    assert!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("ASCII");
    let mut sockets = Sockets { count: 0, bytes: 0 };
    for fields in text.split("skmem:(").skip(1) {
        let fields = fields.split_once(')').expect("it is closed").0;
        let value = |name: &str| {
            let named = fields.split(',').filter_map(|field| field.strip_prefix(name));
            named.filter_map(|digits| digits.parse::<u64>().ok()).next().expect("skmem names it")
        };
        sockets.count += 1;
        sockets.bytes += value("r") + value("t").max(value("w"));
        sockets.bytes += value("f") + value("o") + value("bl");
    }
    sockets
}
