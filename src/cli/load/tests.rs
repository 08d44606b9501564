//! Method: a server of a few threads, over real sockets and tungstenite, sends scripts of frames;
//! the report of a whole run against it is checked.

mod dialects;

use super::ask::Request;
use super::check::Terms;
use super::connection::{Connection, Step};
use super::dialect::Form;
use super::interest::Interest;
use super::last_reader::LastReader;
use super::sink::Sink;
use super::*;
use crate::market::{Channel, ChannelSet};
use crate::wire::client::mock::{MockServer, Sent};
use crate::wire::client::{Opcode, Upgrade, write_frame};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

const GREETING: &str = r#"[{"T":"success","msg":"connected","v":1,"epoch":"e"}]"#;

type Server = MockServer<TcpStream>;

/// Serves every connection on a thread of its own and gives its number to the script; returns the
/// URL and what the clients asked for.
fn serve(script: fn(usize, Server)) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has one");
    let (targets, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (stream, targets) = (stream.expect("a connection"), targets.clone());
            std::thread::spawn(move || {
                let server = MockServer::accept(stream);
                let _ = targets.send(server.target.clone());
                script(number, server);
            });
        }
    });
    (format!("ws://{address}"), asked)
}

fn args(url: String, connections: usize) -> LoadArgs {
    LoadArgs {
        url,
        connections,
        seconds: 0.4,
        symbols: Some("A,B".to_string()),
        symbols_each: None,
        symbols_of: None,
        cohorts: None,
        seed: 1,
        dialect: Dialect::Tapecast,
        channels: None,
        window: 7,
        max_hz: None,
        ts: None,
        heartbeat_ms: None,
        report: None,
        rcvbuf: None,
        stall: 0.0,
        slow: 0.0,
        churn: None,
        encoding: None,
        start_on_line: false,
        rest_us: 0,
        json: false,
    }
}

