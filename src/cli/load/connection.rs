//! One connection of a load run: dialled, upgraded, read and checked, closed.
//!
//! It owns a socket and the little that must outlive a turn: the start of a frame whose end has
//! not come, bytes that the socket did not take, and the state of its check.

use super::check::{Ledger, Origin, StreamCheck};
use super::dialect::Form;
use super::findings::Violation;
use super::frame_cache::FrameCache;
use super::interest::OwnSymbols;
use super::last_reader::LastReader;
use super::tally::Tally;
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::wire::client::{
    Opcode, ServerFrame, Upgrade, UpgradeError, next_frame, parse_close, write_frame,
};
use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};
use std::ops::Range;

/// The buffer that all connections read into. It holds a flush of any sensible size, so that one
/// call takes all that a socket has.
pub const READ_BYTES: usize = 256 * 1024;

/// Largest payload that is taken. Servers other than ours may send larger frames than ours does.
const PAYLOAD_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX * 4;

/// Full reads of one connection in one turn, after which the others have theirs.
const READS_MAX: usize = 16;

/// What a slow reader takes at once, and how often: some 10 KB a second.
const SIP_BYTES: usize = 1024;
pub const SIPS_PER_SECOND: f64 = 10.0;

const _: () = assert!(
    PAYLOAD_BYTES_MAX * 2 <= READ_BYTES,
    "the start of a frame is put before the next read, which must have room for the rest"
);

/// What all connections read through.
pub struct Sink {
    buffer: Box<[u8]>,
    pub cache: FrameCache,
    form: Form,
    pub ledger: Ledger,
    /// Of those that read all at once, and of the slow ones.
    pub reading: Tally,
    pub slow: Tally,
    pub last_reader: LastReader,
    /// Whether the counting window is open.
    pub is_counting: bool,
    /// Monotonic ns of the run, set once a turn: good enough to order subscriptions. Latencies
    /// are not taken from it, but from the clock, after each read.
    pub now_ns: u64,
    rng: fastrand::Rng,
}

pub struct Connection {
    number: usize,
    pub class: Class,
    stream: TcpStream,
    stage: Stage,
    /// Start of a frame, or of the upgrade's answer; no allocation while there is none.
    tail: Vec<u8>,
    unsent: Vec<u8>,
    check: StreamCheck,
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

impl Sink {
    pub fn new(form: Form, last_reader: LastReader, ledger: Ledger) -> Sink {
        Sink {
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            cache: FrameCache::new(form),
            form,
            ledger,
            reading: Tally::new(),
            slow: Tally::new(),
            last_reader,
            is_counting: false,
            now_ns: 0,
            rng: fastrand::Rng::new(),
        }
    }

    /// Where a connection of this class counts, if it does now.
    #[inline]
    fn tally(&mut self, class: Class) -> Option<&mut Tally> {
        match class {
            Class::Reading if self.is_counting => Some(&mut self.reading),
            Class::Slow if self.is_counting => Some(&mut self.slow),
            _ => None,
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
            class: Class::Reading,
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
            Stage::Dialling(_) | Stage::Upgrading(_) => {
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
        }
        if self.is_leaving() {
            return Ok(filled);
        }
        let now_us = unix_us();
        if let Some(tally) = sink.tally(self.class) {
            tally.read_count += 1;
        }
        loop {
            let frame = match next_frame(&sink.buffer[used..filled], PAYLOAD_BYTES_MAX) {
                Ok(None) => return Ok(used),
                Ok(Some(frame)) => frame,
                Err(error) => {
                    let findings = &mut sink.ledger.findings;
                    findings.report(Violation::Frame, self.number, error.to_string());
                    return Err(Ending::Failed("a violation of RFC 6455".to_string()));
                }
            };
            let ServerFrame { opcode, payload, frame_bytes } = frame;
            let payload = used + frame_bytes - payload.len()..used + frame_bytes;
            used += frame_bytes;
            if opcode == sink.form.opcode() {
                if let Some(tally) = sink.tally(self.class) {
                    tally.frame(frame_bytes);
                }
                self.take_events(payload, now_us, sink);
            } else {
                let payload = sink.buffer[payload].to_vec();
                self.take_other(opcode, &payload, sink)?;
            }
        }
    }

    /// Checks one message of the buffer, and counts it where it counts.
    #[inline]
    fn take_events(&mut self, payload: Range<usize>, now_us: i64, sink: &mut Sink) {
        let Sink { buffer, cache, ledger, reading, slow, last_reader, now_ns, .. } = sink;
        let digest = cache.digest(&buffer[payload], &mut ledger.symbols);
        let origin = Origin { connection: self.number, asked_ns: self.dialled_ns, now_ns: *now_ns };
        let missing_before = ledger.findings.missing_count();
        self.check.apply(digest, origin, ledger);
        let tally = match self.class {
            _ if !sink.is_counting => return,
            Class::Reading => reading,
            Class::Slow => slow,
            Class::Stalled | Class::Passing => return,
        };
        tally.items(digest, now_us);
        tally.missing_count += ledger.findings.missing_count() - missing_before;
        if self.class == Class::Reading {
            last_reader.frame(digest, &ledger.interest, now_us);
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
            Opcode::Pong => Ok(()),
            Opcode::Text | Opcode::Binary => {
                let why = format!("a {opcode:?} frame came, which was not asked for");
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
        if !matches!(self.stage, Stage::Open) || !self.reads_when_ready() {
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
