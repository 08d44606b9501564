//! CPU of the serving thread per refused client: a full server against a bare loop of accept,
//! receive, send and close. The same herd comes to both, in turn, since a machine's speed drifts:
//! each client connects and sends its upgrade, then all answers are read. `cargo bench --bench
//! refusal`; without `--bench` it runs a small mode.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::mpsc;

use tapecast::config::{Settings, SocketOptions};
use tapecast::server::Server;
use tapecast::shard::listen;

/// The most that a refusal may cost, in bare loops.
const RATIO_MAX: f64 = 1.3;

const REQUEST: &[u8] = b"GET /v1/stream HTTP/1.1\r\nHost: localhost:9001\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// As long as a refusal with its hint.
const ANSWER_BYTES: usize = 167;

fn main() {
    let small = !std::env::args().any(|argument| argument == "--bench");
    let (herd, rounds) = if small { (100, 3) } else { (1_000, 31) };
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.last().map(|core| core_affinity::set_for_current(*core));
    let (bare, bare_thread) = bare_loop(cores.first().copied());
    let server = full_server();
    let shard_threads = threads_named("shard-0");
    let mut ratios = Vec::new();
    for round in 0..=rounds {
        let bare_ns = measure(bare, &[bare_thread], herd, |_| ());
        let server_ns = measure(server.address, &shard_threads, herd, check);
        if round > 0 {
            // The first round finds everything cold.
            println!("bare {bare_ns:6.0} ns, refusal {server_ns:6.0} ns a client");
            ratios.push(server_ns / bare_ns);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("a refusal costs {median:.2} bare loops (median; at most {RATIO_MAX})");
    // Debug builds and a few rounds say nothing about the cost, only that all works.
    assert!(small || cfg!(debug_assertions) || median <= RATIO_MAX, "over the limit");
    std::process::exit(0); // the server's threads have nothing to finish
}

/// Pinned like a shard; the listener has a shard's options too.
fn bare_loop(core: Option<core_affinity::CoreId>) -> (SocketAddr, i32) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let listener = listen(address, 1, &SocketOptions::default()).expect("listens").remove(0);
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().expect("bound");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        core.map(core_affinity::set_for_current);
        // SAFETY: no pointer is passed.
        sender.send(unsafe { libc::gettid() }).expect("its reader waits");
        let (mut request, answer) = ([0; 2048], [b'x'; ANSWER_BYTES]);
        loop {
            let (mut client, _) = listener.accept().expect("accepts");
            let _ = client.read(&mut request).expect("a request");
            client.write_all(&answer).expect("a fresh socket takes it");
        }
    });
    (address, receiver.recv().expect("the thread runs"))
}

/// One shard, no room for anyone, and next to no ticks.
fn full_server() -> Server {
    let mut settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        shards: Some(1),
        feeds: vec!["synthetic:symbols=1,interval_ms=1000,burst=1,test_symbols=off".into()],
        ..Settings::default()
    };
    settings.admission.max_sessions = Some(0);
    Server::start(&settings).expect("starts")
}

/// CPU ns of the threads per client.
fn measure(to: SocketAddr, threads: &[i32], herd: usize, check: fn(&[u8])) -> f64 {
    let before = cpu_ns(threads);
    let clients: Vec<TcpStream> = (0..herd)
        .map(|_| {
            let mut client = TcpStream::connect(to).expect("connects");
            client.write_all(REQUEST).expect("a fresh socket takes it");
            client
        })
        .collect();
    for mut client in clients {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("an answer and an orderly end");
        check(&answer);
        abort(&client);
    }
    (cpu_ns(threads) - before) as f64 / herd as f64
}

fn check(answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(text.contains(r#"{"retry_ms":"#) && text.contains("\u{3}"), "{text}");
}

/// Leaves no socket behind in TIME_WAIT, whatever the order of the closes.
fn abort(client: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = size_of::<libc::linger>() as libc::socklen_t;
    let option = (&raw const linger).cast();
    // SAFETY: a valid struct and its length, as socket(7) wants for SO_LINGER.
    unsafe {
        libc::setsockopt(client.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, option, length);
    }
}

/// An executor has a second thread for blocking calls, of which there are none.
fn threads_named(start: &str) -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").expect("proc(5)").flatten();
    let ids = tasks.filter_map(|task| task.file_name().to_str()?.parse::<i32>().ok());
    let named: Vec<i32> = ids
        .filter(|id| {
            let comm = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            comm.is_ok_and(|comm| comm.starts_with(start))
        })
        .collect();
    assert!(!named.is_empty(), "the shard's thread");
    named
}

/// CPU time of any thread of this process: the kernel's clock ids hold the thread's number
/// (clock_getres(2), and `MAKE_THREAD_CPUCLOCK` in the kernel's posix-timers.h).
fn cpu_ns(threads: &[i32]) -> u64 {
    threads.iter().map(|thread| cpu_ns_of(*thread)).sum()
}

fn cpu_ns_of(thread: i32) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec.
    let failed = unsafe { libc::clock_gettime(!thread << 3 | 6, &mut now) };
    assert_eq!(failed, 0, "the thread lives");
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
