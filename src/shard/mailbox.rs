//! Messages from the control thread to one shard.

use crate::hub::HubSettings;
use crossbeam::queue::ArrayQueue;

/// Far more than the control thread ever sends at once.
const MESSAGES_MAX: usize = 64;

#[derive(Debug)]
pub enum Message {
    /// Stop accepting, close every session spread over `over_ms`, end at the latest `grace_ms`
    /// after that.
    Drain { over_ms: u64, grace_ms: u64 },
    /// Go on with these settings; see [`Hub::reload`](crate::hub::Hub::reload).
    Reload(Box<HubSettings>),
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

impl Default for Mailbox {
    fn default() -> Mailbox {
        Mailbox { messages: ArrayQueue::new(MESSAGES_MAX) }
    }
}
