//! Messages from the control thread to one shard.

use super::inspection::Inquiry;
use crate::feed::Inlet;
use crate::hub::HubSettings;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// Far more than the control thread ever sends at once.
const MESSAGES_MAX: usize = 64;

/// Questions that wait for their answer. They have a queue of their own, so that whoever asks much
/// keeps no message away.
const INQUIRIES_MAX: usize = 16;

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
    inquiries: ArrayQueue<Inquiry>,
}

impl Mailbox {
    /// Errors: the message, where the shard has not taken the last ones.
    pub fn put(&self, message: Message) -> Result<(), Message> {
        self.messages.push(message)
    }

    pub(super) fn take(&self) -> Option<Message> {
        self.messages.pop()
    }

    pub(super) fn take_inquiry(&self) -> Option<Inquiry> {
        self.inquiries.pop()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.inquiries.is_empty()
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
    /// Asks; the answer comes by the inquiry's reply. Where too many wait, or the shard ends first,
    /// the reply is dropped.
    pub fn ask(&self, inquiry: Inquiry) {
        let _ = self.mailbox.inquiries.push(inquiry);
        self.inlet.bell().ring();
    }
}

impl Default for Mailbox {
    fn default() -> Mailbox {
        let messages = ArrayQueue::new(MESSAGES_MAX);
        Mailbox { messages, inquiries: ArrayQueue::new(INQUIRIES_MAX) }
    }
}
