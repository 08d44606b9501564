//! NATS as a feed: the ingest thread's side of it.

use super::connect::Servers;
use super::counters::NatsCounters;
use super::outbox::{Item, Outbox, outbox};
use super::reader::Reader;
use super::subject::Prefix;
use crate::config::NatsSettings;
use crate::feed::line_records::{LineRecords, Taken};
use crate::feed::source::{Next, Sink, Source};
use crate::market::FeedState;
use std::io;
use std::sync::Arc;
use std::thread;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

/// What is followed, and how: `nats:URL[,OPTION…]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Following {
    /// One, or several of one cluster with commas between; `nats:` may be left out before
    /// `nats://`.
    pub servers: Servers,
    /// `subject=tape.>`.
    pub prefix: Prefix,
    /// `history=auto|off`: whether a stream of JetStream is read, where there is one.
    pub history: bool,
    /// Of the server.
    pub settings: NatsSettings,
    /// Messages of trades that are read at the beginning, at most: what a tape can hold.
    pub trades_max: u64,
}

/// Live lines of publishers, with what the stream has of before put where it belongs.
pub struct NatsFeed {
    following: Following,
    counters: Arc<NatsCounters>,
    /// `None` before the first poll, which tells the reader the thread to wake.
    items: Option<Receiver<Item>>,
    text: LineRecords,
    /// A block that is not wholly in `text` yet, and how much of it is.
    block: Vec<u8>,
    used: usize,
    epoch: Option<String>,
    waits: bool,
}

/// Why there are no more lines for now.
enum Pause {
    Nothing,
    Boundary,
    Dead,
}

impl NatsFeed {
    pub fn new(following: Following) -> NatsFeed {
        let text = LineRecords::new(format!("nats {}", following.servers));
        NatsFeed {
            following,
            counters: Arc::default(),
            items: None,
            text,
            block: Vec::new(),
            used: 0,
            epoch: None,
            waits: false,
        }
    }

    /// Moves bytes into `text`.
    fn fill(&mut self) -> Result<(), Pause> {
        if self.used < self.block.len() {
            let space = self.text.lines.space();
            let count = space.len().min(self.block.len() - self.used);
            space[..count].copy_from_slice(&self.block[self.used..self.used + count]);
            self.text.lines.filled(count);
            self.used += count;
            return Ok(());
        }
        let items = self.items.as_mut().expect("the reader was started by this poll");
        match items.try_recv() {
            Ok(Item::Lines(block)) => {
                (self.block, self.used) = (block, 0);
                Ok(())
            }
            Ok(Item::Epoch(epoch)) => {
                self.epoch = Some(epoch);
                Err(Pause::Boundary)
            }
            Ok(Item::Waits(waits)) => {
                self.waits = waits;
                Err(Pause::Boundary)
            }
            Err(TryRecvError::Empty) => Err(Pause::Nothing),
            Err(TryRecvError::Disconnected) => Err(Pause::Dead),
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let (outbox, items) = outbox(thread::current());
        spawn_reader(self.following.clone(), Arc::clone(&self.counters), outbox)?;
        self.items = Some(items);
        Ok(())
    }
}

impl Source for NatsFeed {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        if self.items.is_none()
            && let Err(why) = self.start()
        {
            return Next::Failed(format!("nats: no thread to read: {why}"));
        }
        for _ in 0..budget {
            match self.text.next_record(false, now_ns) {
                // What is refused is counted where it is.
                Some(Taken::Record(record)) => drop(sink(record)),
                Some(Taken::Nothing) => {}
                None => match self.fill() {
                    Ok(()) => {}
                    Err(Pause::Boundary) => return Next::More,
                    Err(Pause::Nothing) => return Next::Wake,
                    Err(Pause::Dead) => return Next::Failed("nats: its thread has ended".into()),
                },
            }
        }
        Next::More
    }

    /// What is read from the stream can wait.
    fn is_live(&self) -> bool {
        !self.waits
    }

    /// A new thread begins as at the start; what comes twice is dropped by its numbers.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        (self.items, self.waits) = (None, false);
        (self.block, self.used) = (Vec::new(), 0);
        self.text.start_over();
        Some(Ok(()))
    }

    fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    fn recover(&mut self) -> bool {
        let has_history = self.counters.has_history();
        if has_history {
            self.counters.missing.notify_one();
        }
        has_history
    }

    fn state(&self) -> Option<FeedState> {
        self.counters.state()
    }

    fn nats(&self) -> Option<Arc<NatsCounters>> {
        Some(Arc::clone(&self.counters))
    }

    fn enable_faults(&mut self) {
        self.text.enable_faults();
    }

    fn bad_lines_count(&self) -> u64 {
        self.text.bad_count()
    }
}

/// The thread ends when the source is gone.
fn spawn_reader(
    following: Following,
    counters: Arc<NatsCounters>,
    outbox: Outbox,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("feed-nats".into()).spawn(move || {
        runtime.block_on(Reader::new(following, counters, outbox).run());
        // A task of the client that is still busy is not waited for.
        runtime.shutdown_background();
    })?;
    Ok(())
}
