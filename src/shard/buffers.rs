//! Receive buffers that the kernel picks from: an idle connection holds none.
//!
//! The ring of buffers is `IORING_REGISTER_PBUF_RING` (io_uring_register_buf_ring(3)): an array
//! of entries shared with the kernel, whose tail lies in the unused last field of entry 0.

use io_uring::{IoUring, types::BufRingEntry};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The only group of the ring.
pub(super) const GROUP: u16 = 0;

/// The most buffers that the kernel takes in one group.
const COUNT_MAX: u16 = 1 << 15;

/// Received bytes that are lent to the shard. Not `Clone`, so that they are given back once; a
/// dropped one is lost to the pool until the ring ends.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a buffer that is not given back is lost to the pool"]
pub struct BufferId {
    id: u16,
    length: u32,
}

impl BufferId {
    /// Bytes received.
    pub fn length(&self) -> usize {
        self.length as usize
    }
}

/// The memory of ring and buffers: one anonymous mapping, so that the ring begins on a page, as the
/// kernel wants it. The kernel uses the buffers in turn, so that all of it is soon resident
/// whatever the load: it is taken at the start, and no turn meets its page faults.
pub(super) struct Buffers {
    memory: NonNull<u8>,
    mapped_bytes: usize,
    /// Where the buffers begin in `memory`.
    offset: usize,
    count: u16,
    buffer_bytes: u32,
    tail: u16,
    /// By id: lent to the shard. What is lent the kernel does not write to.
    lent: Vec<bool>,
}

impl Buffers {
    /// `count` must be a power of two of at most 32,768, and `buffer_bytes` not zero.
    pub(super) fn new(count: u16, buffer_bytes: u32) -> io::Result<Buffers> {
        if !count.is_power_of_two() || count > COUNT_MAX || buffer_bytes == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let offset = (count as usize * size_of::<BufRingEntry>()).next_multiple_of(4096);
        let mapped_bytes = offset + count as usize * buffer_bytes as usize;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: a new anonymous mapping overlaps nothing, and its length is not zero.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), mapped_bytes, access, kind, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).expect("mmap never returns null without a hint");
        let lent = vec![true; count as usize];
        Ok(Buffers { memory, mapped_bytes, offset, count, buffer_bytes, tail: 0, lent })
    }

    /// Registers the group and offers every buffer. The ring must be closed before `self` drops.
    pub(super) fn register(&mut self, ring: &IoUring) -> io::Result<()> {
        let address = self.memory.as_ptr() as u64;
        // SAFETY: `memory` holds `count` entries from its first byte, page-aligned and zeroed,
        // and outlives the ring, as this function asks.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(address, self.count, GROUP, 0)?;
        }
        (0..self.count).for_each(|id| self.offer(id));
        Ok(())
    }

    /// A completion says that the kernel has put `length` bytes into buffer `id`.
    pub(super) fn lend(&mut self, id: u16, length: u32) -> BufferId {
        debug_assert!(!self.lent[id as usize], "the kernel lends a buffer once");
        self.lent[id as usize] = true;
        BufferId { id, length: length.min(self.buffer_bytes) }
    }

    pub(super) fn bytes(&self, buffer: &BufferId) -> &[u8] {
        assert!(self.lent[buffer.id as usize], "a buffer is read in the ring that it came from");
        // SAFETY: the range lies within the mapping, which was zeroed at first, and the kernel
        // does not write to a buffer that is not on offer; `offer` needs `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start(buffer.id), buffer.length()) }
    }

    pub(super) fn buffer_bytes(&self) -> u32 {
        self.buffer_bytes
    }

    pub(super) fn give_back(&mut self, buffer: BufferId) {
        self.offer(buffer.id);
    }

    /// Buffers that are on offer to the kernel.
    pub(super) fn free_count(&self) -> usize {
        self.lent.iter().filter(|lent| !**lent).count()
    }

    fn start(&self, id: u16) -> *mut u8 {
        assert!(id < self.count, "buffer ids come from the ring that made them");
        // SAFETY: `id` is below `count`, so the result lies within the mapping.
        unsafe { self.memory.as_ptr().add(self.offset + id as usize * self.buffer_bytes as usize) }
    }

    fn offer(&mut self, id: u16) {
        assert!(std::mem::replace(&mut self.lent[id as usize], false), "offered while on offer");
        let start = self.start(id);
        let at = (self.tail & (self.count - 1)) as usize;
        let first = self.memory.as_ptr().cast::<BufRingEntry>();
        // SAFETY: `at` is below `count`; the kernel reads an entry only once the tail is past it.
        let entry = unsafe { &mut *first.add(at) };
        entry.set_addr(start as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is an aligned u16 in entry 0, written by this thread only; its users
        // on both sides treat it as atomic.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(first).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `new`; the ring that knew it is closed.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.mapped_bytes) };
    }
}
