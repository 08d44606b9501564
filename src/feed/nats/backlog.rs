//! Messages that must wait: for the history before them, or for their epoch.

use async_nats::Message;
use std::collections::VecDeque;

/// What a message costs beside its payload: subject, headers and the structs around them.
const MESSAGE_OVERHEAD_BYTES: usize = 512;

/// In order, in bounded memory.
#[derive(Debug)]
pub struct Backlog {
    messages: VecDeque<Message>,
    bytes: usize,
    bytes_max: usize,
}

impl Backlog {
    pub fn new(bytes_max: usize) -> Backlog {
        Backlog { messages: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// False: it was full, and all that waited is thrown away, this one too: what comes after a
    /// hole in it is worth nothing without what was in the hole.
    pub fn push(&mut self, message: Message) -> bool {
        self.bytes += message.payload.len() + MESSAGE_OVERHEAD_BYTES;
        if self.bytes > self.bytes_max {
            self.clear();
            return false;
        }
        self.messages.push_back(message);
        true
    }

    /// The same with another bound.
    pub fn widened(self, bytes_max: usize) -> Backlog {
        Backlog { bytes_max, ..self }
    }

    /// All of the other behind its own; what does not fit is thrown away.
    pub fn append(&mut self, mut other: Backlog) {
        while let Some(message) = other.pop() {
            self.push(message);
        }
    }

    pub fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.payload.len() + MESSAGE_OVERHEAD_BYTES;
        Some(message)
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub fn clear(&mut self) {
        (self.messages, self.bytes) = (VecDeque::new(), 0);
    }
}
