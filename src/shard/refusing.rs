//! Refusing: the client is told, and its socket closed without anything of it being kept.
//!
//! In most cases the request has come by the time of the accept: then it is one receive, one send
//! and the close. There is no wait for the client's own Close frame: everything that it sent has
//! been read, so the close is an orderly end and not a reset, and what it sends afterwards is
//! answered by the kernel.

use super::lane::Stage;
use super::turn::Shard;
use super::{BufferId, End, Token, socket};
use crate::hub::{Refused, Told};
use crate::limits::RECEIVE_BUFFER_BYTES;
use crate::session::Now;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Buffers of the refusal path.
#[derive(Debug)]
pub(super) struct Scratch {
    request: Box<[u8]>,
    /// The part of a request that has come.
    held: Vec<u8>,
    answer: Vec<u8>,
}

impl Scratch {
    pub fn new() -> Scratch {
        let request = vec![0; RECEIVE_BUFFER_BYTES as usize].into_boxed_slice();
        Scratch { request, held: Vec::new(), answer: Vec::new() }
    }
}

impl Shard {
    /// Goes down the ladder as far as it must.
    pub(super) fn refuse(&mut self, fd: OwnedFd, refused: Refused, now: Now) {
        self.hub.count_refusal(refused);
        self.acceptor.note_refusal(now.ms);
        self.log_refusal(&fd, refused, now);
        let limits = self.hub.admission().limits();
        let reading_max = limits.refusals_reading_max;
        let is_full = self.lane.len() >= limits.refusals_max;
        // A request that has come already costs no more to answer than a refusal before it.
        let is_read =
            refused.answer(0, 1) == Told::Closed && self.refuse_at_once(&fd, refused, now);
        if is_read {
            return;
        }
        match refused.answer(self.lane.reading(), reading_max) {
            Told::Closed if !is_full => {
                let held = std::mem::take(&mut self.scratch.held);
                self.wait_in_lane(fd, refused, Stage::Reading(held), now);
            }
            _ => {
                self.scratch.answer.clear();
                self.hub.answer_unread(refused, now, &mut self.scratch.answer);
                tell(fd.as_fd(), &self.scratch.answer);
                let stays = !is_full && refused != Refused::DescriptorsOut;
                if !socket::read_away(fd.as_fd()) && stays {
                    socket::shutdown_write(fd.as_fd());
                    self.wait_in_lane(fd, refused, Stage::Told, now);
                }
            }
        }
    }

    /// Answers a request that has come whole; one that has come in part is kept in `held`.
    fn refuse_at_once(&mut self, fd: &OwnedFd, refused: Refused, now: Now) -> bool {
        let Scratch { request, held, answer } = &mut self.scratch;
        let request = socket::receive_at_once(fd.as_fd(), request);
        held.clear();
        answer.clear();
        if request.is_empty() {
            return false;
        }
        if !self.hub.answer_refused(refused, request, now, answer) {
            held.extend_from_slice(request);
            return false;
        }
        tell(fd.as_fd(), answer);
        if request.len() == RECEIVE_BUFFER_BYTES as usize {
            socket::read_away(fd.as_fd());
        }
        true
    }

    fn wait_in_lane(&mut self, fd: OwnedFd, refused: Refused, stage: Stage, now: Now) {
        let wait_ms = match stage {
            Stage::Reading(_) => self.hub.admission().limits().refusal_ms,
            Stage::Told | Stage::Over => self.linger_ms(),
        };
        let until_ms = now.ms + wait_ms;
        let raw = fd.as_raw_fd();
        let token = self.lane.insert(fd, refused, stage, now.ms, until_ms);
        self.ring.receive_refused(token, raw);
    }

    /// The receive of a refusal is over.
    pub(super) fn refused_received(
        &mut self,
        token: Token,
        result: Result<BufferId, End>,
        now: Now,
    ) {
        let buffer = match result {
            Ok(buffer) => buffer,
            Err(End::NoBuffers) => return self.receive_refused_again(token),
            Err(_) => {
                let refusal = self.lane.remove(token);
                if refusal.is_some_and(|refusal| matches!(refusal.stage, Stage::Reading(_))) {
                    self.hub.count_silent_refusal();
                }
                return;
            }
        };
        let is_over = self.read_refused(token, &buffer, now);
        self.ring.give_back(buffer);
        if !is_over {
            self.receive_refused_again(token);
        } else if let Some(refusal) = self.lane.remove(token) {
            socket::read_away(refusal.fd.as_fd());
        }
    }

    /// Takes a part of a refused client's request; whether that was the last one, and answered.
    fn read_refused(&mut self, token: Token, buffer: &BufferId, now: Now) -> bool {
        let Some(refusal) = self.lane.find(token) else { return true };
        let Stage::Reading(held) = &mut refusal.stage else { return true };
        held.extend_from_slice(self.ring.buffer(buffer));
        let answer = &mut self.scratch.answer;
        answer.clear();
        let is_whole = self.hub.answer_refused(refusal.refused, held, now, answer);
        if is_whole {
            tell(refusal.fd.as_fd(), answer);
        }
        is_whole
    }

    fn receive_refused_again(&mut self, token: Token) {
        let Some(refusal) = self.lane.find(token) else { return };
        match refusal.stage {
            Stage::Over => drop(self.lane.remove(token)),
            _ => self.ring.receive_refused(token, refusal.fd.as_raw_fd()),
        }
    }

    /// Tells those whose request has not come in time, and ends those who were told.
    pub(super) fn expire_refusals(&mut self, now: Now) {
        let linger_ms = self.linger_ms();
        let expired = self.lane.expire(now.ms, linger_ms);
        for token in expired.untold {
            let Some(refusal) = self.lane.find(token) else { continue };
            let answer = &mut self.scratch.answer;
            answer.clear();
            self.hub.answer_unread(refusal.refused, now, answer);
            tell(refusal.fd.as_fd(), answer);
            socket::shutdown_write(refusal.fd.as_fd());
        }
        expired.over.into_iter().for_each(|token| self.ring.cancel_receive_refused(token));
    }

    /// How long the request of a client that was told already is awaited, to be read away: a
    /// quarter, since nothing but the orderly end depends on it.
    fn linger_ms(&self) -> u64 {
        self.hub.admission().limits().refusal_ms / 4
    }
}

/// A fresh socket takes a few hundred bytes; it fails only where the peer has already gone, and
/// then there is nobody to tell.
fn tell(fd: BorrowedFd<'_>, answer: &[u8]) {
    let _ = socket::send_at_once(fd, answer);
}