fn quote(sq: u64) -> String {
    let now_ns = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos();
    format!(r#"[{{"T":"q","S":"A","bp":1.5,"t":{now_ns},"sq":{sq}}}]"#)
}

/// Sends quotes until the client leaves, with a ping among them, and answers its Close.
fn stream_quotes(mut server: Server) {
    server.ping("p");
    server.stream().set_nonblocking(true).expect("a socket");
    let mut sq = 0;
    loop {
        sq += 1;
        if !server.say(&quote(sq)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
        match server.read() {
            Sent::Nothing => {}
            Sent::Pong(payload) => assert_eq!(payload, b"p"),
            sent => return assert_eq!(sent, Sent::Close(1000)),
        }
    }
}

#[test]
fn good_streams_are_measured() {
    let (url, asked) = serve(|_, mut server| {
        server.say(GREETING);
        stream_quotes(server);
    });
    let report = load(&args(url, 30)).expect("a run");
    assert!(report.is_good(), "{report}");
    assert_eq!((report.connections.opened, report.connections.open_at_end), (30, 30));
    assert_eq!(report.connect.latency_us.count, 30);
    assert!(report.window.items >= 30 && report.window.items <= report.window.frames, "{report}");
    let latency = report.latency_us.expect("times are of now");
    assert!(latency.count == report.window.items && latency.p50 < 1_000_000, "{report}");
    let target = asked.recv().expect("a request came");
    assert_eq!(target, "/v1/stream?channels=quotes,trades&ts=ns&symbols=A,B");
}

/// Method: one connection of four breaks a rule, one is closed, one gets a frame in pieces.
#[test]
fn each_connection_is_judged_by_itself() {
    let (url, _asked) = serve(|number, mut server| {
        server.say(GREETING);
        match number % 4 {
            0 => {
                server.say(&quote(2));
                server.say(&quote(2));
            }
            1 => return server.close(1013, r#"{"retry_ms":5}"#),
            2 => {
                let text = r#"[{"T":"t","S":"B","p":"é","t":1,"sq":1}]"#.as_bytes();
                for piece in [&[0x81, text.len() as u8], &text[..7], &text[7..]] {
                    server.stream().write_all(piece).expect("the client reads");
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
            _ => {}
        }
        stream_quotes(server);
    });
    let report = load(&args(url, 8)).expect("a run");
    assert_eq!(report.connections.closed.get(&1013), Some(&2), "{report}");
    let orders = report.findings.violations.get(&findings::Violation::Order);
    // After quote 2 twice, the stream's quotes 1 and 2 do not grow either.
    assert_eq!((orders, report.violation_count), (Some(&6), 6), "{report}");
    assert!(!report.is_good() && report.connections.open_at_end == 6);
}

#[test]
fn refusals_and_closed_ports_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has one");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = b"HTTP/1.1 503 Full\r\nRetry-After: 1\r\n\r\nfull\n";
            stream.expect("a connection").write_all(answer).expect("the client reads");
        }
    });
    let report = load(&args(format!("ws://{address}"), 5)).expect("a run");
    assert_eq!(report.connections.refused.get(&503), Some(&5), "{report}");
    assert!(!report.is_good());

    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("a bound socket has one");
    drop(free);
    let report = load(&args(format!("ws://{address}"), 3)).expect("a run");
    assert_eq!(report.connections.failed.values().sum::<u64>(), 3, "{report}");
}

#[test]
fn stalled_connections_are_not_read() {
    let (url, _asked) = serve(|_, mut server| {
        server.say(GREETING);
        stream_quotes(server);
    });
    let report = load(&LoadArgs { stall: 0.5, ..args(url, 4) }).expect("a run");
    assert_eq!((report.connections.opened, report.connections.stalled), (4, 2));
    assert!(report.is_good() && report.window.items > 0, "{report}");
}

/// Method: of four readers one stalls and one is slow, while others come and go.
#[test]
fn classes_are_counted_apart() {
    let (url, _asked) = serve(|_, mut server| {
        server.say(GREETING);
        stream_quotes(server);
    });
    let mixed = LoadArgs {
        stall: 0.25,
        slow: 0.25,
        churn: Some(50.0),
        seconds: 0.8,
        channels: Some("quotes".to_string()),
        ..args(url, 4)
    };
    let report = load(&mixed).expect("a run");
    assert!(report.is_good(), "{report}");
    let (brief, classes) = (&report.brief, &report.brief.classes);
    let starts = [classes.reading.start, classes.slow.start, classes.stalled.start];
    let ends = [classes.reading.end, classes.slow.end, classes.stalled.end];
    assert_eq!((starts, ends), ([2, 1, 1], [2, 1, 1]), "{report}");
    assert!((20..=40).contains(&brief.churned) && brief.churn.failed == 0, "{report}");
    assert!(brief.slow.ticks > 0 && brief.slow.ticks < brief.ticks, "{report}");
    assert!(brief.reads > 0 && brief.reads <= brief.frames && brief.missing == 0, "{report}");
    // Every client has a stream of its own, so no two have the same ticks at the same time; but
    // the numbers are the same, and the last reader of each is the second.
    assert!(brief.last_us.count > 0 && brief.last_us.count <= brief.ticks / 2, "{report}");
}

#[test]
fn wrong_use_names_the_flag() {
    let good = || args("ws://127.0.0.1:9".to_string(), 1);
    let cases = [
        (LoadArgs { symbols: None, ..good() }, "--symbols"),
        (LoadArgs { symbols: Some("A B".to_string()), ..good() }, "--symbols"),
        (LoadArgs { channels: Some("news".to_string()), ..good() }, "--channels"),
        (LoadArgs { ts: Some("ms".to_string()), ..good() }, "--ts"),
        (LoadArgs { connections: 0, ..good() }, "--connections"),
        (LoadArgs { connections: 1 << 40, ..good() }, "--connections"),
        (LoadArgs { window: 0, ..good() }, "--window"),
        (LoadArgs { seconds: 0.0, ..good() }, "--seconds"),
        (LoadArgs { stall: 1.5, ..good() }, "--stall"),
        (LoadArgs { stall: 0.6, slow: 0.5, ..good() }, "--slow"),
        (LoadArgs { cohorts: Some(0), ..good() }, "--cohorts"),
        (LoadArgs { churn: Some(0.0), ..good() }, "--churn"),
        (LoadArgs { encoding: Some("xml".to_string()), ..good() }, "--encoding"),
        (LoadArgs { symbols_each: Some(9), symbols_of: Some(8), ..good() }, "--symbols-each"),
        (LoadArgs { symbols_each: Some(1), symbols_of: Some(0), ..good() }, "--symbols-of"),
        (LoadArgs { dialect: Dialect::Nchan, max_hz: Some(1.0), ..good() }, "--max-hz"),
        (
            LoadArgs { dialect: Dialect::Messages, symbols: Some("*".to_string()), ..good() },
            "--dialect messages",
        ),
        (LoadArgs { url: "nonsense".to_string(), ..good() }, "nonsense"),
    ];
    for (args, named) in cases {
        let error = load(&args).expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.exit_code(), ExitCode::from(2));
    }
}

