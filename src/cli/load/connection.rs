//! One connection of a load run: dialled, upgraded, read and checked, closed.
//!
//! It owns a socket and the little that must outlive a turn: the start of a frame whose end has
//! not come, bytes that the socket did not take, and the state of its check.

use super::ask::Request;
use super::check::StreamCheck;
use super::dialect::{Joined, NatsStream, Operation, next_operation};
use super::findings::Violation;
use super::interest::OwnSymbols;
use super::sink::{Books, READ_BYTES, Reader, Sink, unix_us};
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::wire::client::{Opcode, Upgrade, UpgradeError, next_frame, parse_close, write_frame};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};

/// Largest payload that is taken. Servers other than ours may send larger frames than ours does.
pub const PAYLOAD_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX * 4;

/// Full reads of one connection in one turn, after which the others have theirs.
const READS_MAX: usize = 16;

/// What a slow reader takes at once, and how often: some 10 KB a second.
const SIP_BYTES: usize = 1024;
pub const SIPS_PER_SECOND: f64 = 10.0;

pub struct Connection {
    number: usize,
    pub class: Class,
    stream: TcpStream,
    stage: Stage,
    /// Start of a frame, or of the upgrade's answer; no allocation while there is none.
    tail: Vec<u8>,
    unsent: Vec<u8>,
    check: StreamCheck,
    /// Where the dialect is NATS.
    nats: Option<Box<NatsStream>>,
    pub dialled_ns: u64,
}

/// How a connection reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// All that comes, at once. These are measured.
    Reading,
    /// [`SIP_BYTES`] at a time, [`SIPS_PER_SECOND`]: `--slow`.
    Slow,
    /// Never, after it opened: `--stall`.
    Stalled,
    /// All that comes, until it leaves: `--churn`.
    Passing,
}

enum Stage {
    /// The TCP handshake is under way.
    Dialling(Box<Upgrade>),
    /// The request is sent, the answer is not complete.
    Upgrading(Box<Upgrade>),
    /// Upgraded; the subscriptions are sent and not confirmed. Where the URL has them, they are
    /// confirmed by the upgrade.
    Subscribing,
    Open,
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

impl Connection {
    /// `stream` is nonblocking and its connect has begun.
    pub fn new(number: usize, stream: TcpStream, request: Request, now_ns: u64) -> Connection {
        let Request { upgrade, own, nats } = request;
        Connection {
            number,
            class: Class::Reading,
            stream,
            stage: Stage::Dialling(Box::new(upgrade)),
            tail: Vec::new(),
            unsent: Vec::new(),
            check: StreamCheck::new(own),
            nats: nats.map(Box::new),
            dialled_ns: now_ns,
        }
    }

    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub fn is_opening(&self) -> bool {
        !matches!(self.stage, Stage::Open | Stage::Leaving)
    }

    /// Whether it reads whenever there is something. While it opens, every connection does.
    pub fn reads_when_ready(&self) -> bool {
        !matches!(self.class, Class::Slow | Class::Stalled)
    }

