//! Accepts of one listener, counted or ended; and the receive of a refusal, which completes once.

use super::super::completion::Operation;
use super::{SocketRing, buffers};
use crate::shard::Token;
use io_uring::opcode;
use io_uring::types::{CancelBuilder, Fd};
use std::os::fd::RawFd;

impl SocketRing {
    /// Accepts one connection. Several may be armed; each has a completion of its own.
    pub fn accept_one(&mut self, listener: RawFd) {
        self.note_listener(listener);
        let (address, length) = (std::ptr::null_mut(), std::ptr::null_mut());
        let entry = opcode::Accept::new(Fd(listener), address, length);
        let entry = entry.flags(libc::SOCK_CLOEXEC).build();
        self.push(entry, Operation::AcceptOne.of_listener(listener));
    }

    pub(super) fn note_listener(&mut self, listener: RawFd) {
        if !self.listeners.contains(&listener) {
            self.listeners.push(listener);
        }
    }

    /// Ends all accepts of one listener.
    pub fn cancel_accept_of(&mut self, listener: RawFd) {
        self.cancel(Operation::Accept.of_listener(listener));
        self.cancel_single_accepts(listener);
    }

    fn cancel_single_accepts(&mut self, listener: RawFd) {
        let key = Operation::AcceptOne.of_listener(listener);
        let all = CancelBuilder::user_data(key).all();
        self.push(opcode::AsyncCancel2::new(all).build(), Operation::Silent.alone());
    }

    /// Receives once into a buffer of the pool.
    pub fn receive_refused(&mut self, token: Token, fd: RawFd) {
        let entry = opcode::Recv::new(Fd(fd), std::ptr::null_mut(), self.buffers.buffer_bytes());
        let entry = entry.buf_group(buffers::GROUP).build();
        let entry = entry.flags(io_uring::squeue::Flags::BUFFER_SELECT);
        self.push(entry, Operation::ReceiveRefused.key(token));
    }

    pub fn cancel_receive_refused(&mut self, token: Token) {
        self.cancel(Operation::ReceiveRefused.key(token));
    }
}