/// Method: the answer of the upgrade and three frames, cut in two at every byte; each part is read
/// before the next is sent, and the outcome must not depend on the cut.
#[test]
fn a_stream_may_be_cut_anywhere() {
    let endpoint = Endpoint::parse("ws://localhost").expect("a good URL");
    let upgrade = Upgrade::new(&endpoint, *b"the sample nonce");
    let mut bytes = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        .to_vec();
    for text in [GREETING, &quote(4), &quote(5)] {
        bytes.extend([0x81, 126, 0, text.len() as u8]);
        bytes.extend(text.as_bytes());
    }
    bytes.extend([0x89, 1, b'p']);
    for cut in 1..bytes.len() {
        let mut sink = sink();
        sink.books.is_counting = true;
        let (mut connection, mut server) = connected(upgrade.clone());
        for part in [&bytes[..cut], &bytes[cut..]] {
            server.write_all(part).expect("the client reads");
            assert_eq!(connection.read_ready(false, &mut sink), Step::Waits);
        }
        assert_eq!(
            (sink.books.reading.frame_count, sink.books.reading.item_count),
            (3, 2),
            "cut at {cut}"
        );
        let findings = &sink.books.ledger.findings;
        assert_eq!(findings.violation_count(), 0, "cut at {cut}: {:?}", findings.texts);
        let mut pong = [0; 7];
        server.read_exact(&mut pong).expect("the ping is answered");
        let mask = pong[2..6].try_into().expect("four bytes");
        let mut expected = Vec::new();
        write_frame(&mut expected, Opcode::Pong, b"p", mask);
        assert_eq!(pong, expected[..], "cut at {cut}");
    }
}

fn sink() -> Sink {
    let mut symbols = SymbolTable::default();
    let channels = ChannelSet::of(Channel::Quotes);
    let interest = Interest::new(None, channels, &mut symbols);
    let (first_seen, findings) = (FirstSeen::default(), Findings::default());
    let terms = Terms::Protocol;
    let last_reader = LastReader::new(1, false);
    Sink::new(Form::Array, last_reader, Ledger { symbols, interest, terms, first_seen, findings })
}

/// A connection that has sent its request, and the server's end of it behind that request.
fn connected(upgrade: Upgrade) -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has one");
    let client = TcpStream::connect(address).expect("it listens");
    client.set_nonblocking(true).expect("a socket");
    let (mut server, _) = listener.accept().expect("it connected");
    let mut request = vec![0; upgrade.request.len()];
    let client = mio::net::TcpStream::from_std(client);
    let mut connection = Connection::new(0, client, Request { upgrade, own: None, nats: None }, 0);
    assert_eq!(connection.write_ready(), Step::Waits);
    server.read_exact(&mut request).expect("the request comes whole");
    (connection, server)
}

/// A run may take hours: that its report has no place is known before.
#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    server.set_nonblocking(true).expect("a socket");
    let url = format!("ws://{}/", server.local_addr().expect("it is bound"));
    let args = LoadArgs { report: Some("/no/such/folder/report.json".into()), ..args(url, 1) };
    let exit = run(&args);
    assert_ne!(format!("{exit:?}"), format!("{:?}", ExitCode::SUCCESS));
    let asked = server.accept().map(drop).expect_err("nobody has connected");
    assert_eq!(asked.kind(), io::ErrorKind::WouldBlock);
}
