//! Buffers for what a client gets at once when it comes, used again: while a herd comes back the
//! allocator is asked for none.

use crate::limits::WELCOMES_KEPT_MAX;
use crate::session::Outgoing;

/// What most clients get at once: the answer to the upgrade, the first event, and the answer to a
/// URL of some fifty symbols.
const WELCOME_BYTES: usize = 1024;

/// Emptied ones.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "sessions hold the boxes: they are moved, and not made anew")]
pub(super) struct Welcomes(Vec<Box<Outgoing>>);

impl Welcomes {
    pub fn take(&mut self) -> Box<Outgoing> {
        let mut outgoing = self.0.pop().unwrap_or_default();
        outgoing.personal().reserve(WELCOME_BYTES);
        outgoing
    }

    /// Takes one whose frames have been composed, and which holds no unfinished one.
    pub fn give_back(&mut self, mut outgoing: Box<Outgoing>) {
        debug_assert!(!outgoing.is_unfinished(), "it still has an owner");
        let bytes = outgoing.personal().capacity();
        if self.0.len() < WELCOMES_KEPT_MAX && (WELCOME_BYTES..=2 * WELCOME_BYTES).contains(&bytes)
        {
            outgoing.personal().clear();
            outgoing.progress_at_ms = 0;
            self.0.push(outgoing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_neither_small_nor_large_ones_are_kept() {
        let mut welcomes = Welcomes::default();
        let mut outgoing = welcomes.take();
        outgoing.personal().extend(b"HTTP/1.1 101");
        let address = outgoing.personal().as_ptr();
        welcomes.give_back(outgoing);
        let mut again = welcomes.take();
        assert!(again.is_empty() && again.personal().as_ptr() == address);
        for bytes in [10, 5 * WELCOME_BYTES] {
            let mut other = Box::<Outgoing>::default();
            other.personal().reserve(bytes);
            welcomes.give_back(other);
            assert!(welcomes.0.is_empty(), "{bytes}");
        }
        (0..=WELCOMES_KEPT_MAX).for_each(|_| {
            let mut outgoing = Box::<Outgoing>::default();
            outgoing.personal().reserve(WELCOME_BYTES);
            welcomes.give_back(outgoing);
        });
        assert_eq!(welcomes.0.len(), WELCOMES_KEPT_MAX);
    }
}
