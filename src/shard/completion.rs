//! What comes out of the ring, and the 64 bits by which an entry finds its way back.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use io_uring::cqueue;

use super::BufferId;
use super::buffers::Buffers;

/// A connection, as the ring names it: a slot of the shard's table and the slot's generation, so
/// that a late completion for an earlier tenant of the slot is told apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    pub slot: u32,
    /// At most [`Token::GENERATION_MAX`]; counts on from there with 0.
    pub generation: u32,
}

impl Token {
    /// The generation has 24 bits: what the operation's tag and the slot leave of the 64.
    pub const GENERATION_MAX: u32 = (1 << 24) - 1;
}

/// What the ring has to tell.
#[derive(Debug)]
pub enum Completion {
    /// A new connection: a blocking, close-on-exec descriptor; dropped, it is closed. It comes
    /// also after [`SocketRing::cancel_accept`](super::SocketRing::cancel_accept), for what the
    /// kernel had accepted by then. Without `more` the accept has ended and must be armed again.
    Accepted { listener: RawFd, fd: OwnedFd, more: bool },
    /// Accepting failed. Without `more` it has ended. On `EMFILE`, `ENFILE`, `ENOBUFS` and
    /// `ENOMEM` the connection still waits in the backlog, so an accept that is armed again at
    /// once fails again at once: wait for a descriptor to be closed, or for some milliseconds.
    AcceptFailed { listener: RawFd, errno: i32, more: bool },
    /// The accept was cancelled; nothing more comes of it.
    AcceptEnded { listener: RawFd },
    /// What an accept that was armed alone came to.
    AcceptedOne { listener: RawFd, result: Result<OwnedFd, i32> },
    /// Bytes, to be read with [`SocketRing::buffer`](super::SocketRing::buffer) and given back.
    /// Without `more` the receive has ended though the peer has not: arm it again.
    Received { token: Token, buffer: BufferId, more: bool },
    /// The receive has ended. Exactly one of this and `Received` without `more` ends a receive.
    ReceiveEnded { token: Token, end: End },
    /// The receive of a refusal is over, with bytes or without. The token names a refusal.
    ReceivedRefused { token: Token, result: Result<BufferId, End> },
    /// What [`SocketRing::send_rest`](super::SocketRing::send_rest) came to: bytes taken (often
    /// not all), or why none were, as a positive errno (`ECANCELED` after a cancel).
    Sent { token: Token, result: Result<usize, i32> },
    /// The deadline has passed, or an earlier one that was armed before it.
    Timeout,
}

impl Completion {
    pub(super) fn of_accept(listener: RawFd, entry: &cqueue::Entry) -> Completion {
        let more = cqueue::more(entry.flags());
        match accepted(entry) {
            Err(libc::ECANCELED) => Completion::AcceptEnded { listener },
            Err(errno) => Completion::AcceptFailed { listener, errno, more },
            Ok(fd) => Completion::Accepted { listener, fd, more },
        }
    }

    pub(super) fn of_single_accept(listener: RawFd, entry: &cqueue::Entry) -> Completion {
        Completion::AcceptedOne { listener, result: accepted(entry) }
    }

    pub(super) fn of_receive(
        token: Token,
        entry: &cqueue::Entry,
        pool: &mut Buffers,
    ) -> Completion {
        match received(entry, pool) {
            Ok(buffer) => Completion::Received { token, buffer, more: cqueue::more(entry.flags()) },
            Err(end) => Completion::ReceiveEnded { token, end },
        }
    }

    pub(super) fn of_refused(
        token: Token,
        entry: &cqueue::Entry,
        pool: &mut Buffers,
    ) -> Completion {
        Completion::ReceivedRefused { token, result: received(entry, pool) }
    }
}

fn accepted(entry: &cqueue::Entry) -> Result<OwnedFd, i32> {
    match -entry.result() {
        errno @ 1.. => Err(errno),
        // SAFETY: the kernel has just made this descriptor for us and tells of it once.
        _ => Ok(unsafe { OwnedFd::from_raw_fd(entry.result()) }),
    }
}

fn received(entry: &cqueue::Entry, pool: &mut Buffers) -> Result<BufferId, End> {
    let length = u32::try_from(entry.result()).unwrap_or(0);
    let buffer = cqueue::buffer_select(entry.flags()).map(|id| pool.lend(id, length));
    match (-entry.result(), buffer) {
        (..0, Some(buffer)) => Ok(buffer),
        (errno, unused) => {
            unused.into_iter().for_each(|buffer| pool.give_back(buffer));
            Err(End::of_errno(errno))
        }
    }
}

/// Why a receive ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The peer will send no more; it may still read.
    Eof,
    /// All buffers were lent out. Arm it again once some are given back: the bytes wait.
    NoBuffers,
    Cancelled,
    /// The errno, for example `ECONNRESET`, or `ETIMEDOUT` for a peer that has died.
    Failed(i32),
}

impl End {
    fn of_errno(errno: i32) -> End {
        match errno {
            0 => End::Eof,
            libc::ENOBUFS => End::NoBuffers,
            libc::ECANCELED => End::Cancelled,
            errno => End::Failed(errno),
        }
    }
}

/// The kind of an entry: the top eight bits of its user data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Operation {
    Accept = 1,
    Receive = 2,
    SendRest = 3,
    /// The low 32 bits are the index within the chunk.
    SendNow = 4,
    Timeout = 5,
    /// Cancels and timeout updates: only the entry that they aim at has something to tell.
    Silent = 6,
    AcceptOne = 7,
    ReceiveRefused = 8,
    /// The bell of a nap has rung.
    NapBell = 9,
}

impl Operation {
    /// `operation (8 bits) | generation (24) | slot (32)`.
    pub(super) fn key(self, token: Token) -> u64 {
        debug_assert!(token.generation <= Token::GENERATION_MAX, "a generation has 24 bits");
        let generation = u64::from(token.generation & Token::GENERATION_MAX);
        (self as u64) << 56 | generation << 32 | u64::from(token.slot)
    }

    /// The key of an accept: it names its listener by the descriptor.
    pub(super) fn of_listener(self, listener: RawFd) -> u64 {
        let slot = u32::try_from(listener).expect("a descriptor is not negative");
        self.key(Token { slot, generation: 0 })
    }

    /// The key of an entry that belongs to no connection.
    pub(super) fn alone(self) -> u64 {
        self.key(Token { slot: 0, generation: 0 })
    }

    pub(super) fn parse(key: u64) -> (Operation, Token) {
        let operation = match key >> 56 {
            1 => Operation::Accept,
            2 => Operation::Receive,
            3 => Operation::SendRest,
            4 => Operation::SendNow,
            5 => Operation::Timeout,
            6 => Operation::Silent,
            7 => Operation::AcceptOne,
            8 => Operation::ReceiveRefused,
            9 => Operation::NapBell,
            _ => unreachable!("the kernel returns user data as this file made it"),
        };
        let generation = (key >> 32) as u32 & Token::GENERATION_MAX;
        (operation, Token { slot: key as u32, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_way_through_the_kernel() {
        let edges = [(0, 0), (u32::MAX, Token::GENERATION_MAX), (7, 1 << 23)];
        for (slot, generation) in edges {
            let token = Token { slot, generation };
            for operation in [Operation::Accept, Operation::Receive, Operation::Silent] {
                assert_eq!(Operation::parse(operation.key(token)), (operation, token));
            }
        }
    }
}
