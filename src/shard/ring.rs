//! The socket ring of one shard: every operation on its sockets goes in here, and every completion
//! comes out of [`SocketRing::collect`], whatever call met it.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use bytes::Bytes;
use io_uring::types::{Fd, TimeoutFlags, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use rustc_hash::FxHashMap;

use super::buffers::{self, Buffers};
use super::completion::Operation;
use super::{BufferId, Completion, RingError, Token, probe};
use crate::limits::{
    RECEIVE_BUFFER_BYTES, RECEIVE_BUFFERS, RING_COMPLETIONS, RING_ENTRIES, SENDS_PER_CHUNK,
};
use entered::Entered;

/// Entries into the kernel that may be refused for want of memory before that counts as failure.
const REFUSALS_MAX: u32 = 10_000;

/// Sizes of one ring; the defaults are those of `limits.rs`.
#[derive(Clone, Copy, Debug)]
pub struct RingSettings {
    /// Submissions queued at most before the kernel is entered.
    pub entries: u32,
    pub completions: u32,
    /// Receive buffers: a power of two of at most 32,768.
    pub buffers: u16,
    pub buffer_bytes: u32,
}

impl Default for RingSettings {
    fn default() -> RingSettings {
        RingSettings {
            entries: RING_ENTRIES,
            completions: RING_COMPLETIONS,
            buffers: RECEIVE_BUFFERS,
            buffer_bytes: RECEIVE_BUFFER_BYTES,
        }
    }
}

/// One send of a flush: the bytes `start..end` of the flush's scratch, to `fd`.
#[derive(Clone, Copy, Debug)]
pub struct SendNow {
    pub fd: RawFd,
    pub start: usize,
    pub end: usize,
}

/// The ring. It stays on the thread that made it (`SINGLE_ISSUER`).
///
/// Arm with `accept` and `receive`, then in each turn `collect`. Before the thread sleeps on the
/// eventfd: `arm_bell`, and a `collect` that says that nothing waits; the bell rings with the next
/// completion then. A descriptor is closed only after all its operations have had their last
/// completion.
pub struct SocketRing {
    // Declared before what its operations point to, so that it is closed before that is freed.
    ring: IoUring,
    buffers: Buffers,
    /// Frames of unfinished sends, by the key of the send.
    frames: FxHashMap<u64, Bytes>,
    /// Completions that were met on the way to something else, in order.
    kept: VecDeque<cqueue::Entry>,
    /// The kernel reads a deadline when it takes the entry, thus after `timeout_at` has returned.
    deadline: Box<Timespec>,
    /// The earliest deadline that is armed, in ns of `CLOCK_MONOTONIC`.
    armed_ns: Option<u64>,
    /// All that were ever accepted from: their accepts must end before the ring does.
    listeners: Vec<RawFd>,
    /// The bell of a nap is looked at, once for all naps.
    bell_is_polled: bool,
}

impl SocketRing {
    /// Makes the ring on this thread, and has it signal `eventfd`, which must outlive it.
    pub fn new(settings: RingSettings, eventfd: RawFd) -> Result<SocketRing, RingError> {
        let mut ring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            // Says without a system call whether deferred work waits. Also, the kernel (6.13 on)
            // runs only some of it per call, and signals no eventfd for what it leaves.
            .setup_taskrun_flag()
            // One refused entry must not hold back those queued behind it.
            .setup_submit_all()
            .setup_cqsize(settings.completions)
            .dontfork()
            .build(settings.entries)
            .map_err(|e| probe::explain("the ring's setup", &e))?;
        probe::check(&ring)?;
        let mut buffers = Buffers::new(settings.buffers, settings.buffer_bytes)
            .map_err(|e| probe::explain("the receive buffers", &e))?;
        buffers.register(&ring).map_err(|e| probe::explain("the ring of receive buffers", &e))?;
        ring.submitter()
            .register_eventfd(eventfd)
            .map_err(|e| probe::explain("registering an eventfd", &e))?;
        ring.completion().disable_eventfd();
        Ok(SocketRing {
            ring,
            buffers,
            frames: FxHashMap::default(),
            kept: VecDeque::new(),
            deadline: Box::new(Timespec::new()),
            armed_ns: None,
            listeners: Vec::new(),
            bell_is_polled: false,
        })
    }

    /// Accepts until cancelled. The limit of descriptors in force now holds for all of it
    /// (the kernel notes `RLIMIT_NOFILE` with the entry): raise it before.
    pub fn accept(&mut self, listener: RawFd) {
        self.note_listener(listener);
        let entry = opcode::AcceptMulti::new(Fd(listener)).flags(libc::SOCK_CLOEXEC).build();
        self.push(entry, Operation::Accept.of_listener(listener));
    }

    /// Ends all accepts of all listeners, those that are armed one by one too.
    pub fn cancel_accept(&mut self) {
        for at in 0..self.listeners.len() {
            self.cancel_accept_of(self.listeners[at]);
        }
    }

    /// Receives into the pool's buffers until it ends; one receive per token at a time.
    pub fn receive(&mut self, token: Token, fd: RawFd) {
        let entry = opcode::RecvMulti::new(Fd(fd), buffers::GROUP).build();
        self.push(entry, Operation::Receive.key(token));
    }

    /// The receive still ends by a completion of its own, which may be another than `Cancelled`.
    pub fn cancel_receive(&mut self, token: Token) {
        self.cancel(Operation::Receive.key(token));
    }

    /// Sends what of `frame` the socket takes, as soon as it takes any; one such send per token at
    /// a time. The ring keeps `frame` until the completion, whose result may be less than all.
    pub fn send_rest(&mut self, token: Token, fd: RawFd, frame: Bytes) {
        let key = Operation::SendRest.key(token);
        let length = u32::try_from(frame.len()).expect("a frame is shorter than 4 GiB");
        let entry =
            opcode::Send::new(Fd(fd), frame.as_ptr(), length).flags(libc::MSG_NOSIGNAL).build();
        let earlier = self.frames.insert(key, frame);
        assert!(earlier.is_none(), "one unfinished send per connection: {token:?}");
        self.push(entry, key);
    }

    pub fn cancel_send(&mut self, token: Token) {
        self.cancel(Operation::SendRest.key(token));
    }

    /// Sends to each of `sends` what its socket takes at once. All are submitted by one call and
    /// have completed when this returns. `results[i]` is the bytes taken, or a negative errno
    /// (`-EAGAIN`: none). At most [`SENDS_PER_CHUNK`], and not more than the ring has entries.
    pub fn send_now(&mut self, sends: &[SendNow], bytes: &[u8], results: &mut Vec<i32>) {
        assert!(sends.len() <= SENDS_PER_CHUNK, "a flush is cut into chunks");
        self.make_room(sends.len());
        results.clear();
        results.resize(sends.len(), 0);
        let mut queue = self.ring.submission();
        for (index, send) in sends.iter().enumerate() {
            let part = &bytes[send.start..send.end];
            let entry = opcode::Send::new(Fd(send.fd), part.as_ptr(), part.len() as u32)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .build();
            let key = Operation::SendNow.key(Token { slot: index as u32, generation: 0 });
            // SAFETY: `bytes` are borrowed until all have completed.
            unsafe { queue.push(&entry.user_data(key)) }.expect("room was made for all");
        }
        drop(queue);
        self.complete_all(results);
    }

    /// Has the eventfd ring with the next completion. To be called before the last `collect`.
    pub fn arm_bell(&mut self) {
        self.ring.completion().enable_eventfd();
        // Pairs with the kernel, which queues work first and looks at the switch then: either it
        // rings, or the caller's `collect` sees the work.
        fence(Ordering::SeqCst);
    }

    /// The thread is awake and looks at its completions anyway: rings would only wake it, when it
    /// sleeps next, to find nothing.
    pub fn silence_bell(&mut self) {
        self.ring.completion().disable_eventfd();
    }

    /// Arms a deadline, in ns of `CLOCK_MONOTONIC`. Only the earliest one stays armed, so after a
    /// [`Completion::Timeout`] the caller looks at its timers and arms the next.
    pub fn timeout_at(&mut self, deadline_ns: u64) {
        if self.armed_ns.is_some_and(|armed| armed <= deadline_ns) {
            return;
        }
        *self.deadline = Timespec::from(Duration::from_nanos(deadline_ns));
        let key = Operation::Timeout.alone();
        let at: *const Timespec = &*self.deadline;
        match self.armed_ns.replace(deadline_ns) {
            None => {
                let entry = opcode::Timeout::new(at).flags(TimeoutFlags::ABS).build();
                self.push(entry, key);
            }
            // Where the armed one fires meanwhile, its completion makes the caller look again.
            Some(_) => {
                let entry = opcode::TimeoutUpdate::new(key, at).flags(TimeoutFlags::ABS).build();
                self.push(entry, Operation::Silent.alone());
            }
        }
    }

    /// Submits what is queued, runs deferred work and appends at most `max` completions. Says
    /// whether more wait; while they do, the eventfd need not ring again.
    pub fn collect(&mut self, max: usize, out: &mut Vec<Completion>) -> bool {
        let full = out.len() + max;
        if self.kernel_waits() {
            self.enter(EnterFlags::GETEVENTS);
        }
        loop {
            if !self.any_came() && (!self.kernel_waits() || !self.enter_again()) {
                return self.is_short();
            }
            if out.len() == full {
                return true;
            }
            let entry = self.kept.pop_front().or_else(|| self.ring.completion().next());
            out.extend(entry.and_then(|entry| self.translate(&entry)));
        }
    }

    /// The bytes received into `buffer`.
    pub fn buffer(&self, buffer: &BufferId) -> &[u8] {
        self.buffers.bytes(buffer)
    }

    pub fn give_back(&mut self, buffer: BufferId) {
        self.buffers.give_back(buffer);
    }

    /// Receive buffers that are neither lent out nor filled.
    pub fn free_buffers(&self) -> usize {
        self.buffers.free_count()
    }

    fn cancel(&mut self, key: u64) {
        self.push(opcode::AsyncCancel::new(key).build(), Operation::Silent.alone());
    }

    /// Queues an entry; where the queue is full, what is in it is submitted first.
    fn push(&mut self, entry: squeue::Entry, key: u64) {
        self.make_room(1);
        let entry = entry.user_data(key);
        // SAFETY: what an entry points to outlives its operation: it is kept in `self`.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("room was made for it");
    }

    /// Submits until `count` entries find room.
    fn make_room(&mut self, count: usize) {
        for _ in 0..REFUSALS_MAX {
            let submission = self.ring.submission();
            if submission.capacity() - submission.len() >= count {
                return;
            }
            drop(submission);
            if !self.enter(EnterFlags::empty()) {
                // The kernel may want its completions taken first.
                self.enter(EnterFlags::GETEVENTS);
                self.kept.extend(self.ring.completion());
            }
        }
        panic!("the ring has no room for {count} entries, or the kernel no memory for requests");
    }

    /// Submits what is queued. False where the kernel lacked memory or room: what it did not take
    /// stays queued.
    fn enter(&mut self, flags: EnterFlags) -> bool {
        loop {
            let queued = self.submissions_waiting();
            // SAFETY: `queued` entries are initialised and valid, see `push`; no argument is
            // passed.
            let entered = unsafe {
                self.ring.submitter().enter::<libc::sigset_t>(queued, 0, flags.bits(), None)
            };
            match Entered::of(entered) {
                Entered::Done => return true,
                Entered::Interrupted => {}
                Entered::Short => return false,
            }
        }
    }

    fn submissions_waiting(&mut self) -> u32 {
        self.ring.submission().len() as u32
    }

    /// Enters the kernel until every send of the chunk has its result. It completes them while it
    /// takes them, so a second time comes only where it was short of memory or of completions.
    fn complete_all(&mut self, results: &mut [i32]) {
        let mut missing = results.len();
        for _ in 0..REFUSALS_MAX {
            self.enter(EnterFlags::empty());
            missing -= self.take_results(results);
            if missing == 0 {
                return;
            }
            self.enter(EnterFlags::GETEVENTS);
            missing -= self.take_results(results);
        }
        panic!("the kernel has no memory for requests");
    }

    /// Notes the results of `send_now` and keeps the rest; says how many it noted.
    fn take_results(&mut self, results: &mut [i32]) -> usize {
        let mut count = 0;
        for entry in self.ring.completion() {
            match Operation::parse(entry.user_data()) {
                (Operation::SendNow, Token { slot, .. }) => {
                    results[slot as usize] = entry.result();
                    count += 1;
                }
                _ => self.kept.push_back(entry),
            }
        }
        count
    }

    fn translate(&mut self, entry: &cqueue::Entry) -> Option<Completion> {
        let (operation, token) = Operation::parse(entry.user_data());
        match operation {
            Operation::Accept => Some(Completion::of_accept(token.slot as RawFd, entry)),
            Operation::AcceptOne => Some(Completion::of_single_accept(token.slot as RawFd, entry)),
            Operation::ReceiveRefused => {
                Some(Completion::of_refused(token, entry, &mut self.buffers))
            }
            Operation::Receive => Some(Completion::of_receive(token, entry, &mut self.buffers)),
            Operation::SendRest => {
                self.frames.remove(&entry.user_data());
                let result = usize::try_from(entry.result()).map_err(|_| -entry.result());
                Some(Completion::Sent { token, result })
            }
            Operation::Timeout => {
                self.armed_ns = None;
                Some(Completion::Timeout)
            }
            Operation::Silent => None,
            Operation::NapBell => {
                self.bell_is_polled = cqueue::more(entry.flags());
                None
            }
            Operation::SendNow => unreachable!("send_now takes all its results itself"),
        }
    }
}

impl Drop for SocketRing {
    /// Ends what would leak or read freed memory: accepts, whose descriptors are closed here,
    /// unfinished sends, and the kernel's use of the buffers. Receives and the deadline end with
    /// the ring's descriptor, in the kernel's own time (a synchronous cancel of everything takes
    /// time in the square of its number: 125 ms for 5,000).
    fn drop(&mut self) {
        self.cancel_accept();
        let sends: Vec<u64> = self.frames.keys().copied().collect();
        sends.into_iter().for_each(|key| self.cancel(key));
        let mut out = Vec::new();
        for _ in 0..REFUSALS_MAX {
            if !self.collect(SENDS_PER_CHUNK, &mut out) {
                break;
            }
            out.clear();
        }
        // Operations run on this thread only, inside a call: from here on none finds a buffer.
        let unregistered = self.ring.submitter().unregister_buf_ring(buffers::GROUP);
        unregistered.expect("the group was registered when the ring was made");
        // A send that the kernel still holds keeps its bytes: a leak, instead of worse.
        self.frames.drain().for_each(|(_, frame)| std::mem::forget(frame));
    }
}

mod deferred;
mod entered;
mod nap;
mod single;
#[cfg(test)]
mod tests;
