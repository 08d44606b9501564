//! One connection of a load run: dialled, upgraded, read and checked, closed.
//!
//! It owns a socket and the little that must outlive a turn: the start of a frame whose end has
//! not come, bytes that the socket did not take, and the state of its check.

use super::check::{Ledger, Origin, StreamCheck};
use super::dialect::Form;
use super::findings::Violation;
use super::frame_cache::FrameCache;
use super::interest::OwnSymbols;
use super::tally::Tally;
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::wire::client::{
    Opcode, ServerFrame, Upgrade, UpgradeError, next_frame, parse_close, write_frame,
};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};

/// The buffer that all connections read into. It holds a flush of any sensible size, so that one
/// call takes all that a socket has.
pub const READ_BYTES: usize = 256 * 1024;

/// Largest payload that is taken. Servers other than ours may send larger frames than ours does.
const PAYLOAD_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX * 4;

/// Full reads of one connection in one turn, after which the others have theirs.
const READS_MAX: usize = 16;

const _: () = assert!(
    PAYLOAD_BYTES_MAX * 2 <= READ_BYTES,
    "the start of a frame is put before the next read, which must have room for the rest"
);

/// What all connections read through.
pub struct Sink {
    buffer: Box<[u8]>,
    pub cache: FrameCache,
    pub ledger: Ledger,
    pub tally: Tally,
    /// Whether the counting window is open.
    pub is_counting: bool,
    /// Monotonic ns of the run, set once a turn: good enough to order subscriptions.
    pub now_ns: u64,
    rng: fastrand::Rng,
}

pub struct Connection {
    number: usize,
    stream: TcpStream,
    stage: Stage,
    /// Start of a frame, or of the upgrade's answer; no allocation while there is none.
    tail: Vec<u8>,
    unsent: Vec<u8>,
    check: StreamCheck,
    pub dialled_ns: u64,
}

enum Stage {
    /// The TCP handshake is under way.
    Dialling(Box<Upgrade>),
    /// The request is sent, the answer is not complete.
    Upgrading(Box<Upgrade>),
    Open,
    /// Open, and never read again: `--stall`.
    Stalled,
    /// Our Close was sent; what still comes is not read any more than to find the end.
    Leaving,
}

/// What a turn of a connection came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing more until the socket is ready again.
    Waits,
    /// It used up its turn and has more.
    More,
    Ended(Ending),
}

/// How a connection ended, as the report counts it.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// The upgrade was answered with this HTTP status.
    Refused(u16),
    /// The server's Close had this code; 1005: none.
    Closed(u16),
    /// It broke; the text says where, and is one of few.
    Failed(String),
    /// After our own Close.
    Left,
}

impl Sink {
    pub fn new(form: Form, ledger: Ledger) -> Sink {
        Sink {
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            cache: FrameCache::new(form),
            ledger,
            tally: Tally::new(),
            is_counting: false,
            now_ns: 0,
            rng: fastrand::Rng::new(),
        }
    }

    fn mask(&mut self) -> [u8; 4] {
        self.rng.u32(..).to_ne_bytes()
    }
}

