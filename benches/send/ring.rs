//! A bare ring with what can be registered in it or set up for it, one thing at a time.

use std::cell::Cell;
use std::os::fd::RawFd;
use std::rc::Rc;

use io_uring::types::{Fd, Fixed};
use io_uring::{IoUring, cqueue, opcode, squeue};

/// Asks in which way the kernel sent what it should not copy, and its answer
/// (`IORING_SEND_ZC_REPORT_USAGE`, `IORING_NOTIF_USAGE_ZC_COPIED`; linux/io_uring.h).
const REPORT_USAGE: u16 = 1 << 3;
const WAS_COPIED: u32 = 1 << 31;

#[derive(Clone, Copy)]
pub enum Flags {
    /// As the server's ring has them.
    SingleIssuerDeferred,
    CooperativeTaskrun,
    None,
}

#[derive(Clone, Copy)]
pub struct Settings {
    pub chunk: usize,
    pub flags: Flags,
    pub ring_registered: bool,
    pub files_registered: bool,
    pub copies: Copies,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Copies {
    /// `IORING_OP_SEND`.
    Made,
    /// `IORING_OP_SEND_ZC`.
    Avoided,
    /// The same, from a registered buffer.
    AvoidedFromRegistered,
}

pub const USUAL: Settings = Settings {
    chunk: 256,
    flags: Flags::SingleIssuerDeferred,
    ring_registered: false,
    files_registered: false,
    copies: Copies::Made,
};

/// Notifications of sends without copies, and those of them that were copied after all.
#[derive(Default)]
pub struct Usage {
    pub notified: Cell<u64>,
    pub copied: Cell<u64>,
}

pub struct BareRing {
    // Declared before the payload, so that it is closed before that is freed.
    ring: IoUring,
    settings: Settings,
    fds: Vec<RawFd>,
    payload: Vec<u8>,
    pub usage: Rc<Usage>,
}

impl BareRing {
    pub fn new(settings: Settings, fds: &[RawFd], payload_bytes: usize) -> BareRing {
        let mut builder = IoUring::builder();
        builder.setup_submit_all().setup_cqsize(8192).dontfork();
        match settings.flags {
            Flags::SingleIssuerDeferred => {
                builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
            }
            Flags::CooperativeTaskrun => drop(builder.setup_coop_taskrun().setup_taskrun_flag()),
            Flags::None => {}
        }
        let ring = builder.build(1024).expect("io_uring");
        let payload = vec![b'x'; payload_bytes];
        let mut ring = BareRing {
            ring,
            settings,
            fds: fds.to_vec(),
            payload,
            usage: Rc::new(Usage::default()),
        };
        ring.register();
        ring
    }

    fn register(&mut self) {
        let mut submitter = self.ring.submitter();
        if self.settings.ring_registered {
            submitter.register_ring_fd().expect("Linux 5.18 or newer");
        }
        if self.settings.files_registered {
            submitter.register_files(&self.fds).expect("room for so many files");
        }
        if self.settings.copies == Copies::AvoidedFromRegistered {
            let start = self.payload.as_mut_ptr().cast();
            let part = libc::iovec { iov_base: start, iov_len: self.payload.len() };
            // SAFETY: the payload lives, unmoved, until after the ring is closed.
            unsafe { submitter.register_buffers(&[part]) }.expect("memory that may be locked");
        }
    }

    /// Sends the payload to every socket, and returns when it may be changed again.
    pub fn send(&mut self) -> usize {
        let (mut taken, mut unfinished) = (0, 0);
        for first in (0..self.fds.len()).step_by(self.settings.chunk) {
            let end = (first + self.settings.chunk).min(self.fds.len());
            for at in first..end {
                let entry = self.entry(at);
                // SAFETY: the payload is not touched before its sends have ended.
                let pushed = unsafe { self.ring.submission().push(&entry) };
                pushed.expect("a chunk has room in the ring");
            }
            unfinished += end - first;
            self.ring.submit().expect("submits");
            unfinished -= self.reap(&mut taken);
        }
        while unfinished > 0 {
            self.ring.submit_and_wait(1).expect("waits");
            unfinished -= self.reap(&mut taken);
        }
        taken
    }

    fn entry(&self, at: usize) -> squeue::Entry {
        let (start, length) = (self.payload.as_ptr(), self.payload.len() as u32);
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let (fd, file) = (Fd(self.fds[at]), Fixed(at as u32));
        let registered = self.settings.files_registered;
        match self.settings.copies {
            Copies::Made if registered => {
                opcode::Send::new(file, start, length).flags(flags).build()
            }
            Copies::Made => opcode::Send::new(fd, start, length).flags(flags).build(),
            copies => {
                let buffer = (copies == Copies::AvoidedFromRegistered).then_some(0);
                let entry = opcode::SendZc::new(fd, start, length).flags(flags);
                entry.buf_index(buffer).zc_flags(REPORT_USAGE).build()
            }
        }
    }

    /// Takes what completions are there; says how many sends have ended with them.
    fn reap(&mut self, taken: &mut usize) -> usize {
        let mut ended = 0;
        for entry in self.ring.completion() {
            if cqueue::notif(entry.flags()) {
                let usage = &self.usage;
                let was_copied = u64::from(entry.result() as u32 & WAS_COPIED != 0);
                usage.notified.set(usage.notified.get() + 1);
                usage.copied.set(usage.copied.get() + was_copied);
                ended += 1;
                continue;
            }
            *taken += usize::try_from(entry.result()).expect("a drained socket takes it");
            // Of a send without copies, a notification follows.
            ended += usize::from(!cqueue::more(entry.flags()));
        }
        ended
    }
}
