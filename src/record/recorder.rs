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
        let recorded = &mut self.recorded;
        if let TickBody::Lost { channel, from, to, .. } = tick.body() {
            let missing = if channel == Channel::Trades { to + 1 - from } else { 0 };
            recorded.gaps += 1;
            recorded.missing_trades += missing;
        } else {
            recorded.lines[line.channel as usize] += 1;
        }
        self.writer.added()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Ingest, Retry};
    use crate::market::{Feed, Head, Name, Symbol, SymbolId, Trade};
    use crate::record::{Cuts, Folder};

    fn trade(seq: u64) -> TickBody {
        let (symbol, event_ns, ingest_ns) = (SymbolId(0), 5, 5);
        let head = Head { symbol, seq, event_ns, ingest_ns, price_scale: 1, size_scale: 0 };
        let (exchange, tape, conditions) = (0, 0, 0);
        let trade = Trade { id: None, price: 15, size: 2, exchange, tape, conditions };
        TickBody::Trade(head, trade)
    }

    /// Method: a queue that is filled before, with a new epoch and a loss in it; no feed runs.
    #[test]
    fn a_file_has_one_epoch_and_losses_are_lines_that_are_counted() {
        let name = format!("tapecast-recorder-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        let (folder, _) = Folder::open(&path, "r").expect("a folder");
        let cuts = Cuts { bytes: 1 << 30, time: Duration::from_secs(3_600) };
        let writer = Writer::new(folder, cuts, 3, Instant::now());
        let inlet = Arc::new(Inlet::new(64).expect("a descriptor"));
        let (symbol, channel) = (SymbolId(0), Channel::Trades);
        let (feed, name) = (Feed(0), Symbol::parse("A").expect("a symbol"));
        for body in [
            TickBody::Symbol { id: symbol, name, feed },
            trade(1),
            TickBody::Epoch { feed, epoch: Name::new("e2").expect("short") },
            TickBody::Lost { symbol, channel, from: 1, to: 4, ingest_ns: 5 },
            trade(5),
            TickBody::Lost { symbol, channel, from: 6, to: 8, ingest_ns: 5 },
            TickBody::FeedState { feed, state: FeedState::Down, last_ns: 5 },
        ] {
            inlet.push(Tick::new(body)).expect("room");
        }
        let inlets = vec![Arc::clone(&inlet)];
        let ingest = Ingest::spawn(vec![], vec![], inlets, "e1", 5_000, Retry::default());
        let recorder = Recorder::new(inlet, ingest.expect("a thread"), writer);
        let (recorded, result) = recorder.run(&AtomicBool::new(false), None);
        result.expect("a disk");
        assert_eq!((recorded.lines, recorded.new_epochs), ([2, 0, 0], 1));
        assert_eq!((recorded.gaps, recorded.missing_trades), (2, 7));
        let texts: Vec<String> = recorded.written.files.iter().map(|path| text_of(path)).collect();
        let line = |seq| {
            let time = "1970-01-01T00:00:00.000000005Z";
            format!(r#"{{"T":"t","S":"A","p":1.5,"s":2,"sq":{seq},"t":"{time}"}}"#) + "\n"
        };
        let gap = |from: u64, to: u64| {
            format!(r#"{{"T":"gap","S":"A","ch":"trades","from":{from},"to":{to}}}"#) + "\n"
        };
        assert_eq!(texts, [line(1), gap(1, 4) + &line(5) + &gap(6, 8)]);
        std::fs::remove_dir_all(&path).expect("it is ours");
    }

    fn text_of(path: &std::path::Path) -> String {
        let bytes = std::fs::read(path).expect("it is there");
        String::from_utf8(zstd::decode_all(&bytes[..]).expect("frames")).expect("text")
    }
}
