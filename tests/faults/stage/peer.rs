//! One connection of a client that does as it likes: bytes, not a protocol.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use tapecast::wire::client::{Opcode, next_frame, parse_close, write_frame};

/// How long a read may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

const FRAME_BYTES_MAX: usize = 8 << 20;

pub struct Peer {
    stream: TcpStream,
    /// Its own address, by which the server's log names it.
    pub address: SocketAddr,
    inbox: Vec<u8>,
}

/// How the server ended a connection, as its peer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A Close frame with this code, 1005 for none.
    Close(u16),
    Eof,
    Reset,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        let address = stream.local_addr().expect("it is connected");
        Peer { stream, address, inbox: Vec::new() }
    }

    /// `false` once the server is gone.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let mut bytes = Vec::with_capacity(payload.len() + 14);
        write_frame(&mut bytes, opcode, payload, [1, 2, 3, 4]);
        self.send(&bytes)
    }

    pub fn say(&mut self, text: &str) -> bool {
        self.send_frame(Opcode::Text, text.as_bytes())
    }

    /// Reads once; `false` at the end of the stream.
    pub fn read_some(&mut self, bytes_max: usize) -> bool {
        let mut block = vec![0; bytes_max];
        match self.stream.read(&mut block) {
            Ok(0) => false,
            Ok(count) => {
                self.inbox.extend_from_slice(&block[..count]);
                true
            }
            Err(error) => panic!("{}: {error}", self.address),
        }
    }

    /// Reads so much of what has come, and throws it away.
    pub fn discard(&mut self, bytes_max: usize) {
        self.stream.set_nonblocking(true).expect("a flag");
        // Nothing, or a reset, is as good.
        let _ = self.stream.read(&mut vec![0; bytes_max]);
        self.stream.set_nonblocking(false).expect("a flag");
    }

    /// Reads the head of the answer to an upgrade; its status.
    pub fn read_head(&mut self) -> u16 {
        let end = loop {
            let end = self.inbox.windows(4).position(|window| window == b"\r\n\r\n");
            match end {
                Some(at) => break at + 4,
                None => assert!(self.read_some(4096), "{}: no answer", self.address),
            }
        };
        let head: Vec<u8> = self.inbox.drain(..end).collect();
        let head = String::from_utf8_lossy(&head);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no HTTP answer: {head}"))
    }

    /// Reads messages until one contains `word`.
    pub fn read_until(&mut self, word: &str) -> String {
        loop {
            while let Some((opcode, payload)) = self.next_message() {
                let text = String::from_utf8_lossy(&payload).into_owned();
                assert!(opcode != Opcode::Close, "closed: {:?}", parse_close(&payload));
                if text.contains(word) {
                    return text;
                }
            }
            assert!(self.read_some(64 * 1024), "{}: ended before {word:?}", self.address);
        }
    }

    /// Reads until a pong has come; `false` at the end of the stream.
    pub fn read_pong(&mut self) -> bool {
        loop {
            while let Some((opcode, _)) = self.next_message() {
                if opcode == Opcode::Pong {
                    return true;
                }
            }
            if !self.read_some(64 * 1024) {
                return false;
            }
        }
    }

    /// Keeps what has come for later, without waiting.
    pub fn take_what_has_come(&mut self) {
        let mut block = [0; 64 * 1024];
        self.stream.set_nonblocking(true).expect("a flag");
        while let Ok(count @ 1..) = self.stream.read(&mut block) {
            self.inbox.extend_from_slice(&block[..count]);
        }
        self.stream.set_nonblocking(false).expect("a flag");
    }

    /// Reads what follows the head of an answer that is no upgrade.
    pub fn read_end_of_answer(&mut self) -> Seen {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => Seen::Eof,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Seen::Reset,
            Err(error) => panic!("{}: {error}", self.address),
        }
    }

    /// Reads to the end of the stream.
    pub fn read_end(&mut self) -> Seen {
        let mut seen = Seen::Eof;
        let mut block = [0; 16 * 1024];
        loop {
            while let Some((opcode, payload)) = self.next_message() {
                if opcode == Opcode::Close {
                    seen = Seen::Close(parse_close(&payload).0);
                }
            }
            match self.stream.read(&mut block) {
                Ok(0) => return seen,
                Ok(count) => self.inbox.extend_from_slice(&block[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return if seen == Seen::Eof { Seen::Reset } else { seen };
                }
                Err(error) => panic!("{}: {error}", self.address),
            }
        }
    }

    pub fn shut_write(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends with a reset instead of an orderly end.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }

    fn next_message(&mut self) -> Option<(Opcode, Vec<u8>)> {
        let frame = next_frame(&self.inbox, FRAME_BYTES_MAX).expect("a frame of a server")?;
        let (opcode, payload, length) = (frame.opcode, frame.payload.to_vec(), frame.frame_bytes);
        self.inbox.drain(..length);
        Some((opcode, payload))
    }
}

/// The head of an upgrade of `/v1/stream` with these options.
pub fn upgrade_head(options: &str) -> String {
    format!(
        "GET /v1/stream?{options} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Upgrades all of them, and sees that all are granted.
pub fn upgrade(peers: &mut [Peer], options: &str) {
    let head = upgrade_head(options);
    for peer in peers.iter_mut() {
        assert!(peer.send(head.as_bytes()), "the server is there");
    }
    for peer in peers {
        assert_eq!(peer.read_head(), 101);
    }
}

pub fn addresses(peers: &[Peer]) -> HashSet<SocketAddr> {
    peers.iter().map(|peer| peer.address).collect()
}
