//! A socket whose every byte the test decides: for what no proper client does.

use super::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tapecast::wire::client::{Opcode, ServerFrame, next_frame, write_frame};

/// Larger than any frame that a test waits for.
const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The kernel doubles it, and counts its own overhead against it.
const LARGE_BUFFER_BYTES: usize = 64 * 1024 * 1024;

pub struct Raw {
    pub stream: TcpStream,
    /// Received and not yet taken.
    pub bytes: Vec<u8>,
}

impl Raw {
    pub fn connect(address: SocketAddr) -> Raw {
        Raw::new(TcpStream::connect(address).expect("listening"))
    }

    /// With `SO_RCVBUF` set before the connection exists, so that its window is small from the
    /// first byte on.
    pub fn connect_small(address: SocketAddr, receive_buffer_bytes: usize) -> Raw {
        let (domain, kind) = (socket2::Domain::IPV4, socket2::Type::STREAM);
        let socket = socket2::Socket::new(domain, kind, None).expect("descriptors are left");
        socket.set_recv_buffer_size(receive_buffer_bytes).expect("a TCP socket");
        socket.connect(&address.into()).expect("listening");
        Raw::new(socket.into())
    }

    /// With room for a whole recording in the kernel, so that how the machine shares its cores
    /// out never makes this client a slow one. Without the privilege: what the system allows.
    pub fn connect_large(address: SocketAddr) -> Raw {
        let (domain, kind) = (socket2::Domain::IPV4, socket2::Type::STREAM);
        let socket = socket2::Socket::new(domain, kind, None).expect("descriptors are left");
        let forced = rustix::net::sockopt::set_socket_recv_buffer_size_force;
        if forced(&socket, LARGE_BUFFER_BYTES).is_err() {
            socket.set_recv_buffer_size(LARGE_BUFFER_BYTES).expect("a TCP socket");
        }
        socket.connect(&address.into()).expect("listening");
        Raw::new(socket.into())
    }

    fn new(stream: TcpStream) -> Raw {
        stream.set_nodelay(true).expect("a TCP socket");
        Raw { stream, bytes: Vec::new() }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes bytes");
    }

    /// A masked frame of a client.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, opcode, payload, [1, 2, 3, 4]);
        self.write(&bytes);
    }

    /// The upgrade, and the server's yes to it.
    pub fn upgrade(&mut self, target: &str) {
        self.write(request(target).as_bytes());
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    /// The head of an answer; what follows it stays.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.bytes.drain(..at + 4).collect();
                return String::from_utf8(head).expect("a head is ASCII");
            }
            assert!(self.read(PATIENCE).expect("the server answers"), "it ended the connection");
        }
    }

    /// The next frame, as opcode and payload; `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<(Opcode, Vec<u8>)> {
        loop {
            if let Some(frame) = next_frame(&self.bytes, PAYLOAD_BYTES_MAX).expect("frames") {
                let ServerFrame { opcode, payload, frame_bytes } = frame;
                let taken = (opcode, payload.to_vec());
                self.bytes.drain(..frame_bytes);
                return Some(taken);
            }
            if !self.read(PATIENCE).unwrap_or(false) {
                return None;
            }
        }
    }

    /// Frames up to the end of the connection, and how long that took.
    pub fn frames_to_end(&mut self) -> (Vec<(Opcode, Vec<u8>)>, Duration) {
        let (begin, mut frames) = (Instant::now(), Vec::new());
        while let Some(frame) = self.frame() {
            frames.push(frame);
        }
        (frames, begin.elapsed())
    }

    /// Everything that comes until the connection ends.
    pub fn until_end(&mut self) -> Vec<u8> {
        while self.read(PATIENCE).unwrap_or(false) {}
        std::mem::take(&mut self.bytes)
    }

    /// Takes what comes next; `false` at the end. Errors: a reset.
    ///
    /// Panics: nothing came within `time`.
    pub fn read(&mut self, time: Duration) -> std::io::Result<bool> {
        self.stream.set_read_timeout(Some(time)).expect("not zero");
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.bytes.extend_from_slice(&piece[..count]);
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came within {time:?}")
            }
            Err(e) => Err(e),
        }
    }
}

/// A good upgrade.
pub fn request(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}
