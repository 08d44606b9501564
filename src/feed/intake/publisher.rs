//! One publisher, as the ingest thread sees it: its bytes, its lines, and what it is owed.

use super::super::line_records::{Judged, judge};
use super::super::lines::Lines;
use super::super::numbering::Refusal;
use super::super::source::Sink;
use super::LineRules;
use super::control::Control;
use super::replies::{Counts, Replies};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

/// What its connection read; the error: it was cut, so an unfinished line is none.
pub type Block = Result<Vec<u8>, Cut>;

/// The connection broke, or was ended for being silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut;

/// Lines of one connection, or of one body.
pub struct Publisher {
    /// What the log calls it.
    name: String,
    input: Receiver<Block>,
    lines: Lines,
    /// A block that is not wholly in `lines` yet, and how much of it is.
    block: Vec<u8>,
    used: usize,
    /// Bytes that came since they were last asked for.
    bytes: u64,
    end: End,
    counts: Counts,
    replies: Replies,
    /// Its place among the feed's connections, given back when the connection's task is over too.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// Nothing more comes; lines may be left, the last of them without its newline.
    Closed,
    /// As closed, but the last line was not finished.
    Cut,
}

/// What a turn came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More lines are there.
    More,
    /// Nothing is there; it wants another turn at this time, if any.
    Idle { again_ns: Option<i64> },
    /// It has given everything.
    Ended,
    /// Its next lines are of this epoch.
    Epoch(String),
}

impl Publisher {
    pub fn new(
        name: String,
        input: Receiver<Block>,
        replies: Replies,
        place: Option<Arc<OwnedSemaphorePermit>>,
    ) -> Publisher {
        Publisher {
            name,
            input,
            lines: Lines::default(),
            block: Vec::new(),
            used: 0,
            bytes: 0,
            end: End::Open,
            counts: Counts::default(),
            replies,
            _place: place,
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that came since this was last asked.
    pub fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Judges at most `budget` lines; gives how much of it was used, by blank lines and blocks of
    /// bytes too, since a line need not end.
    pub fn turn(
        &mut self,
        budget: usize,
        now_ns: i64,
        rules: &mut LineRules,
        sink: &mut Sink<'_>,
    ) -> (usize, Progress) {
        let mut used = 0;
        while used < budget {
            let at_end = self.end == End::Closed && self.used == self.block.len();
            used += 1;
            match judge(&mut self.lines, at_end, rules.takes_faults) {
                Some(judged) => {
                    let verdict = Verdict::of(judged, rules.takes_epochs, sink);
                    if let Some(epoch) = self.count(verdict, now_ns, rules) {
                        return (used, Progress::Epoch(epoch));
                    }
                }
                None => {
                    if let Some(progress) = self.fill(now_ns) {
                        return (used, progress);
                    }
                }
            }
        }
        (used, Progress::More)
    }

    /// The last answer: what it gave has its numbers, and was offered to every shard.
    pub fn finish(mut self) {
        self.replies.end(self.counts);
    }

    /// Moves bytes into `lines`; `Some` where none are there.
    fn fill(&mut self, now_ns: i64) -> Option<Progress> {
        if self.used < self.block.len() {
            let space = self.lines.space();
            let count = space.len().min(self.block.len() - self.used);
            space[..count].copy_from_slice(&self.block[self.used..self.used + count]);
            self.lines.filled(count);
            self.used += count;
            return None;
        }
        if self.end != End::Open {
            return Some(Progress::Ended);
        }
        match self.input.try_recv() {
            Ok(Ok(block)) => {
                self.bytes += block.len() as u64;
                (self.block, self.used) = (block, 0);
            }
            Ok(Err(Cut)) => self.end = End::Cut,
            Err(TryRecvError::Disconnected) => self.end = End::Closed,
            Err(TryRecvError::Empty) => {
                let again_ns = self.replies.paused(self.counts, now_ns);
                return Some(Progress::Idle { again_ns });
            }
        }
        None
    }

    /// Counts a line and answers for it. Gives the epoch that it begins.
    fn count(&mut self, verdict: Verdict, now_ns: i64, rules: &mut LineRules) -> Option<String> {
        let number = self.lines.number();
        match verdict {
            Verdict::Blank => return None,
            Verdict::Epoch(epoch) => return Some(epoch),
            Verdict::Acks { every, id } => {
                self.replies.ask_acks(every, id, self.counts);
                return None;
            }
            Verdict::Taken => self.counts.records += 1,
            Verdict::Duplicate => self.counts.duplicates += 1,
            Verdict::Refused(why) => {
                self.counts.refused += 1;
                if self.replies.wants_errors() {
                    self.replies.error(number, &why, now_ns);
                }
            }
            Verdict::Bad(why) => {
                self.counts.bad += 1;
                self.replies.error(number, &why, now_ns);
                if let Some(suppressed) = rules.warnings.admit(now_ns) {
                    let feed = &self.name;
                    tracing::warn!(feed, line = number, suppressed, "bad line skipped: {why}");
                }
            }
        }
        self.counts.lines += 1;
        self.replies.counted(self.counts, now_ns);
        None
    }
}

/// What a line was, and what became of it.
enum Verdict {
    Blank,
    Taken,
    Duplicate,
    Refused(String),
    Bad(String),
    Acks { every: u64, id: Option<String> },
    Epoch(String),
}

impl Verdict {
    fn of(judged: Judged<'_>, takes_epochs: bool, sink: &mut Sink<'_>) -> Verdict {
        let (line, reason) = match judged {
            Judged::Blank => return Verdict::Blank,
            Judged::Record(record) => {
                return match sink(record) {
                    Ok(()) => Verdict::Taken,
                    Err(Refusal::Duplicate(_)) => Verdict::Duplicate,
                    Err(refusal) => Verdict::Refused(refusal.to_string()),
                };
            }
            Judged::Bad { line, reason } => (line, reason),
        };
        match Control::parse(line) {
            Some(Ok(Control::Acks { every, id })) => Verdict::Acks { every, id },
            Some(Ok(Control::Epoch(epoch))) if takes_epochs => Verdict::Epoch(epoch),
            Some(Ok(Control::Epoch(_))) => {
                let why = "an epoch, and this feed gives its own numbers; give the feed line=NAME";
                Verdict::Bad(why.into())
            }
            Some(Err(why)) => Verdict::Bad(why),
            None => Verdict::Bad(reason),
        }
    }
}
