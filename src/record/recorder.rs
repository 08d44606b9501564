//! From the ingest thread's queue to the files.

use super::segment::SegmentError;
use super::writer::{Summary, Writer};
use crate::feed::{FeedCondition, IngestHandle, Inlet, TickLines};
use crate::market::{Channel, FeedState, Tick, TickBody};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Ticks between two looks at clock, signals and disk: some milliseconds of work.
const BATCH_TICKS: usize = 4_096;

/// How late a signal is noticed while nothing comes.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// How often it is looked whether the ingest thread has ended, which takes it one turn.
const STOP_LOOK: Duration = Duration::from_millis(1);

/// What was recorded. Bars are made of trades where the feed numbers nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Lines by `Channel as usize`.
    pub lines: [u64; 3],
    /// Gaps, and the trades that they tell of.
    pub gaps: u64,
    pub missing_trades: u64,
    /// How often sequence numbers began anew.
    pub new_epochs: u64,
    pub written: Summary,
}

/// Why a recording ended before its time. What was written is kept.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("the ingest thread has ended; its reason stands in the log above")]
    Ingest,
}

/// Takes ticks from one inlet, and makes lines of them.
pub struct Recorder {
    inlet: Arc<Inlet>,
    ingest: IngestHandle,
    names: TickLines,
    writer: Writer,
    recorded: Recorded,
    /// By line of feeds, whether its newest state is "down".
    is_down: Vec<bool>,
}

impl Recorder {
    /// `inlet` is the only one that `ingest` fills.
    pub fn new(inlet: Arc<Inlet>, ingest: IngestHandle, writer: Writer) -> Recorder {
        let (names, recorded) = (TickLines::default(), Recorded::default());
        Recorder { inlet, ingest, names, writer, recorded, is_down: Vec::new() }
    }

    /// Records until every feed has ended, `deadline`, or `stop`, and then ends the feeds.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        deadline: Option<Instant>,
    ) -> (Recorded, Result<(), RecordingError>) {
        let mut result = self.follow(stop, deadline);
        self.ingest.stop();
        while self.ingest.is_running() {
            // It may wait for room in the queue.
            result = result.and_then(|()| Ok(self.take_batch().map(drop)?));
            thread::park_timeout(STOP_LOOK);
        }
        let is_broken =
            |result: &Result<(), RecordingError>| matches!(result, Err(RecordingError::Segment(_)));
        if !is_broken(&result) {
            result = result.and(self.rest().map_err(RecordingError::from));
        }
        let (written, ended) =
            if is_broken(&result) { self.writer.give_up() } else { self.writer.finish() };
        self.recorded.written = written;
        (self.recorded, result.and(ended.map_err(RecordingError::from)))
    }

    fn follow(
        &mut self,
        stop: &AtomicBool,
        deadline: Option<Instant>,
    ) -> Result<(), RecordingError> {
        loop {
            let was_running = self.ingest.is_running();
            let count = self.take_batch()?;
            let now = Instant::now();
            let due = self.writer.turn(now)?;
            let is_over = deadline.is_some_and(|deadline| now >= deadline);
            if stop.load(Ordering::Relaxed) || is_over || (count == 0 && self.has_ended()) {
                return Ok(());
            }
            if count > 0 {
                continue;
            }
            if !was_running {
                return Err(RecordingError::Ingest);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            let wait = [due, left].into_iter().flatten().fold(WAIT_MAX, Duration::min);
            let inlet = &self.inlet;
            inlet.bell().wait(wait, || !inlet.is_empty());
        }
    }

    /// Nothing comes any more: a line's "down" is its last tick, and no feed is started again.
    fn has_ended(&self) -> bool {
        let mut feeds = self.ingest.counters().feeds.iter();
        let is_over = feeds.all(|feed| feed.condition() == FeedCondition::Ended);
        is_over && !self.is_down.is_empty() && self.is_down.iter().all(|is_down| *is_down)
    }

    /// What the ingest thread had given when it ended.
    fn rest(&mut self) -> Result<(), SegmentError> {
        while self.take_batch()? > 0 {}
        Ok(())
    }

    fn take_batch(&mut self) -> Result<usize, SegmentError> {
        for count in 0..BATCH_TICKS {
            let Some(tick) = self.inlet.pop() else { return Ok(count) };
            self.take(&tick)?;
        }
        Ok(BATCH_TICKS)
    }

    fn take(&mut self, tick: &Tick) -> Result<(), SegmentError> {
        if let TickBody::Epoch { .. } = tick.body() {
            // A file has one epoch, so that each can be replayed as a sequence of its own.
            self.recorded.new_epochs += 1;
            return self.writer.cut();
        }
        if let TickBody::FeedState { feed, state, .. } = tick.body() {
            let line = usize::from(feed.0);
            self.is_down.resize(self.is_down.len().max(line + 1), false);
            self.is_down[line] = state == FeedState::Down;
        }
        let Some(line) = self.names.take(tick, self.writer.lines()) else { return Ok(()) };
        if let TickBody::Lost { .. } = tick.body() {
            self.recorded.gaps += 1;
            if line.channel == Channel::Trades {
                self.recorded.missing_trades += line.to + 1 - line.from;
            }
        } else {
            self.recorded.lines[line.channel as usize] += 1;
        }
        self.writer.added()
    }
}
