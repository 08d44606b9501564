//! Messages from the control thread to one shard.

use super::inspection::Inquiry;
use crate::feed::Inlet;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// Far more than the control thread ever sends at once.
const MESSAGES_MAX: usize = 64;

#[derive(Debug)]
pub enum Message {
    /// Stop accepting, close every session spread over `over_ms`, end at the latest `grace_ms`
    /// after that.
    Drain { over_ms: u64, grace_ms: u64 },
    /// Tell of sessions.
    Inspect(Box<Inquiry>),
}

/// Whoever puts a message in rings the shard's bell afterwards.
#[derive(Debug)]
pub struct Mailbox {
    messages: ArrayQueue<Message>,
}

impl Mailbox {
    /// Errors: the message, where the shard has not taken the last ones.
    pub fn put(&self, message: Message) -> Result<(), Message> {
        self.messages.push(message)
    }

    pub(super) fn take(&self) -> Option<Message> {
        self.messages.pop()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

/// Where the control thread asks a shard.
#[derive(Debug, Clone)]
pub struct ShardPort {
    pub(super) mailbox: Arc<Mailbox>,
    /// For its bell.
    pub(super) inlet: Arc<Inlet>,
}

impl ShardPort {
    /// Asks; the answer comes by the inquiry's reply. A shard whose mailbox is full, or that ends
    /// first, drops the reply.
    pub fn ask(&self, inquiry: Inquiry) {
        let _ = self.mailbox.put(Message::Inspect(Box::new(inquiry)));
        self.inlet.bell().ring();
    }
}

impl Default for Mailbox {
    fn default() -> Mailbox {
        Mailbox { messages: ArrayQueue::new(MESSAGES_MAX) }
    }
}
