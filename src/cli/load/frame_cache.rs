//! Frames that were parsed lately, so that the same bytes for thousands of connections are parsed
//! once and compared afterwards.

use super::digest::{Digest, Shape, digest_frame};
use super::symbols::SymbolTable;

/// Slots of the cache, a power of two. A flush of one cohort needs a slot a frame, and the frames
/// in flight to all connections at once are few; with these, hundreds of cohorts fit as well.
const SLOTS: usize = 1024;

/// Bytes at each end of a frame that choose its slot. The first line's symbol is in the first,
/// the last line's time and `sq` are in the last; what lies between is compared, not hashed.
const SAMPLE_BYTES: usize = 128;

/// A direct-mapped table: a slot holds the last frame that fell on it, compared whole before use.
#[derive(Debug)]
pub struct FrameCache {
    slots: Vec<Slot>,
    shape: Shape,
    pub parsed_count: u64,
}

#[derive(Debug, Default, Clone)]
struct Slot {
    bytes: Vec<u8>,
    digest: Digest,
}

impl FrameCache {
    pub fn new(shape: Shape) -> FrameCache {
        FrameCache { slots: vec![Slot::default(); SLOTS], shape, parsed_count: 0 }
    }

    /// The digest of `payload`, parsed now or found.
    #[inline]
    pub fn digest(&mut self, payload: &[u8], symbols: &mut SymbolTable) -> &Digest {
        let slot = &mut self.slots[sample_hash(payload) as usize % SLOTS];
        // A slot that was never used equals the empty frame, which is one that must be parsed.
        if payload.is_empty() || slot.bytes != payload {
            slot.bytes.clear();
            slot.bytes.extend_from_slice(payload);
            digest_frame(payload, self.shape, symbols, &mut slot.digest);
            self.parsed_count += 1;
        }
        &slot.digest
    }
}

/// FNV-like over eight bytes a step: not strong, and need not be, since equality is checked.
fn sample_hash(payload: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = payload.len() as u64;
    let mut mix = |bytes: &[u8]| {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER).rotate_left(29);
        }
    };
    mix(&payload[..payload.len().min(SAMPLE_BYTES)]);
    mix(&payload[payload.len().saturating_sub(SAMPLE_BYTES)..]);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::digest::Entry;

    fn frame(middle: u64) -> Vec<u8> {
        let line = |sq| format!(r#"{{"T":"q","S":"A","t":{},"sq":{sq}}}"#, 10_u64.pow(18));
        let pad = |n: usize| vec![line(1_000); n].join(",");
        format!("[{},{},{}]", pad(9), line(middle), pad(9)).into_bytes()
    }

    #[test]
    fn equal_frames_are_parsed_once() {
        let (mut cache, mut symbols) = (FrameCache::new(Shape::Array), SymbolTable::default());
        let first = cache.digest(&frame(2_000), &mut symbols).clone();
        for _ in 0..100 {
            assert_eq!(*cache.digest(&frame(2_000), &mut symbols), first);
        }
        assert_eq!((cache.parsed_count, first.item_count), (1, 19));
    }

    /// Method: two frames that the samples cannot tell apart, in turn.
    #[test]
    fn a_difference_in_the_middle_is_seen() {
        let (mut cache, mut symbols) = (FrameCache::new(Shape::Array), SymbolTable::default());
        assert_eq!(sample_hash(&frame(2_000)), sample_hash(&frame(2_001)));
        for middle in [2_000, 2_001, 2_000] {
            let digest = cache.digest(&frame(middle), &mut symbols);
            let Entry::Item { sq, .. } = digest.entries[9] else { panic!("an item was sent") };
            assert_eq!(sq, middle);
        }
        assert_eq!(cache.parsed_count, 3);
    }

    #[test]
    fn short_frames_are_told_apart() {
        let (mut cache, mut symbols) = (FrameCache::new(Shape::Array), SymbolTable::default());
        for text in ["", "[]", "[ ]"] {
            cache.digest(text.as_bytes(), &mut symbols);
        }
        assert_eq!(cache.parsed_count, 3);
        assert_eq!(cache.digest(b"", &mut symbols).entries.len(), 1, "malformed");
    }
}
