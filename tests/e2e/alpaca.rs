//! An upstream that is no Tapecast: `--feed websocket:` against Alpaca's dialect, and by TLS.
//!
//! Method: a server of one thread greets, asks for key and secret and sends items as Alpaca
//! documents them, with kinds and members that the feed has no use for. TLS is HAProxy's, with a
//! certificate made for the test.

use crate::harness::client::is;
use crate::harness::{Client, PATIENCE, Server, proxy::TlsProxy, server::BINARY};
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tungstenite::{Message, WebSocket};

const KEY: &str = "PKTEST";
const SECRET: &str = "s3cret-of-the-test";

/// What the mock upstream saw, and where it is; items go to it through `items`.
struct Upstream {
    address: SocketAddr,
    commands: Receiver<Value>,
    items: Sender<String>,
}

impl Upstream {
    fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("just bound");
        let (told, commands) = channel();
        let (items, to_send) = channel::<String>();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream, &told, &to_send);
            }
        });
        Upstream { address, commands, items }
    }

    fn command(&self) -> Value {
        self.commands.recv_timeout(PATIENCE).expect("the feed says something")
    }
}

/// One connection; ends with it.
fn serve(stream: TcpStream, told: &Sender<Value>, items: &Receiver<String>) {
    let Ok(mut socket) = tungstenite::accept(stream) else { return };
    let say =
        |socket: &mut WebSocket<TcpStream>, text: &str| socket.send(Message::text(text)).is_ok();
    say(&mut socket, r#"[{"T":"success","msg":"connected"}]"#);
    let mut is_authenticated = false;
    loop {
        let Ok(message) = socket.read() else { return };
        let Message::Text(text) = message else { continue };
        let command: Value = serde_json::from_str(&text).expect("commands are JSON");
        let action = command["action"].as_str().expect("an action").to_string();
        let is_right = command["key"] == KEY && command["secret"] == SECRET;
        told.send(command).expect("the test goes on");
        match action.as_str() {
            "auth" if is_right => {
                is_authenticated = true;
                say(&mut socket, r#"[{"T":"success","msg":"authenticated"}]"#);
            }
            "auth" => {
                say(&mut socket, r#"[{"T":"error","code":402,"msg":"auth failed"}]"#);
                let _ = socket.close(None);
            }
            _ if !is_authenticated => {
                say(&mut socket, r#"[{"T":"error","code":401,"msg":"not authenticated"}]"#);
            }
            _ => {
                say(&mut socket, r#"[{"T":"subscription","trades":["*"],"quotes":["*"]}]"#);
                while let Ok(item) = items.recv() {
                    if !say(&mut socket, &item) {
                        return;
                    }
                }
            }
        }
    }
}

fn secret_file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("room on disk");
    path
}

fn feed(upstream: &Upstream, secret: &Path) -> String {
    let (address, secret) = (upstream.address, secret.display());
    format!("websocket:ws://{address}/v2/iex,key={KEY},secret_file={secret},symbols=FAKE|AAPL")
}

#[test]
fn alpacas_items_are_numbered_here() {
    let upstream = Upstream::start();
    let secret = secret_file("alpaca-right", &format!("{SECRET}\n"));
    let node = Server::with_feed(&feed(&upstream, &secret), "--shards 1");
    assert_eq!(upstream.command(), json!({"action": "auth", "key": KEY, "secret": SECRET}));
    let asked = json!({"action": "subscribe", "trades": ["FAKE", "AAPL"],
        "quotes": ["FAKE", "AAPL"]});
    assert_eq!(upstream.command(), asked);
    let mut client =
        Client::connect(node.address, "/v1/stream?symbols=AAPL&channels=trades,quotes,bars");
    let trade = |id: u32, second: &str| {
        let time = format!("2021-02-22T15:51:{second}Z");
        json!({"T": "t", "i": id, "S": "AAPL", "x": "D", "p": 126.55, "s": 1, "t": time,
            "c": ["@", "I"], "z": "C"})
    };
    let (time, minute) = ("2021-02-22T15:51:45.335689322Z", "2021-02-22T15:50:00Z");
    let items = json!([
        trade(96921, "44.208"),
        {"T": "q", "S": "AAPL", "bx": "U", "bp": 87.66, "bs": 1, "ax": "Q", "ap": 87.68, "as": 4,
            "t": time, "c": ["R"], "z": "C"},
        {"T": "b", "S": "AAPL", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "n": 1, "vw": 1,
            "t": minute},
        {"T": "s", "S": "AAPL", "sc": "H", "t": minute},
        {"T": "c", "S": "AAPL", "x": "M", "oi": 1, "op": 1, "os": 1, "oc": ["@"], "t": minute},
        trade(96922, "44.5"),
    ]);
    let items = serde_json::to_string_pretty(&items).expect("JSON");
    upstream.items.send(items).expect("it is subscribed");
    let events =
        client.until("the second trade", |event| is(event, "t", "AAPL") && event["sq"] == 2);
    let first = events.iter().find(|event| is(event, "t", "AAPL")).expect("before the second");
    assert_eq!((&first["i"], &first["sq"]), (&json!(96921), &json!(1)));
    assert_eq!((&first["p"], &first["c"]), (&json!(126.55), &json!(["@", "I"])));
    let quote = events.iter().find(|event| is(event, "q", "AAPL")).expect("a quote");
    assert_eq!((&quote["ap"], &quote["t"]), (&json!(87.68), &json!(time)));
    // Bars are made here where the numbers are; the upstream's own is passed over.
    assert!(!events.iter().any(|event| event["T"] == "b"), "{events:?}");
    let feeds = crate::admin::json(&node, "/api/status")["feeds"].clone();
    assert_eq!((&feeds[0]["ticks"], &feeds[0]["bad_lines"]), (&json!(3), &json!(0)), "{feeds}");
    assert!(!node.log().contains(SECRET));
    node.stop();
}

/// Method: a wrong secret; it must be told, and shown nowhere.
#[test]
fn a_wrong_secret_is_told_and_never_shown() {
    let upstream = Upstream::start();
    let secret = secret_file("alpaca-wrong", "wrong-s3cret\n");
    let feed = feed(&upstream, &secret);
    let node = Server::with_feed(&feed, "--shards 1 --log-level debug");
    upstream.command();
    node.wait_for_log("error 402, auth failed; are key= and secret_file= right?");
    let status = crate::admin::json(&node, "/api/status").to_string();
    let config = Command::new(BINARY).args(["config", "--feed", &feed]).output().expect("it runs");
    let config = String::from_utf8(config.stdout).expect("UTF-8");
    assert!(config.contains("secret_file="), "{config}");
    for text in [node.log(), status, config] {
        assert!(!text.contains("wrong-s3cret"), "{text}");
    }
    node.stop();
}

/// Method: HAProxy speaks TLS before a node; another node, and `subscribe`, come through it with
/// the authority's file, and not without.
#[test]
fn upstreams_and_clients_are_reached_by_tls() {
    let first = Server::start("--feed synthetic:rate=500 --shards 1");
    let proxy = TlsProxy::start(first.address);
    let (url, authority) = (proxy.url("/v1/stream"), proxy.authority().display().to_string());
    let node = Server::with_feed(&format!("websocket:{url},ca_file={authority}"), "--shards 1");
    let mut client = Client::connect(node.address, "/v1/stream?symbols=*&channels=trades");
    client.find("a trade", |event| event["T"] == "t");
    node.stop();
    let subscribe = |more: &[&str]| {
        let fixed = ["subscribe", &url, "*", "--json", "--count", "5", "--seconds", "30"];
        let output = Command::new(BINARY).args(fixed).args(more).output().expect("it runs");
        let errors = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), errors)
    };
    let (code, errors) = subscribe(&["--ca-file", &authority]);
    assert_eq!(code, Some(0), "{errors}");
    let (code, errors) = subscribe(&[]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("certificate"), "{errors}");
    first.stop();
}
