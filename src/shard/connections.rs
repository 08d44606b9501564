//! The descriptors behind the hub's slots, and what the ring is doing with each.

use super::Token;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// An accepted socket. It is closed only after the last completion of its operations.
#[derive(Debug)]
pub(super) struct Connection {
    pub fd: OwnedFd,
    pub generation: u32,
    /// A receive is armed.
    pub receiving: bool,
    /// A `send_rest` is under way.
    pub sending: bool,
    /// It sends too fast: no receive is to be armed.
    pub paused: bool,
    /// It was so before, and that has been logged.
    pub slowed: bool,
    /// The hub has let it go; `true` for a reset.
    pub dropping: Option<bool>,
}

/// By slot, like the hub's sessions.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
}

impl Connections {
    pub fn insert(&mut self, slot: u32, generation: u32, fd: OwnedFd) -> Token {
        let at = slot as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        let connection = Connection {
            fd,
            generation,
            receiving: false,
            sending: false,
            paused: false,
            slowed: false,
            dropping: None,
        };
        let before = self.slots[at].replace(connection);
        assert!(before.is_none(), "the hub gives a slot out once until it is released");
        Token { slot, generation }
    }

    /// One more than the highest slot that was ever in use.
    pub fn slots_len(&self) -> u32 {
        self.slots.len() as u32
    }

    pub fn at(&self, slot: u32) -> Option<&Connection> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub fn at_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// The connection that a completion is for, unless it is a former tenant of the slot.
    pub fn find(&mut self, token: Token) -> Option<&mut Connection> {
        self.at_mut(token.slot).filter(|c| c.generation == token.generation)
    }

    /// The descriptor of a slot that the hub wants to send to; -1, which every call refuses with
    /// EBADF, where there is none.
    #[inline]
    pub fn raw_fd(&self, slot: u32) -> RawFd {
        let connection = self.slots.get(slot as usize).and_then(Option::as_ref);
        connection.map_or(-1, |c| c.fd.as_raw_fd())
    }

    /// All of them, with their slots.
    pub fn into_slots(self) -> impl Iterator<Item = (u32, Connection)> {
        let slots = self.slots.into_iter().enumerate();
        slots.filter_map(|(slot, connection)| Some((slot as u32, connection?)))
    }

    pub fn remove(&mut self, slot: u32) -> Option<Connection> {
        self.slots.get_mut(slot as usize)?.take()
    }
}