    pub fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving)
    }

    /// Its class, from when it is open.
    pub fn settle(&mut self, class: Class) {
        self.class = class;
        if class == Class::Stalled {
            self.tail = Vec::new();
        }
    }

    pub fn own(&self) -> Option<&OwnSymbols> {
        self.check.own()
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
        if let Stage::Dialling(_) = self.stage {
            return Step::Waits;
        }
        for _ in 0..READS_MAX {
            match self.read_once(READ_BYTES, sink) {
                Ok(true) => {}
                Ok(false) if is_ended => {}
                Ok(false) => return Step::Waits,
                Err(step) => return step,
            }
        }
        Step::More
    }

    /// A slow reader takes a little, whether its socket is ready or not.
    pub fn sip(&mut self, sink: &mut Sink) -> Step {
        self.read_once(SIP_BYTES, sink).map_or_else(|step| step, |_| Step::Waits)
    }

    /// One read of at most so many bytes; whether it was filled, so that more may be there.
    fn read_once(&mut self, bytes_max: usize, sink: &mut Sink) -> Result<bool, Step> {
        loop {
            let start = self.tail.len();
            let end = sink.buffer.len().min(start + bytes_max);
            sink.buffer[..start].copy_from_slice(&self.tail);
            let filled = match self.stream.read(&mut sink.buffer[start..end]) {
                Ok(0) => return Err(self.end_of_stream()),
                Ok(read) => start + read,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Err(Step::Waits),
                Err(_) if self.is_leaving() => return Err(Step::Ended(Ending::Left)),
                Err(error) => return Err(failed("read", &error)),
            };
            let used = self.take(filled, sink).map_err(Step::Ended)?;
            self.tail = sink.buffer[used..filled].to_vec();
            return Ok(filled == end);
        }
    }

    fn end_of_stream(&self) -> Step {
        Step::Ended(match self.stage {
            Stage::Leaving => Ending::Left,
            Stage::Dialling(_) | Stage::Upgrading(_) | Stage::Subscribing => {
                Ending::Failed("upgrade: the server ended the connection".to_string())
            }
            Stage::Open => Ending::Closed(1006),
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
            if let Some(stream) = &mut self.nats {
                let hello = stream.take_hello();
                self.stage = Stage::Subscribing;
                self.send(Opcode::Binary, &hello, &mut sink.books)?;
            }
        }
        if self.is_leaving() {
            return Ok(filled);
        }
        let reader = Reader {
            number: self.number,
            class: self.class,
            asked_ns: self.dialled_ns,
            now_us: unix_us(),
        };
        if let Some(tally) = sink.books.tally(self.class) {
            tally.read_count += 1;
        }
        match &self.nats {
            None => self.take_messages(used, filled, reader, sink),
            Some(_) => self.take_nats(used, filled, reader, sink),
        }
    }

    fn take_messages(
        &mut self,
        mut used: usize,
        filled: usize,
        reader: Reader,
        sink: &mut Sink,
    ) -> Result<usize, Ending> {
        let Sink { buffer, books, .. } = sink;
        loop {
            let frame = match next_frame(&buffer[used..filled], PAYLOAD_BYTES_MAX) {
                Ok(None) => return Ok(used),
                Ok(Some(frame)) => frame,
                Err(error) => return Err(self.broken(&error.to_string(), books)),
            };
            used += frame.frame_bytes;
            if frame.opcode != books.form.opcode() {
                self.take_other(frame.opcode, frame.payload, books)?;
                continue;
            }
            if let Some(tally) = books.tally(self.class) {
                tally.frame(frame.frame_bytes);
            }
            books.take_events(frame.payload, reader, &mut self.check);
        }
    }

    /// Frames carry pieces of a stream of operations, some of which are messages.
    fn take_nats(
        &mut self,
        mut used: usize,
        filled: usize,
        reader: Reader,
        sink: &mut Sink,
    ) -> Result<usize, Ending> {
        let Sink { buffer, joined, books } = sink;
        let mut stream = self.nats.take().expect("the caller saw it");
        joined.clear();
        loop {
            match stream.join(&buffer[used..filled], joined) {
                Err(error) => return Err(self.broken(&error.to_string(), books)),
                Ok((joined_bytes, joined)) => {
                    used += joined_bytes;
                    match joined {
                        Joined::Incomplete => break,
                        Joined::Data(frame_bytes) => {
                            if let Some(tally) = books.tally(self.class) {
                                tally.frame(frame_bytes);
                            }
                        }
                        Joined::Control(opcode, payload) => {
                            self.take_other(opcode, payload, books)?;
                        }
                    }
                }
            }
        }
        let mut at = 0;
        loop {
            match next_operation(&joined[at..]) {
                Ok(None) => break,
                Err(why) => return Err(self.broken(&why, books)),
                Ok(Some((operation, bytes))) => {
                    at += bytes;
                    match operation {
                        Operation::Message(payload) => {
                            books.take_events(payload, reader, &mut self.check);
                        }
                        Operation::Ping => self.send(Opcode::Binary, b"PONG\r\n", books)?,
                        Operation::Pong => self.stage = Stage::Open,
                        Operation::Other => {}
                        Operation::Error(why) => {
                            return Err(Ending::Failed(format!("nats: {why}")));
                        }
                    }
                }
            }
        }
        stream.keep(&joined[at..]);
        self.nats = Some(stream);
        Ok(used)
    }

    fn broken(&self, why: &str, books: &mut Books) -> Ending {
        books.ledger.findings.report(Violation::Frame, self.number, why.to_string());
        Ending::Failed("bytes that are no frame of the protocol".to_string())
    }

    fn take_other(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        books: &mut Books,
    ) -> Result<(), Ending> {
        match opcode {
            Opcode::Ping => self.send(Opcode::Pong, payload, books),
            Opcode::Pong => Ok(()),
            Opcode::Text | Opcode::Binary => {
                let why = format!("a {opcode:?} frame came, which was not asked for");
                books.ledger.findings.report(Violation::Format, self.number, why);
                Ok(())
            }
            Opcode::Close => {
                // The answer is a courtesy; the code is what counts.
                let _ = self.send(Opcode::Close, &payload[..payload.len().min(2)], books);
                Err(Ending::Closed(parse_close(payload).0))
            }
        }
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8], books: &mut Books) -> Result<(), Ending> {
        let mask = books.mask();
        write_frame(&mut self.unsent, opcode, payload, mask);
        match self.flush() {
            Step::Ended(ending) => Err(ending),
            _ => Ok(()),
        }
    }

    /// Sends our Close, code 1000. `false`: nothing is left to wait for.
    pub fn leave(&mut self, sink: &mut Sink) -> bool {
        if !matches!(self.stage, Stage::Open) || !self.reads_when_ready() {
            return false;
        }
        self.stage = Stage::Leaving;
        self.tail = Vec::new();
        self.send(Opcode::Close, &1000_u16.to_be_bytes(), &mut sink.books).is_ok()
    }
}

fn failed(doing: &str, error: &std::io::Error) -> Step {
    Step::Ended(Ending::Failed(format!("{doing}: {error}")))
}
