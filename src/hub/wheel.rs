//! One timing wheel per shard: pings, pongs, deadlines, heartbeats.
//!
//! Three levels of 256 slots of 1 ms, 256 ms and 65 s; what is due later than 4.6 hours waits in
//! the last slot and is looked at then. Entries are not cancelled: who is woken too early looks at
//! its deadlines and arms itself again.

const SLOTS: usize = 256;
const LEVELS: usize = 3;

/// What to wake: a slot and the generation that armed it.
pub type Timer = (u32, u32);

#[derive(Debug)]
struct Level {
    slots: Vec<Vec<(u64, Timer)>>,
    /// One bit per slot that is not empty.
    taken: [u64; SLOTS / 64],
}

#[derive(Debug)]
pub struct Wheel {
    levels: [Level; LEVELS],
    /// All that was due up to and with this has been handed out.
    now_ms: u64,
}

impl Wheel {
    pub fn new(now_ms: u64) -> Wheel {
        let level = || Level { slots: vec![Vec::new(); SLOTS], taken: [0; SLOTS / 64] };
        Wheel { levels: [level(), level(), level()], now_ms }
    }

    /// Wakes `timer` at `at_ms`, or at the next turn where that is past.
    pub fn arm(&mut self, at_ms: u64, timer: Timer) {
        let at_ms = at_ms.max(self.now_ms + 1);
        let distance = at_ms - self.now_ms;
        let level = (0..LEVELS).find(|level| distance < span_ms(*level)).unwrap_or(LEVELS - 1);
        // The farthest slot that a level can name without meaning the present one.
        let reach = self.now_ms + span_ms(level) - (span_ms(level) >> 8);
        let slot = slot_of(at_ms.min(reach), level);
        self.levels[level].slots[slot].push((at_ms, timer));
        self.levels[level].taken[slot / 64] |= 1 << (slot % 64);
    }

    /// Moves on to `now_ms` and appends what became due to `due`.
    pub fn advance(&mut self, now_ms: u64, due: &mut Vec<Timer>) {
        while self.now_ms < now_ms {
            // Nothing lies between here and the next entry, so the time between is skipped.
            self.now_ms = self.next_ms().unwrap_or(now_ms).clamp(self.now_ms + 1, now_ms);
            for level in (0..LEVELS).rev() {
                if level > 0 && !self.now_ms.is_multiple_of(span_ms(level) >> 8) {
                    continue;
                }
                self.empty(level, due);
            }
        }
    }

    /// When to look next: never later than the first entry is due.
    pub fn next_ms(&self) -> Option<u64> {
        (0..LEVELS).filter_map(|level| self.next_in(level)).min()
    }

    /// How many entries there are, superseded ones included.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.levels.iter().flat_map(|level| &level.slots).map(Vec::len).sum()
    }

    /// Hands out or moves down what lies in the present slot of a level.
    fn empty(&mut self, level: usize, due: &mut Vec<Timer>) {
        let slot = slot_of(self.now_ms, level);
        if self.levels[level].taken[slot / 64] & (1 << (slot % 64)) == 0 {
            return;
        }
        self.levels[level].taken[slot / 64] &= !(1 << (slot % 64));
        for (at_ms, timer) in std::mem::take(&mut self.levels[level].slots[slot]) {
            match at_ms <= self.now_ms {
                true => due.push(timer),
                false => self.arm(at_ms, timer),
            }
        }
    }

    /// The start of the first taken slot of a level after the present one, which itself comes
    /// last.
    fn next_in(&self, level: usize) -> Option<u64> {
        let unit = span_ms(level) >> 8;
        let from = self.now_ms / unit + 1;
        let first = (from % SLOTS as u64) as usize;
        let taken = &self.levels[level].taken;
        // Word by word, and the first one twice: its slots before the first are the farthest.
        let mut words = (0..=taken.len()).map(|ahead| {
            let at = (first / 64 + ahead) % taken.len();
            let mask = match ahead {
                0 => u64::MAX << (first % 64),
                ahead if ahead == taken.len() => !(u64::MAX << (first % 64)),
                _ => u64::MAX,
            };
            (at, taken[at] & mask)
        });
        let (at, word) = words.find(|(_, word)| *word != 0)?;
        let slot = at * 64 + word.trailing_zeros() as usize;
        Some((from + ((slot + SLOTS - first) % SLOTS) as u64) * unit)
    }
}

/// How far a level reaches.
fn span_ms(level: usize) -> u64 {
    1 << (8 * (level + 1))
}

fn slot_of(at_ms: u64, level: usize) -> usize {
    (at_ms >> (8 * level)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method: 20,000 timers at random distances, random steps; each must come exactly once, not
    /// before its time and not after the step that passes it.
    #[test]
    fn every_timer_comes_once_and_in_time() {
        let mut random = fastrand::Rng::with_seed(11);
        let start = 1_000_003;
        let (mut wheel, mut at) = (Wheel::new(start), Vec::new());
        for index in 0..20_000_u32 {
            let far = [300, 70_000, 20_000_000, 60_000_000][random.usize(..4)];
            at.push(start + random.u64(1..far));
            wheel.arm(at[index as usize], (index, 0));
        }
        let (mut now, mut seen) = (start, vec![false; at.len()]);
        while now < start + 60_000_000 {
            let before = now;
            let next = wheel.next_ms();
            now += [random.u64(1..50), random.u64(1..90_000)][random.usize(..2)];
            let mut due = Vec::new();
            wheel.advance(now, &mut due);
            for (index, _) in due {
                let time = at[index as usize];
                assert!(before < time && time <= now, "{time} came in {before}..={now}");
                assert!(next.is_some_and(|next| next <= time), "the sleep would be too long");
                assert!(!std::mem::replace(&mut seen[index as usize], true), "twice");
            }
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(wheel.next_ms(), None);
    }

    #[test]
    fn what_is_past_comes_at_the_next_step() {
        let (mut wheel, mut due) = (Wheel::new(500), Vec::new());
        wheel.arm(100, (1, 1));
        assert_eq!(wheel.next_ms(), Some(501));
        wheel.advance(501, &mut due);
        assert_eq!(due, [(1, 1)]);
    }
}
