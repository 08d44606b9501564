//! What is on its way to one client and not yet with the kernel.

use bytes::{Buf, Bytes};

/// Exists only while something is unsent.
///
/// `unfinished` is what the kernel has been asked to take (the shard's ring may hold its address);
/// it is never changed but by progress. Frames of one's own wait behind it.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The rest of a frame that was cut, possibly shared with other sessions of the shard.
    unfinished: Bytes,
    /// Whole frames for this client alone, in order: answers, pongs, heartbeats, Close.
    personal: Vec<u8>,
    /// When the socket last took a byte, or when `unfinished` began.
    pub progress_at_ms: u64,
}

impl Outgoing {
    /// A second handle on the unfinished bytes, for the send that is under way.
    pub fn unfinished(&self) -> Bytes {
        self.unfinished.clone()
    }

    pub fn is_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Keeps the rest of a cut frame.
    pub fn hold(&mut self, rest: Bytes, now_ms: u64) {
        debug_assert!(self.unfinished.is_empty(), "at most one unfinished frame");
        self.unfinished = rest;
        self.progress_at_ms = now_ms;
    }

    /// The socket took `bytes` of the unfinished frame.
    pub fn progress(&mut self, bytes: usize, now_ms: u64) {
        self.unfinished.advance(bytes);
        if bytes > 0 {
            self.progress_at_ms = now_ms;
        }
        if self.unfinished.is_empty() {
            self.unfinished = Bytes::new(); // lets a shared frame go
        }
    }

    pub fn personal(&mut self) -> &mut Vec<u8> {
        &mut self.personal
    }

    pub fn personal_bytes(&self) -> usize {
        self.personal.len()
    }

    pub fn is_empty(&self) -> bool {
        self.unfinished.is_empty() && self.personal.is_empty()
    }

    /// Bytes that the kernel has not taken yet.
    pub fn unsent_bytes(&self) -> usize {
        self.unfinished.len() + self.personal.len()
    }

    /// Bytes this client alone holds; a shared frame counts in full, which is the upper bound.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Outgoing>() + self.unfinished.len() + self.personal.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_ends_at_the_last_byte() {
        let mut outgoing = Outgoing::default();
        outgoing.hold(Bytes::from_static(b"frame"), 10);
        outgoing.progress(0, 20);
        assert_eq!((outgoing.unfinished(), outgoing.progress_at_ms), (Bytes::from("frame"), 10));
        outgoing.progress(3, 30);
        assert_eq!((outgoing.unfinished(), outgoing.progress_at_ms), (Bytes::from("me"), 30));
        outgoing.personal().extend(b"pong");
        outgoing.progress(2, 40);
        assert!(!outgoing.is_unfinished() && !outgoing.is_empty());
        assert_eq!(std::mem::take(outgoing.personal()), b"pong");
        assert!(outgoing.is_empty());
    }
}