impl Connection {
    /// `stream` is nonblocking and its connect has begun.
    pub fn new(
        number: usize,
        stream: TcpStream,
        upgrade: Upgrade,
        own: Option<OwnSymbols>,
        now_ns: u64,
    ) -> Connection {
        Connection {
            number,
            stream,
            stage: Stage::Dialling(Box::new(upgrade)),
            tail: Vec::new(),
            unsent: Vec::new(),
            check: StreamCheck::new(own),
            dialled_ns: now_ns,
        }
    }

    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Dialling(_) | Stage::Upgrading(_))
    }

    pub fn is_stalled(&self) -> bool {
        matches!(self.stage, Stage::Stalled)
    }

    pub fn stall(&mut self) {
        self.stage = Stage::Stalled;
        self.tail = Vec::new();
    }

    /// The socket may be written: the request goes out, or what was left over.
    pub fn write_ready(&mut self) -> Step {
        if let Stage::Dialling(upgrade) = &mut self.stage {
            match self.stream.take_error() {
                Ok(None) => {}
                Ok(Some(error)) | Err(error) => return failed("connect", &error),
            }
            match self.stream.peer_addr() {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::NotConnected => return Step::Waits,
                Err(error) => return failed("connect", &error),
            }
            self.unsent = std::mem::take(&mut upgrade.request);
            self.stage = Stage::Upgrading(upgrade.clone());
        }
        self.flush()
    }

    fn flush(&mut self) -> Step {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(error) => return failed("write", &error),
            }
        }
        self.unsent = Vec::new();
        Step::Waits
    }

    /// The socket may be read. `is_ended` says that its end is known to be in the queue, so that a
    /// read that took less than asked must be followed by another (epoll(7), question 9).
    pub fn read_ready(&mut self, is_ended: bool, sink: &mut Sink) -> Step {
        if let Stage::Dialling(_) | Stage::Stalled = self.stage {
            return Step::Waits;
        }
        for _ in 0..READS_MAX {
            let start = self.tail.len();
            sink.buffer[..start].copy_from_slice(&self.tail);
            let filled = match self.stream.read(&mut sink.buffer[start..]) {
                Ok(0) => return self.end_of_stream(),
                Ok(read) => start + read,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(_) if matches!(self.stage, Stage::Leaving) => return Step::Ended(Ending::Left),
                Err(error) => return failed("read", &error),
            };
            let used = match self.take(filled, sink) {
                Ok(used) => used,
                Err(ending) => return Step::Ended(ending),
            };
            self.tail = sink.buffer[used..filled].to_vec();
            if filled < sink.buffer.len() && !is_ended {
                return Step::Waits;
            }
        }
        Step::More
    }

    fn end_of_stream(&self) -> Step {
        Step::Ended(match self.stage {
            Stage::Leaving => Ending::Left,
            Stage::Dialling(_) | Stage::Upgrading(_) => {
                Ending::Failed("upgrade: the server ended the connection".to_string())
            }
            Stage::Open | Stage::Stalled => Ending::Closed(1006),
        })
    }

    /// Takes the complete part of the buffer's first `filled` bytes and says how long it is.
    fn take(&mut self, filled: usize, sink: &mut Sink) -> Result<usize, Ending> {
        let mut used = 0;
        if let Stage::Upgrading(upgrade) = &self.stage {
            match upgrade.answer(&sink.buffer[..filled]) {
                Ok(None) => return Ok(0),
                Ok(Some(head_bytes)) => used = head_bytes,
                Err(UpgradeError::Refused(refusal)) => return Err(Ending::Refused(refusal.status)),
                Err(error) => return Err(Ending::Failed(format!("upgrade: {error}"))),
            }
            self.stage = Stage::Open;
        }
        if matches!(self.stage, Stage::Leaving) {
            return Ok(filled);
        }
        let now_us = unix_us();
        loop {
            // The borrow of the buffer ends with the frame, which needs the sink's other parts.
            let Sink { buffer, cache, ledger, tally, is_counting, now_ns, .. } = &mut *sink;
            let frame = match next_frame(&buffer[used..filled], PAYLOAD_BYTES_MAX) {
                Ok(None) => return Ok(used),
                Ok(Some(frame)) => frame,
                Err(error) => {
                    ledger.findings.report(Violation::Frame, self.number, error.to_string());
                    return Err(Ending::Failed("a violation of RFC 6455".to_string()));
                }
            };
            used += frame.frame_bytes;
            if frame.opcode != Opcode::Text {
                let ServerFrame { opcode, payload, .. } = frame;
                let payload = payload.to_vec();
                self.take_other(opcode, &payload, sink)?;
                continue;
            }
            let digest = cache.digest(frame.payload, &mut ledger.symbols);
            let (connection, asked_ns) = (self.number, self.dialled_ns);
            self.check.apply(digest, Origin { connection, asked_ns, now_ns: *now_ns }, ledger);
            if *is_counting {
                tally.frame(digest, frame.frame_bytes, now_us);
            }
        }
    }

    fn take_other(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        sink: &mut Sink,
    ) -> Result<(), Ending> {
        match opcode {
            Opcode::Ping => self.send(Opcode::Pong, payload, sink),
            Opcode::Pong | Opcode::Text => Ok(()),
            Opcode::Binary => {
                let why = "a binary frame came, and JSON was asked for".to_string();
                sink.ledger.findings.report(Violation::Format, self.number, why);
                Ok(())
            }
            Opcode::Close => {
                // The answer is a courtesy; the code is what counts.
                let _ = self.send(Opcode::Close, &payload[..payload.len().min(2)], sink);
                Err(Ending::Closed(parse_close(payload).0))
            }
        }
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8], sink: &mut Sink) -> Result<(), Ending> {
        let mask = sink.mask();
        write_frame(&mut self.unsent, opcode, payload, mask);
        match self.flush() {
            Step::Ended(ending) => Err(ending),
            _ => Ok(()),
        }
    }

    /// Sends our Close, code 1000. `false`: nothing is left to wait for.
    pub fn leave(&mut self, sink: &mut Sink) -> bool {
        if !matches!(self.stage, Stage::Open) {
            return false;
        }
        self.stage = Stage::Leaving;
        self.tail = Vec::new();
        self.send(Opcode::Close, &1000_u16.to_be_bytes(), sink).is_ok()
    }
}

fn failed(doing: &str, error: &std::io::Error) -> Step {
    Step::Ended(Ending::Failed(format!("{doing}: {error}")))
}

/// The system clock, which event times are compared with.
fn unix_us() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_micros() as i64
}
