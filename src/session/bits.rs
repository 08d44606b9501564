//! A bitset that grows when a bit is set.

/// Bits beyond its length read as clear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub fn set(&mut self, bit: usize) {
        let word = bit / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (bit % 64);
    }

    pub fn clear(&mut self, bit: usize) {
        if let Some(word) = self.words.get_mut(bit / 64) {
            *word &= !(1 << (bit % 64));
        }
    }

    pub fn has(&self, bit: usize) -> bool {
        self.words.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The first set bit at or after `from`.
    pub fn next(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut left = *self.words.get(word)? & (u64::MAX << (from % 64));
        while left == 0 {
            word += 1;
            left = *self.words.get(word)?;
        }
        Some(word * 64 + left.trailing_zeros() as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let bit = self.next(from)?;
            from = bit + 1;
            Some(bit)
        })
    }

    /// Gives the memory back; every bit is clear then.
    pub fn reset(&mut self) {
        self.words = Vec::new();
    }

    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Method: random sets, clears and searches against a `BTreeSet`.
    #[test]
    fn agrees_with_a_set() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut bits, mut set) = (Bits::default(), BTreeSet::new());
        for _ in 0..20_000 {
            let bit = random.usize(..700);
            if random.bool() {
                bits.set(bit);
                set.insert(bit);
            } else {
                bits.clear(bit);
                set.remove(&bit);
            }
            let from = random.usize(..800);
            assert_eq!(bits.next(from), set.range(from..).next().copied());
            assert_eq!(bits.has(from), set.contains(&from));
        }
        assert!(bits.iter().eq(set.iter().copied()));
        bits.reset();
        assert!(bits.is_empty() && bits.heap_bytes() == 0);
    }
}
