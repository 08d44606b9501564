//! Refusals in progress: sockets that are no sessions and will be none.
//!
//! Nothing of a refusal is kept after its socket is closed.

use super::Token;
use crate::hub::Refused;
use std::os::fd::OwnedFd;

/// How often the lane is looked through for those whose time is over, in ms: some microseconds
/// each time, and only while there is somebody in it.
const LOOK_MS: u64 = 250;

/// How far a refusal has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its request is awaited; holds what has come of it, where it did not come at once.
    Reading(Vec<u8>),
    /// It has its answer, but what it sends must be read before the socket is closed: unread
    /// bytes would make of the close a reset, which can overtake the answer.
    Told,
    /// Its time is over; the last completion of its receive closes it.
    Over,
}

#[derive(Debug)]
pub(super) struct Refusal {
    pub fd: OwnedFd,
    pub refused: Refused,
    pub stage: Stage,
    generation: u32,
    until_ms: u64,
}

/// Each has one receive under way as long as it is here.
#[derive(Debug, Default)]
pub(super) struct Lane {
    slots: Vec<Option<Refusal>>,
    free: Vec<u32>,
    generation: u32,
    reading: usize,
    look_at_ms: Option<u64>,
}

impl Lane {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many wait for their request.
    pub fn reading(&self) -> usize {
        self.reading
    }

    /// `now_ms` and `until_ms` as the shard's clock has them.
    pub fn insert(
        &mut self,
        fd: OwnedFd,
        refused: Refused,
        stage: Stage,
        now_ms: u64,
        until_ms: u64,
    ) -> Token {
        self.reading += usize::from(matches!(stage, Stage::Reading(_)));
        self.look_at_ms.get_or_insert(now_ms + LOOK_MS);
        self.generation = (self.generation + 1) & Token::GENERATION_MAX;
        let generation = self.generation;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        let refusal = Refusal { fd, refused, stage, generation, until_ms };
        self.slots[slot as usize] = Some(refusal);
        Token { slot, generation }
    }

    pub fn find(&mut self, token: Token) -> Option<&mut Refusal> {
        let refusal = self.slots.get_mut(token.slot as usize)?.as_mut();
        refusal.filter(|refusal| refusal.generation == token.generation)
    }

    pub fn remove(&mut self, token: Token) -> Option<Refusal> {
        self.find(token)?;
        let refusal = self.slots[token.slot as usize].take()?;
        self.free.push(token.slot);
        self.reading -= usize::from(matches!(refusal.stage, Stage::Reading(_)));
        if self.len() == 0 {
            self.look_at_ms = None;
        }
        Some(refusal)
    }

    pub fn next_ms(&self) -> Option<u64> {
        self.look_at_ms
    }

    /// Marks those whose time is over, and gives them for their receive to be cancelled; whether
    /// each still waited for its request.
    pub fn expire(&mut self, now_ms: u64) -> Vec<(Token, bool)> {
        let mut over = Vec::new();
        if self.look_at_ms.is_none_or(|at_ms| now_ms < at_ms) {
            return over;
        }
        self.look_at_ms = Some(now_ms + LOOK_MS);
        for (slot, refusal) in self.slots.iter_mut().enumerate() {
            let Some(refusal) = refusal else { continue };
            if refusal.until_ms <= now_ms && !matches!(refusal.stage, Stage::Over) {
                let stage = std::mem::replace(&mut refusal.stage, Stage::Over);
                let was_reading = matches!(stage, Stage::Reading(_));
                self.reading -= usize::from(was_reading);
                let token = Token { slot: slot as u32, generation: refusal.generation };
                over.push((token, was_reading));
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> OwnedFd {
        std::fs::File::open("/dev/null").expect("a descriptor").into()
    }

    #[test]
    fn who_is_over_time_is_told_once_and_a_slot_is_used_again() {
        let mut lane = Lane::default();
        let full = Refused::SessionsFull;
        let first = lane.insert(socket(), full, Stage::Reading(Vec::new()), 1_000, 3_000);
        let second = lane.insert(socket(), full, Stage::Told, 1_000, 3_500);
        assert_eq!((lane.len(), lane.reading(), lane.next_ms()), (2, 1, Some(1_250)));
        assert_eq!(lane.expire(2_900), []);
        assert_eq!(lane.expire(3_000), [], "not yet time to look again");
        assert_eq!(lane.expire(3_200), [(first, true)]);
        assert_eq!(lane.expire(3_600), [(second, false)]);
        assert_eq!(lane.reading(), 0);
        assert!(lane.remove(first).is_some() && lane.remove(first).is_none());
        let third = lane.insert(socket(), full, Stage::Told, 4_000, 5_000);
        assert_eq!(third.slot, first.slot);
        assert!(lane.find(first).is_none(), "a late completion finds nobody");
        assert!(lane.remove(second).is_some() && lane.remove(third).is_some());
        assert_eq!((lane.len(), lane.next_ms()), (0, None));
    }
}
