//! Frames that were parsed lately, so that the same bytes for thousands of connections are parsed
//! once and compared afterwards; and a way around that where every frame differs.

use super::dialect::Form;
use super::digest::Digest;
use super::symbols::SymbolTable;

/// Slots of the cache, a power of two. A flush of one cohort needs a slot a frame, and the frames
/// in flight to all connections at once are few; with these, hundreds of cohorts fit as well.
const SLOTS: usize = 1024;

/// Bytes at each end of a frame that choose its slot. The first line's symbol is in the first,
/// the last line's time and `sq` are in the last; what lies between is compared, not hashed.
const SAMPLE_BYTES: usize = 128;

/// A frame up to here is scanned sooner than its slot is computed and compared.
const SCAN_BYTES_MAX: usize = 2 * SAMPLE_BYTES;

/// Frames that are looked up before it is judged whether that pays.
const TRIAL_FRAMES: u32 = 256;

/// Of these, so many must be found, or the next [`BYPASS_FRAMES`] are not looked for.
const HITS_MIN: u32 = TRIAL_FRAMES / 4;
const BYPASS_FRAMES: u32 = 64 * TRIAL_FRAMES;

/// One of so many frames is parsed in full though it could be scanned, so that a flaw in what the
/// scan skips is found.
const FULL_PARSE_EVERY: u64 = 256;

/// A direct-mapped table: a slot holds the last frame that fell on it, compared whole before use.
#[derive(Debug)]
pub struct FrameCache {
    slots: Vec<Slot>,
    form: Form,
    /// Of the last frame that went past the slots.
    passing: Digest,
    trial_count: u32,
    hit_count: u32,
    bypass_left: u32,
    pub parsed_count: u64,
}

#[derive(Debug, Default, Clone)]
struct Slot {
    bytes: Vec<u8>,
    digest: Digest,
}

impl FrameCache {
    pub fn new(form: Form) -> FrameCache {
        FrameCache {
            slots: vec![Slot::default(); SLOTS],
            form,
            passing: Digest::default(),
            trial_count: 0,
            hit_count: 0,
            bypass_left: 0,
            parsed_count: 0,
        }
    }

    /// The digest of `payload`, read now or found.
    #[inline]
    pub fn digest(&mut self, payload: &[u8], symbols: &mut SymbolTable) -> &Digest {
        if self.bypass_left > 0 || payload.len() <= SCAN_BYTES_MAX {
            self.bypass_left = self.bypass_left.saturating_sub(1);
            let is_sample = self.parsed_count.is_multiple_of(FULL_PARSE_EVERY);
            if !is_sample && self.form.scan(payload, symbols, &mut self.passing) {
                self.parsed_count += 1;
                return &self.passing;
            }
        }
        self.look_up(payload, symbols)
    }

    fn look_up(&mut self, payload: &[u8], symbols: &mut SymbolTable) -> &Digest {
        let slot = &mut self.slots[sample_hash(payload) as usize % SLOTS];
        self.trial_count += 1;
        // A slot that was never used equals the empty frame, which is one that must be parsed.
        if payload.is_empty() || slot.bytes != payload {
            slot.bytes.clear();
            slot.bytes.extend_from_slice(payload);
            let is_sample = self.parsed_count.is_multiple_of(FULL_PARSE_EVERY);
            if is_sample || !self.form.scan(payload, symbols, &mut slot.digest) {
                self.form.parse(payload, symbols, &mut slot.digest);
            }
            self.parsed_count += 1;
        } else {
            self.hit_count += 1;
        }
        if self.trial_count == TRIAL_FRAMES {
            self.bypass_left = if self.hit_count < HITS_MIN { BYPASS_FRAMES } else { 0 };
            (self.trial_count, self.hit_count) = (0, 0);
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
    use crate::cli::load::digest::{Entry, Item};

    fn line(sq: u64) -> String {
        format!(r#"{{"T":"q","S":"A","bp":1.5,"t":1700000000000000000,"sq":{sq}}}"#)
    }

    fn frame(middle: u64) -> Vec<u8> {
        let pad = |n: usize| vec![line(1_000); n].join(",");
        format!("[{},{},{}]", pad(9), line(middle), pad(9)).into_bytes()
    }

    fn sq_at(digest: &Digest, at: usize) -> u64 {
        let Entry::Item(Item { sq, .. }) = digest.entries[at] else { panic!("an item was sent") };
        sq
    }

    #[test]
    fn equal_frames_are_parsed_once() {
        let (mut cache, mut symbols) = (FrameCache::new(Form::Array), SymbolTable::default());
        let first = cache.digest(&frame(2_000), &mut symbols).clone();
        for _ in 0..1000 {
            assert_eq!(*cache.digest(&frame(2_000), &mut symbols), first);
        }
        assert_eq!((cache.parsed_count, first.item_count), (1, 19));
    }

    /// Method: two frames that the samples cannot tell apart, in turn.
    #[test]
    fn a_difference_in_the_middle_is_seen() {
        let (mut cache, mut symbols) = (FrameCache::new(Form::Array), SymbolTable::default());
        assert_eq!(sample_hash(&frame(2_000)), sample_hash(&frame(2_001)));
        for middle in [2_000, 2_001, 2_000] {
            assert_eq!(sq_at(cache.digest(&frame(middle), &mut symbols), 9), middle);
        }
        assert_eq!(cache.parsed_count, 3);
    }

    /// Method: frames that all differ, then equal ones, until each way was taken and left.
    #[test]
    fn the_slots_are_left_alone_where_every_frame_differs() {
        let (mut cache, mut symbols) = (FrameCache::new(Form::Array), SymbolTable::default());
        for middle in 0..u64::from(TRIAL_FRAMES) {
            assert_eq!(sq_at(cache.digest(&frame(middle), &mut symbols), 9), middle);
        }
        assert_eq!(cache.bypass_left, BYPASS_FRAMES);
        for middle in 0..u64::from(BYPASS_FRAMES) {
            assert_eq!(sq_at(cache.digest(&frame(middle), &mut symbols), 9), middle);
        }
        assert_eq!(cache.bypass_left, 0);
        let before = cache.parsed_count;
        for _ in 0..10 * TRIAL_FRAMES {
            cache.digest(&frame(7), &mut symbols);
        }
        assert!(cache.parsed_count <= before + 1 && cache.bypass_left == 0);
    }

    #[test]
    fn what_cannot_be_scanned_is_parsed() {
        let (mut cache, mut symbols) = (FrameCache::new(Form::Array), SymbolTable::default());
        for text in ["", "[]", "[ ]", r#"[{"T":"hb","n":4}]"#] {
            cache.digest(text.as_bytes(), &mut symbols);
        }
        assert_eq!(cache.parsed_count, 4);
        assert_eq!(cache.digest(b"", &mut symbols).entries.len(), 1, "malformed");
        let one = format!("[{}]", line(3));
        for _ in 0..3 {
            assert_eq!(sq_at(cache.digest(one.as_bytes(), &mut symbols), 0), 3);
        }
    }
}
