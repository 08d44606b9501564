//! One blocking client, and what the bytes that it got mean.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub const REQUEST: &[u8] = b"GET /v1/stream?symbols=SYM0001&channels=quotes HTTP/1.1\r\n\
    Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Served,
    /// 101 and a Close frame: its code, and its hint.
    Closed {
        code: u16,
        retry_ms: u64,
        jitter_ms: u64,
    },
    /// An HTTP status and its `Retry-After`.
    Http {
        status: u16,
        retry_after_s: Option<u64>,
    },
}

/// What `bytes` say, as soon as they say it.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("HTTP heads are ASCII");
    let status = head[9..12].parse().expect("a status");
    if status != 101 {
        let after = head.split("\r\nRetry-After: ").nth(1);
        let retry_after_s = after.map(|text| text.lines().next().expect("a line").parse());
        return Some(Answer::Http { status, retry_after_s: retry_after_s.map(|s| s.expect("s")) });
    }
    let (first, length) = (*bytes.get(end)?, *bytes.get(end + 1)?);
    if first == 0x81 {
        return Some(Answer::Served);
    }
    assert_eq!(first, 0x88, "an array or a Close frame comes first");
    let payload = bytes.get(end + 2..end + 2 + usize::from(length))?;
    let reason: serde_json::Value = serde_json::from_slice(&payload[2..]).expect("JSON");
    Some(Answer::Closed {
        code: u16::from_be_bytes([payload[0], payload[1]]),
        retry_ms: reason["retry_ms"].as_u64().expect("a number"),
        jitter_ms: reason["jitter_ms"].as_u64().expect("a number"),
    })
}

pub struct Raw(pub TcpStream);

impl Raw {
    /// Connects and sends nothing.
    pub fn silent(to: SocketAddr) -> Raw {
        Raw(TcpStream::connect(to).expect("connects"))
    }

    pub fn connect(to: SocketAddr) -> Raw {
        let mut client = Raw::silent(to);
        client.request();
        client
    }

    /// From another address of this machine.
    pub fn connect_from(from: Ipv4Addr, to: SocketAddr) -> Raw {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.expect("a socket");
        socket.bind(&SocketAddr::from((from, 0)).into()).expect("127/8 is ours");
        socket.connect(&to.into()).expect("connects");
        let mut client = Raw(socket.into());
        client.request();
        client
    }

    pub fn request(&mut self) {
        self.0.write_all(REQUEST).expect("a fresh socket takes it");
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_within(super::PATIENCE).expect("an answer in time")
    }

    pub fn answer_within(&mut self, time: Duration) -> Option<Answer> {
        let deadline = Instant::now() + time;
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = parse(&bytes) {
                return Some(answer);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())?;
            self.0.set_read_timeout(Some(left)).expect("not zero");
            let mut buffer = [0; 4096];
            match self.0.read(&mut buffer) {
                Ok(0) => panic!("closed after {:?}", String::from_utf8_lossy(&bytes)),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
    }

    /// Whether the server has ended the connection, by an orderly end or else.
    pub fn is_over(&mut self) -> bool {
        self.0.set_nonblocking(true).expect("a socket");
        let over = match self.0.read(&mut [0; 4096]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        self.0.set_nonblocking(false).expect("a socket");
        over
    }
}

/// A client that was refused for the fullness of the server, and told when to come back.
pub fn is_told_to_retry(answer: &Answer) -> bool {
    match answer {
        Answer::Closed { code: 1013, retry_ms: 1_000..=600_000, jitter_ms } => *jitter_ms > 0,
        Answer::Http { status: 503 | 429, retry_after_s: Some(1..=600) } => true,
        _ => false,
    }
}
