//! Method: the feed against a server of one thread that plays one script a connection, over real
//! sockets and tungstenite; with and without TLS.

use super::*;
use crate::feed::spec::FeedSpec;
use crate::market::RecordBody;
use crate::wire::client::mock::{MockServer, Sent};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// Serves one connection after the other, each with its script, and then listens no more.
fn serve(scripts: Vec<fn(TcpStream)>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound socket has one").port();
    let played = thread::spawn(move || {
        for script in scripts {
            script(listener.accept().expect("a connection").0);
        }
    });
    (format!("localhost:{port}"), played)
}

fn open(text: &str) -> Websocket {
    Websocket::new(&WebsocketSpec::parse(text).expect("a good spec").0).expect("readable files")
}

/// What came, a word for each: trades by number and id, epochs as they begin.
fn polled(feed: &mut Websocket, count: usize) -> Vec<String> {
    let (mut got, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    let mut epoch = None;
    while got.len() < count {
        let mut given = Vec::new();
        let next = feed.poll(0, 3, &mut |record| {
            given.push(match record.body {
                RecordBody::Trade { id, .. } => format!("trade {}", id.unwrap_or(0)),
                _ => "other".to_string(),
            });
            Ok(())
        });
        if feed.epoch().map(str::to_string) != epoch {
            assert!(given.is_empty(), "an epoch changes between polls");
            epoch = feed.epoch().map(str::to_string);
            got.push(format!("epoch {}", epoch.as_deref().unwrap_or("none")));
        }
        got.extend(given);
        match next {
            Next::More => {}
            Next::Wake => thread::park_timeout(Duration::from_millis(100)),
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "{got:?} after {PATIENCE:?}");
    }
    got
}

fn greet<S: io::Read + io::Write>(stream: S, epoch: &str) -> (MockServer<S>, String) {
    let mut server = MockServer::accept(stream);
    server.say(&format!(r#"[{{"T":"success","msg":"connected","epoch":"{epoch}"}}]"#));
    let Sent::Text(command) = server.read() else { panic!("a command is sent") };
    (server, command)
}

fn trade(id: u64) -> String {
    format!(r#"{{"T":"t","S":"A","i":{id},"p":1,"s":1,"t":5,"sq":{id}}}"#)
}

const AGAIN: &str = r#"{"retry_ms":1,"jitter_ms":1}"#;

/// Method: two connections of one epoch and a third of another; what a full budget cuts is whole.
#[test]
fn a_lost_connection_is_resumed_and_a_new_epoch_told() {
    let (authority, played) = serve(vec![
        |stream| {
            let (mut server, command) = greet(stream, "e1");
            assert!(!command.contains("since"), "{command}");
            let trades: Vec<String> = (1..=7).map(trade).collect();
            server.say(&format!("[{}]", trades.join(",")));
            server.close(1012, AGAIN);
        },
        |stream| {
            let (mut server, command) = greet(stream, "e1");
            assert!(command.contains(r#""since":{"A":{"trades":7}}"#), "{command}");
            server.say(&format!("[{}]", trade(8)));
            server.close(1012, AGAIN);
        },
        |stream| {
            let (mut server, command) = greet(stream, "e2");
            assert!(command.contains(r#""epoch":"e1""#), "{command}");
            server.say(&format!("[{}]", trade(1)));
            server.read();
        },
    ]);
    let mut feed = open(&format!("ws://{authority},stale_ms=20000"));
    let mut expected = vec!["epoch e1".to_string()];
    expected.extend((1..=8).map(|id| format!("trade {id}")));
    expected.extend(["epoch e2", "trade 1"].map(str::to_string));
    assert_eq!(polled(&mut feed, expected.len()), expected);
    assert_eq!((feed.reconnects_count(), feed.bad_lines_count()), (2, 0));
    drop(feed);
    played.join().expect("every script was played");
}

/// Method: the first server greets and is then mute: it reads, but answers no ping. The second
/// answers three pings, which takes longer than what counts as silence, and is kept.
#[test]
fn a_mute_server_is_given_up_and_a_quiet_one_kept() {
    let (authority, played) = serve(vec![
        |stream| {
            let (mut server, _) = greet(stream, "e1");
            io::copy(server.stream(), &mut io::sink()).expect("until the client has gone");
        },
        |stream| {
            let (mut server, _) = greet(stream, "e1");
            for _ in 0..3 {
                assert_eq!(server.read(), Sent::Ping);
            }
            server.say(&format!("[{}]", trade(1)));
            server.read();
        },
    ]);
    let mut feed = open(&format!("ws://{authority},stale_ms=2000"));
    assert_eq!(polled(&mut feed, 2), ["epoch e1", "trade 1"]);
    assert_eq!(feed.reconnects_count(), 1);
    drop(feed);
    played.join().expect("every script was played");
}

/// Method: more than the channel holds comes while nobody polls, and then the feed goes away; the
/// server sees the end of the connection.
#[test]
fn a_feed_that_is_not_polled_stops_reading_and_ends_with_its_thread() {
    let (authority, played) = serve(vec![|stream| {
        let (mut server, _) = greet(stream, "e1");
        let pad = "x".repeat(60_000);
        let message = format!(r#"[{{"T":"t","S":"A","pad":"{pad}"}}]"#);
        while server.say(&message) {}
    }]);
    let mut feed = open(&format!("ws://{authority}"));
    assert_eq!(polled(&mut feed, 1), ["epoch e1"]);
    let State::Calling { arrivals, .. } = &feed.state else { panic!("it was polled") };
    let deadline = Instant::now() + PATIENCE;
    while !arrivals.is_full() {
        assert!(Instant::now() < deadline, "{} arrivals", arrivals.len());
        thread::sleep(Duration::from_millis(5));
    }
    drop(feed);
    played.join().expect("the server saw the end");
}

/// Method: where faults are injected, the first connection's server asks for a panic. The feed
/// fails, and is opened again as the ingest thread does it; the second connection is another
/// thread's, which begins as at the start.
#[test]
fn a_thread_that_panicked_is_begun_again() {
    let (authority, played) = serve(vec![
        |stream| {
            let (mut server, _) = greet(stream, "e1");
            server.say(&format!("[{}]", trade(1)));
            server.say(r#"[{"T":"fault"}]"#);
            // Until the client has gone; how it goes is not what is looked at.
            let _ = io::copy(server.stream(), &mut io::sink());
        },
        |stream| {
            let (mut server, command) = greet(stream, "e1");
            assert!(!command.contains("since"), "{command}");
            server.say(&format!("[{}]", trade(2)));
            server.read();
        },
    ]);
    let mut feed = open(&format!("ws://{authority}"));
    feed.enable_faults();
    assert_eq!(polled(&mut feed, 2), ["epoch e1", "trade 1"]);
    let deadline = Instant::now() + PATIENCE;
    let why = loop {
        match feed.poll(0, 3, &mut |_| Ok(())) {
            Next::Failed(why) => break why,
            _ => thread::park_timeout(Duration::from_millis(100)),
        }
        assert!(Instant::now() < deadline, "no failure after {PATIENCE:?}");
    };
    assert!(why.contains("its thread has ended"), "{why}");
    assert_eq!(feed.reopen(), Some(Ok(())));
    assert_eq!(polled(&mut feed, 2), ["epoch e1", "trade 2"]);
    drop(feed);
    played.join().expect("every script was played");
}

/// An authority, and a server's certificate of it for `localhost`.
fn certificates() -> (String, ServerConfig) {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec![]).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(params, authority_key).expect("signed");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_string()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("signed");
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they belong together");
    (authority.pem(), config)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tapecast-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}

/// Method: a server with a certificate of a made-up authority; first a feed that trusts another
/// authority, which must not get through, then one that trusts this.
#[test]
fn tls_is_spoken_with_whom_the_file_trusts_alone() {
    let (folder, (trusted, config)) = (folder("tls"), certificates());
    let [right, wrong] = ["right.pem", "wrong.pem"].map(|name| folder.join(name));
    fs::write(&right, trusted).expect("a file");
    fs::write(&wrong, certificates().0).expect("a file");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound socket has one").port();
    let config = Arc::new(config);
    let played = thread::spawn(move || {
        let accept = || {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a good config");
            StreamOwned::new(connection, listener.accept().expect("a connection").0)
        };
        let mut refused = accept();
        let error = io::copy(&mut refused, &mut io::sink()).expect_err("the client trusts nobody");
        assert!(error.to_string().contains("fatal alert"), "{error}");
        drop(refused);
        let (mut server, _) = greet(accept(), "e1");
        server.say(&format!("[{}]", trade(1)));
        server.read();
    });
    let text = |path: &PathBuf| format!("wss://localhost:{port},ca_file={}", path.display());
    let call = Call::new(&WebsocketSpec::parse(&text(&wrong)).expect("a spec").0).expect("files");
    let error = call.dialer().dial().expect_err("another authority").to_string();
    assert!(error.contains("invalid peer certificate") && error.contains("authority"), "{error}");
    let mut feed = open(&text(&right));
    assert_eq!(polled(&mut feed, 2), ["epoch e1", "trade 1"]);
    drop(feed);
    played.join().expect("the server played its part");
    fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn files_that_are_missing_are_told_before_anything_is_dialled() {
    let folder = folder("no-files");
    let empty = folder.join("empty.pem");
    fs::write(&empty, "nothing").expect("a file");
    let ca = format!("wss://localhost:1,ca_file={}", empty.display());
    for (text, word) in [
        (ca.as_str(), "empty.pem"),
        ("wss://localhost:1,ca_file=absent.pem", "absent.pem"),
        ("ws://localhost:1,key=K,secret_file=absent", "absent"),
    ] {
        let spec: FeedSpec = format!("websocket:{text}").parse().expect("a spec");
        let subscribed: crate::feed::Subscribed = Arc::new(|| 0);
        let error = spec.open(&subscribed).err().expect(word).to_string();
        assert!(error.contains("--feed websocket") && error.contains(word), "{error}");
    }
    fs::remove_dir_all(&folder).expect("it is ours");
}
