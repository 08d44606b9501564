//! A server that hangs while a publisher opens its connection: systemd must see that the publisher
//! is alive, and it must end when it is told to.
//!
//! Method: a nats-server that is stopped before it greets; and a relay before a real one that
//! falls silent when the last messages of the stream are asked for.

use crate::nats_server::{NatsServer, Setup};
use crate::publisher::Publisher;
use crate::wait_for;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// tuning/tapecast-publish.service gives 15 s; the rest is for a machine that does much else.
const STOP_MAX: Duration = Duration::from_secs(10);

/// By this a publisher asks for messages of the stream.
const ASKS_FOR_MESSAGES: &[u8] = b"CONSUMER.MSG.NEXT";

/// Relays to a server until messages are asked for: from then on nobody is answered.
struct Relay {
    url: String,
    is_silent: Arc<AtomicBool>,
}

impl Relay {
    fn start(server: &NatsServer) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
        let is_silent = Arc::<AtomicBool>::default();
        let (silent, port) = (Arc::clone(&is_silent), server.port());
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server is up");
                let twin = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
                let (back, up) = ((twin(&server), twin(&client)), Arc::clone(&silent));
                thread::spawn(move || copy(client, server, |seen| falls_silent(seen, &up)));
                thread::spawn(move || copy(back.0, back.1, |_| false));
            }
        });
        Relay { url, is_silent }
    }
}

/// Until one of both ends, or `is_held` says of what came lately that nothing more goes on.
fn copy(mut from: TcpStream, mut to: TcpStream, is_held: impl Fn(&[u8]) -> bool) {
    let (mut buffer, mut seen) = ([0; 4_096], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        // A word may come in two pieces.
        seen.drain(..seen.len().saturating_sub(ASKS_FOR_MESSAGES.len()));
        seen.extend_from_slice(&buffer[..count]);
        if !is_held(&seen) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn falls_silent(seen: &[u8], is_silent: &AtomicBool) -> bool {
    let asks = seen.windows(ASKS_FOR_MESSAGES.len()).any(|word| word == ASKS_FOR_MESSAGES);
    is_silent.fetch_or(asks, Ordering::AcqRel) || asks
}

fn assert_ends_in_time(publisher: &mut Publisher) {
    let asked = Instant::now();
    publisher.signal(Signal::TERM);
    let status = publisher.wait_exit();
    let took = asked.elapsed();
    assert_eq!(status.code(), Some(0), "{}", publisher.log());
    assert!(took < STOP_MAX, "{took:?}:\n{}", publisher.log());
}

#[test]
fn a_publisher_ends_while_the_server_does_not_greet() {
    let server = NatsServer::start(Setup::default());
    server.freeze();
    let mut publisher = Publisher::start(&server, "--jetstream --feed stdin");
    publisher.wait_for_log("it is tried again");
    assert_ends_in_time(&mut publisher);
    server.thaw();
}

#[test]
fn a_publisher_is_alive_and_ends_while_the_stream_does_not_answer() {
    let server = NatsServer::with_jetstream();
    let flags = "--jetstream --max-bytes 32M --feed stdin";
    let mut first = Publisher::start(&server, flags);
    first.wait_for_log("publishes with term");
    first.write("{\"T\":\"t\",\"S\":\"A\",\"i\":1,\"p\":1,\"s\":1,\"t\":5}\n");
    wait_for("a message in the stream", || {
        (crate::stored::last_sequence(&server) == 1).then_some(())
    });
    first.stop();

    let relay = Relay::start(&server);
    let systemd = server.dir().join("notify");
    let told = UnixDatagram::bind(&systemd).expect("the server's directory");
    let systemd = systemd.display().to_string();
    let environment = [("NOTIFY_SOCKET", systemd.as_str()), ("WATCHDOG_USEC", "1000000")];
    let mut publisher = Publisher::start_with(&relay.url, flags, &environment);
    wait_for("the question that nobody answers", || {
        relay.is_silent.load(Ordering::Acquire).then_some(())
    });
    told.set_nonblocking(true).expect("a socket can be asked without waiting");
    let mut heartbeats = 0;
    wait_for("five heartbeats while it waits", || {
        let mut text = [0; 4_096];
        while let Ok(count) = told.recv(&mut text) {
            let text = String::from_utf8_lossy(&text[..count]);
            assert!(!text.contains("READY"), "it is not connected: {text}");
            heartbeats += usize::from(text.contains("WATCHDOG=1"));
        }
        (heartbeats >= 5).then_some(())
    });
    assert_ends_in_time(&mut publisher);
}
