//! The sends of a flush: a loop of send(2), or a ring that is given 256 of them with each call.

use std::io;
use std::os::fd::RawFd;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use crate::audience::Member;

/// Sends that go out together.
const CHUNK: usize = 256;

/// Bytes that are kept for sends to come, at most; then everything is sent first.
const BYTES_MAX: usize = 1 << 20;

const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

pub enum Way {
    Send,
    Ring(Box<IoUring>),
}

pub struct Outbox {
    way: Way,
    /// What the sends below point into.
    pub bytes: Vec<u8>,
    sends: Vec<Send>,
    /// What each send gave: bytes, or a negative error number.
    results: Vec<i32>,
    /// Sends that were not taken whole, since somebody asked.
    pub short: Vec<Short>,
}

struct Send {
    to: Member,
    start: usize,
    end: usize,
}

pub struct Short {
    pub slot: u32,
    /// What the socket has not taken; `None`: the connection is broken.
    pub rest: Option<Vec<u8>>,
}

impl Way {
    pub fn ring() -> io::Result<Way> {
        let entries = CHUNK as u32;
        let ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(entries)?;
        Ok(Way::Ring(Box::new(ring)))
    }
}

impl Outbox {
    pub fn new(way: Way) -> Outbox {
        let (bytes, sends, results, short) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Outbox { way, bytes, sends, results, short }
    }

    /// Sends what was appended to `bytes` from `start` on to each of `members`, now or later. The
    /// bytes stay until `finish`.
    pub fn send_same(&mut self, start: usize, members: &[Member]) {
        let end = self.bytes.len();
        for to in members {
            self.sends.push(Send { to: *to, start, end });
            if self.sends.len() == CHUNK {
                self.dispatch();
            }
        }
    }

    /// The same; the bytes are those of these members alone.
    pub fn send(&mut self, start: usize, members: &[Member]) {
        self.send_same(start, members);
        if self.bytes.len() >= BYTES_MAX {
            self.finish();
        }
    }

    /// Sends all that waits.
    pub fn finish(&mut self) {
        self.dispatch();
        self.bytes.clear();
    }

    fn dispatch(&mut self) {
        self.results.clear();
        match &mut self.way {
            Way::Send => {
                let bytes = &self.bytes;
                let send = |send: &Send| send_plainly(send.to.fd, &bytes[send.start..send.end]);
                self.results.extend(self.sends.iter().map(send));
            }
            Way::Ring(ring) => send_batched(ring, &self.sends, &self.bytes, &mut self.results),
        }
        for (send, result) in self.sends.iter().zip(&self.results) {
            let taken = match usize::try_from(*result) {
                Ok(taken) if taken == send.end - send.start => continue,
                Ok(taken) => Some(taken),
                Err(_) if -*result == libc::EAGAIN => Some(0),
                Err(_) => None,
            };
            let rest = taken.map(|taken| self.bytes[send.start + taken..send.end].to_vec());
            self.short.push(Short { slot: send.to.slot, rest });
        }
        self.sends.clear();
    }
}

fn send_plainly(fd: RawFd, bytes: &[u8]) -> i32 {
    // SAFETY: the bytes are valid for their length.
    let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), FLAGS) };
    let error = || -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    if sent < 0 { error() } else { sent as i32 }
}

fn send_batched(ring: &mut IoUring, sends: &[Send], bytes: &[u8], results: &mut Vec<i32>) {
    results.resize(sends.len(), 0);
    for (index, send) in sends.iter().enumerate() {
        let bytes = &bytes[send.start..send.end];
        let length = u32::try_from(bytes.len()).expect("a flush is shorter than 4 GiB");
        let entry = opcode::Send::new(Fd(send.to.fd), bytes.as_ptr(), length).flags(FLAGS).build();
        // SAFETY: the bytes are borrowed until all sends have completed, which is awaited below.
        let pushed = unsafe { ring.submission().push(&entry.user_data(index as u64)) };
        pushed.expect("the queue has room for a chunk");
    }
    let mut awaited = sends.len();
    while awaited > 0 {
        match ring.submit_and_wait(awaited) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => panic!("the kernel refuses the ring: {error}"),
        }
        for completion in ring.completion() {
            results[completion.user_data() as usize] = completion.result();
            awaited -= 1;
        }
    }
}
