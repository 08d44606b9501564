//! From the feed's thread to the ingest thread: blocks of lines, in bounded memory.

use std::collections::VecDeque;
use std::thread::Thread;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// A block is closed when it has so many bytes, or when nothing more is there to be added.
const BLOCK_BYTES: usize = 32 * 1024;

/// Blocks on the way: with the longest message behind each limit, 6 MiB.
const BLOCKS_MAX: usize = 64;

/// Blocks before the queue, while it is full; then nothing is to be added until it took some.
const QUEUED_MAX: usize = 8;

/// Longest payload of a message, in bytes; publishers end theirs at 64 KiB.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What the ingest thread gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// Whole lines of the epoch that was told last.
    Lines(Vec<u8>),
    Epoch(String),
    /// What follows is from the stream and can wait for slow shards (true), or is live.
    Waits(bool),
}

/// The ingest thread is gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

#[derive(Debug)]
pub struct Outbox {
    sender: Sender<Item>,
    /// To be woken.
    ingest: Thread,
    block: Vec<u8>,
    queued: VecDeque<Item>,
    /// What was told last.
    epoch: Option<String>,
    waits: bool,
}

pub fn outbox(ingest: Thread) -> (Outbox, Receiver<Item>) {
    let (sender, receiver) = mpsc::channel(BLOCKS_MAX);
    let (block, queued) = (Vec::new(), VecDeque::new());
    (Outbox { sender, ingest, block, queued, epoch: None, waits: false }, receiver)
}

impl Outbox {
    /// Adds a message's lines.
    pub fn lines(&mut self, epoch: &str, payload: &[u8]) {
        if self.epoch.as_deref() != Some(epoch) {
            self.close_block();
            self.queued.push_back(Item::Epoch(epoch.into()));
            self.epoch = Some(epoch.into());
        }
        self.block.extend_from_slice(payload);
        if payload.last().is_some_and(|last| *last != b'\n') {
            self.block.push(b'\n');
        }
        if self.block.len() >= BLOCK_BYTES {
            self.close_block();
        }
    }

    /// From here on what is given can wait for slow shards, or cannot.
    pub fn waits(&mut self, waits: bool) {
        if self.waits != waits {
            self.close_block();
            self.queued.push_back(Item::Waits(waits));
            self.waits = waits;
        }
    }

    /// Nothing more is there to be added for now.
    pub fn close_block(&mut self) {
        if !self.block.is_empty() {
            self.queued.push_back(Item::Lines(std::mem::take(&mut self.block)));
        }
    }

    pub fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Nothing is to be added: the ingest thread does not keep up.
    pub fn is_backed_up(&self) -> bool {
        self.queued.len() >= QUEUED_MAX
    }

    /// Sends what is queued. May be dropped while it waits, and loses nothing by that.
    pub async fn pump(&mut self) -> Result<(), Gone> {
        while !self.queued.is_empty() {
            let permit = self.sender.reserve().await.map_err(|_| Gone)?;
            if let Some(item) = self.queued.pop_front() {
                permit.send(item);
            }
            self.ingest.unpark();
        }
        Ok(())
    }

    pub fn wake(&self) {
        self.ingest.unpark();
    }

    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}
