//! A shard that has more to send than it can.

use crate::harness::{alone, wait_for};
use crate::kernel::subscribe_to;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tapecast::config::Settings;
use tapecast::hub::{HubSettings, LagSettings};
use tapecast::server::Server;

const CLIENTS: usize = 1_500;

/// Above what a busy machine makes of a shard at rest, and below what the load makes: 30 to 120 ms.
const LAG: LagSettings = LagSettings { refuse_ms: 25, widen_ms: 25 };

/// Method: 1,500 clients watch all of a feed of 100,000 ticks a second, several times what one
/// core can send to them. The window widens, mostly by one step, which helps; when nearly all have
/// left it returns. The server runs in this process, where its gauges can be read.
#[test]
fn a_late_shard_refuses_then_widens_and_returns() {
    let _alone = alone();
    let settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        shards: Some(1),
        feeds: vec!["synthetic:symbols=200,rate=100000".to_string()],
        // These clients answer no ping.
        hub: HubSettings { lag: LAG, ping_ms: 3_600_000, ..HubSettings::default() },
        ..Settings::default()
    };
    let server = Server::start(&settings).expect("it starts");
    let keep = Arc::new(AtomicUsize::new(CLIENTS));
    let clients = clients(server.address, keep.clone());
    let counters = &server.shards[0].counters;
    let gauges = counters.overload();
    let refused = wait_for("refusing", || {
        gauges.lag_refuses().then(|| gauges.turn_lag_us().max(gauges.tick_lag_us()))
    });
    assert!(refused >= 25_000, "{refused} us");
    let window_ms = wait_for("the window", || Some(gauges.window_ms()).filter(|ms| *ms > 0));
    println!("refused at {refused} us of lag, window now {window_ms} ms");

    assert!(counters.closed().all(|(_, count)| count == 0), "nobody was closed for it");
    keep.store(10, Ordering::Relaxed);
    wait_for("the return", || (gauges.window_ms() == 0).then_some(()));
    wait_for("the end of refusing", || (!gauges.lag_refuses()).then_some(()));
    keep.store(0, Ordering::Relaxed);
    clients.join().expect("the clients' thread");
    wait_for("nobody", || (counters.sessions() == 0).then_some(()));
    assert_eq!(gauges.used_bytes(), 0, "what was counted for clients");
}

/// Clients that read all they get, on one thread, as many as `keep` says.
fn clients(address: SocketAddr, keep: Arc<AtomicUsize>) -> thread::JoinHandle<()> {
    let connect = |_| {
        let stream = subscribe_to(address, 65_536, "*");
        stream.set_nonblocking(true).expect("a socket");
        TcpStream::from_std(stream)
    };
    let mut streams: Vec<TcpStream> = (0..CLIENTS).map(connect).collect();
    thread::spawn(move || {
        let mut poll = Poll::new().expect("epoll");
        for (index, stream) in streams.iter_mut().enumerate() {
            let token = Token(index);
            poll.registry().register(stream, token, Interest::READABLE).expect("a socket");
        }
        let (mut events, mut bytes) = (Events::with_capacity(CLIENTS), vec![0; 65_536]);
        while !streams.is_empty() {
            streams.truncate(keep.load(Ordering::Relaxed));
            poll.poll(&mut events, Some(Duration::from_millis(20))).expect("epoll");
            for event in &events {
                if let Some(stream) = streams.get_mut(event.token().0) {
                    drain(stream, &mut bytes);
                }
            }
        }
    })
}

fn drain(stream: &mut TcpStream, bytes: &mut [u8]) {
    loop {
        match stream.read(bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "the server closed a reader");
                return;
            }
        }
    }
}
