//! The small mode: each kind of floor serves a few clients, and what they get is compared with what
//! the server sends for the same lines.
//!
//! Method: processes of both, on the same feed. A burst is written when all clients have the one
//! before it, so that frames of one line are equal byte for byte; a burst of several lines may
//! take the server several flushes, so there the lines are compared. Some clients have a set that
//! others have too, some have their own, one has all.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tapecast::wire::client::{Endpoint, Opcode, Upgrade, next_frame};

const DEADLINE: Duration = Duration::from_secs(30);
const SYMBOLS: usize = 12;
const LINES_EACH: [usize; 6] = [1, 1, SYMBOLS, 1, 3 * SYMBOLS, 1];

/// What each client asks for.
const SETS: [&str; 6] = ["S0,S1,S2", "S2,S1,S0", "S3,S4,S1", "S11", "*", "S5,S6,S7,S8,NONE"];

pub fn run() {
    let executable = std::env::current_exe().expect("the path of this program");
    let floor = |arguments: &[&str]| {
        let mut command = Command::new(&executable);
        command.args(arguments);
        command
    };
    let mut server = Command::new(env!("CARGO_BIN_EXE_tapecast"));
    server.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--shards",
        "1",
        "--feed",
        "stdin",
        "--admin",
        "off",
    ]);
    let expected = served(server);
    for way in ["--send", "--ring"] {
        compare(way, &served(floor(&[way])), &expected);
    }
    for way in ["--send", "--ring"] {
        ready_made(floor(&[way, "--ready-made", "512,100"]));
    }
    for way in ["--connect", "--idle"] {
        drop(open(&Served::start(floor(&[way]))));
    }
    println!("floor: the bytes of {} clients are the server's", SETS.len());
}

/// What each client got, burst by burst.
type Got = Vec<Vec<Burst>>;

#[derive(Default, PartialEq, Debug)]
struct Burst {
    lines: Vec<String>,
    frames: Vec<Vec<u8>>,
}

fn compare(way: &str, got: &Got, expected: &Got) {
    for (client, (got, expected)) in got.iter().zip(expected).enumerate() {
        for (burst, (got, expected)) in got.iter().zip(expected).enumerate() {
            assert_eq!(got.lines, expected.lines, "{way}: client {client}, burst {burst}");
            if LINES_EACH[burst] == 1 {
                assert_eq!(got.frames, expected.frames, "{way}: client {client}, burst {burst}");
            }
        }
    }
}

fn served(command: Command) -> Got {
    let mut served = Served::start(command);
    let mut clients = open(&served);
    let mut got: Got = clients.iter().map(|_| Vec::new()).collect();
    let mut written = 0;
    for count in LINES_EACH {
        let numbers = written..written + count;
        written += count;
        let text: String = numbers.clone().map(|n| line(n) + "\n").collect();
        served.feed.write_all(text.as_bytes()).expect("the server reads");
        for (client, got) in clients.iter_mut().zip(&mut got) {
            let wanted = numbers.clone().filter(|n| client.wants(n % SYMBOLS)).count();
            got.push(client.burst(wanted));
        }
    }
    got
}

fn line(number: usize) -> String {
    let (symbol, cents) = (number % SYMBOLS, number % 100);
    let kind = number / SYMBOLS;
    let t = 1_700_000_000_000_000_000 + number;
    if kind % 2 == 1 && symbol == 1 {
        return format!(r#"{{"T":"t","S":"S1","i":{number},"x":"P","p":1.{cents},"s":5,"t":{t}}}"#);
    }
    let ask = r#""ax":"J","ap":11,"as":1"#;
    format!(r#"{{"T":"q","S":"S{symbol}","bx":"D","bp":10.{cents},"bs":200,{ask},"t":{t}}}"#)
}

fn ready_made(command: Command) {
    for client in &mut open(&Served::start(command)) {
        let frame = client.frame();
        let frame = next_frame(&frame, 1 << 20).expect("a frame").expect("a whole one");
        assert_eq!(frame.payload.len(), 512);
    }
}

/// A process that serves; it ends with this.
struct Served {
    process: Child,
    feed: ChildStdin,
    url: String,
}

impl Served {
    fn start(mut command: Command) -> Served {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("it starts");
        let feed = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut lines = output.lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.trim().strip_prefix("stream ")?.trim().into()));
        let url = url.expect("it says where it listens");
        // Whatever else it prints is read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Served { process, feed, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn open(served: &Served) -> Vec<Client> {
    SETS.iter().map(|set| Client::open(&served.url, set)).collect()
}

struct Client {
    set: &'static str,
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Returns when the server has greeted it, and so has subscribed it.
    fn open(url: &str, set: &'static str) -> Client {
        let mut endpoint = Endpoint::parse(url).expect("a URL");
        endpoint.set_option("symbols", set);
        endpoint.set_option("ts", "ns");
        let upgrade = Upgrade::new(&endpoint, [7; 16]);
        let mut stream = TcpStream::connect(endpoint.authority()).expect("connects");
        stream.set_read_timeout(Some(DEADLINE)).expect("a time limit");
        stream.write_all(&upgrade.request).expect("sends");
        let mut client = Client { set, stream, received: Vec::new() };
        let head = loop {
            if let Some(bytes) = upgrade.answer(&client.received).expect("an upgrade") {
                break bytes;
            }
            client.read();
        };
        client.received.drain(..head);
        let greeting = client.frame();
        assert!(String::from_utf8_lossy(&greeting).contains("connected"));
        client
    }

    fn wants(&self, symbol: usize) -> bool {
        self.set == "*" || self.set.split(',').any(|name| name == format!("S{symbol}"))
    }

    /// Frames until they have so many market events.
    fn burst(&mut self, wanted: usize) -> Burst {
        let mut burst = Burst::default();
        let deadline = Instant::now() + DEADLINE;
        while burst.lines.len() < wanted {
            assert!(Instant::now() < deadline, "{}: {} of {wanted}", self.set, burst.lines.len());
            let bytes = self.frame();
            let frame = next_frame(&bytes, 1 << 20).expect("a frame").expect("a whole one");
            assert_eq!(frame.opcode, Opcode::Text);
            let text = std::str::from_utf8(frame.payload).expect("UTF-8");
            let events: Vec<&serde_json::value::RawValue> =
                serde_json::from_str(text).expect("an array");
            let is_market =
                |text: &str| text.starts_with(r#"{"T":"q""#) || text.contains(r#""i":"#);
            let market = events.iter().map(|event| event.get()).filter(|text| is_market(text));
            let before = burst.lines.len();
            burst.lines.extend(market.map(str::to_string));
            if burst.lines.len() > before {
                burst.frames.push(bytes);
            }
        }
        burst
    }

    /// One whole frame.
    fn frame(&mut self) -> Vec<u8> {
        loop {
            if let Some(frame) = next_frame(&self.received, 1 << 20).expect("a frame") {
                let bytes = frame.frame_bytes;
                return self.received.drain(..bytes).collect();
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).unwrap_or_else(|error| match error.kind() {
            ErrorKind::WouldBlock => panic!("{}: nothing came for {DEADLINE:?}", self.set),
            _ => panic!("{}: {error}", self.set),
        });
        assert!(count > 0, "{}: the server ended the connection", self.set);
        self.received.extend_from_slice(&buffer[..count]);
    }
}
