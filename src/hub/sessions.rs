//! The shard's sessions by slot.

use crate::session::Session;

/// Slots are used again; the generation tells one use from the next.
#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Option<Session>>,
    generations: Vec<u32>,
    free: Vec<u32>,
}

/// Bits of a generation that fit the user data of a ring entry beside slot and operation.
const GENERATION_MASK: u32 = 0x00ff_ffff;

impl Sessions {
    /// Puts a session, made for this slot and generation, into a free slot.
    pub fn insert(&mut self, make: impl FnOnce(u32, u32) -> Session) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.generations.push(0);
            self.slots.len() as u32 - 1
        });
        let generation = &mut self.generations[slot as usize];
        *generation = (*generation + 1) & GENERATION_MASK;
        self.slots[slot as usize] = Some(make(slot, *generation));
        slot
    }

    pub fn remove(&mut self, slot: u32) -> Option<Session> {
        let session = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(session)
    }

    #[inline]
    pub fn at(&self, slot: u32) -> Option<&Session> {
        self.slots.get(slot as usize)?.as_ref()
    }

    #[inline]
    pub fn at_mut(&mut self, slot: u32) -> Option<&mut Session> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        let all = self.slots.iter().enumerate();
        all.filter_map(|(slot, session)| Some((slot as u32, session.as_ref()?)))
    }

    pub fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        let taken: Vec<u32> = self.iter().map(|(slot, _)| slot).collect();
        taken.into_iter()
    }

    /// One more than the highest slot that was ever in use.
    pub fn slots_len(&self) -> u32 {
        self.slots.len() as u32
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
