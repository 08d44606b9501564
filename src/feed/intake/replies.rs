//! What a publisher is told of its lines, in bounded memory: nothing here waits for it.

use crossbeam::queue::ArrayQueue;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Notify, oneshot};

/// Answers to one connection that its socket has not taken yet. Of more, the newest ack stands for
/// all before it, and errors are counted.
const WAITING_MAX: usize = 64;

/// Errors about single lines, a second and connection; the others are counted.
const ERRORS_PER_SECOND: u32 = 20;

const SECOND_NS: i64 = 1_000_000_000;

/// A connection whose input pauses for so long gets an ack: long enough that one written line by
/// line gets some hundred a second and not one for each.
const PAUSE_NS: i64 = 5_000_000;

/// Errors that the answer to one body lists.
const ERRORS_LISTED_MAX: usize = 100;

/// What became of one connection's lines; `lines` is the sum of the others. Blank lines and
/// requests do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub lines: u64,
    /// Taken, among them those that an option of the feed leaves out.
    pub records: u64,
    /// No records.
    pub bad: u64,
    /// Records that got no number.
    pub refused: u64,
    /// Records that had come before, by their number.
    pub duplicates: u64,
}

/// What is wrong with one line, numbered from 1 with every line of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineError {
    pub line: u64,
    pub msg: String,
}

/// What became of the lines of one body.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub counts: Counts,
    /// The first hundred.
    pub errors: Vec<LineError>,
}

#[derive(Serialize)]
struct Ack<'a> {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(flatten)]
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "is_zero")]
    suppressed: u64,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    #[serde(rename = "T")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    msg: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    suppressed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Whom the ingest thread answers.
pub enum Replies {
    /// A connection: acks and errors, if it asks for them.
    Lines(LineReplies),
    /// Who waits for what became of a whole body.
    Report { errors: Vec<LineError>, to: Option<oneshot::Sender<Report>> },
}

/// The answers of one connection, on their way out.
pub struct LineReplies {
    outgoing: Arc<Outgoing>,
    acks: Option<Acks>,
}

struct Acks {
    every: u64,
    id: Option<Box<RawValue>>,
    /// Lines of the last ack.
    acked: u64,
    /// When the newest line came.
    line_ns: i64,
    /// Of errors: since when they are counted, and how many were sent and left out since then.
    second_ns: i64,
    sent: u32,
    suppressed: u64,
}

/// Lines from the ingest thread to a connection's writer.
#[derive(Debug)]
pub struct Outgoing {
    lines: ArrayQueue<Answer>,
    /// The newest ack, where `lines` had no room.
    owed: ArrayQueue<Answer>,
    /// The number of the ack that was written last.
    written: AtomicU64,
    has_ended: AtomicBool,
    wake: Notify,
}

#[derive(Debug)]
struct Answer {
    /// Of an ack: how many lines it counts, and one more.
    ack: Option<u64>,
    text: String,
}

impl Default for Outgoing {
    fn default() -> Outgoing {
        Outgoing {
            lines: ArrayQueue::new(WAITING_MAX),
            owed: ArrayQueue::new(1),
            written: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }
}

impl Outgoing {
    /// The next text to write; `None` once all is written that ever comes.
    pub async fn next(&self) -> Option<String> {
        loop {
            // Asked first: what was left before the end is then seen below.
            let has_ended = self.has_ended.load(Ordering::Acquire);
            if let Some(answer) = self.lines.pop().or_else(|| self.owed.pop()) {
                // Between the two looks many may have come: what is owed is then the newest, and
                // says what those acks would.
                let written = self.written.load(Ordering::Relaxed);
                if answer.ack.is_some_and(|ack| ack < written) {
                    continue;
                }
                self.written.store(answer.ack.unwrap_or(written), Ordering::Relaxed);
                return Some(answer.text);
            }
            if has_ended {
                return None;
            }
            self.wake.notified().await;
        }
    }

    /// The error gives it back: there is no room.
    fn push(&self, answer: Answer) -> Result<(), Answer> {
        let pushed = self.lines.push(answer);
        self.wake.notify_one();
        pushed
    }

    fn push_ack(&self, ack: Answer) {
        // This one says what it would.
        self.owed.pop();
        if let Err(ack) = self.push(ack) {
            self.owed.force_push(ack);
            self.wake.notify_one();
        }
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

impl Replies {
    pub fn to_connection(outgoing: Arc<Outgoing>) -> Replies {
        Replies::Lines(LineReplies { outgoing, acks: None })
    }

    pub fn to_body(to: oneshot::Sender<Report>) -> Replies {
        Replies::Report { errors: Vec::new(), to: Some(to) }
    }

    /// The publisher asks for acks from now on, and gets the first at once.
    pub fn ask_acks(&mut self, every: u64, id: Option<String>, counts: Counts) {
        let Replies::Lines(replies) = self else { return };
        let id = id.and_then(|id| RawValue::from_string(id).ok());
        let (acked, line_ns, second_ns) = (counts.lines, 0, 0);
        let acks = Acks { every, id, acked, line_ns, second_ns, sent: 0, suppressed: 0 };
        replies.acks = Some(acks);
        replies.ack(counts);
    }

    /// Whether errors are of use to anyone: only then their text is made.
    pub fn wants_errors(&self) -> bool {
        match self {
            Replies::Lines(replies) => replies.acks.is_some(),
            Replies::Report { .. } => true,
        }
    }

    pub fn error(&mut self, line: u64, msg: &str, now_ns: i64) {
        match self {
            Replies::Lines(replies) => replies.error(line, msg, now_ns),
            Replies::Report { errors, .. } if errors.len() < ERRORS_LISTED_MAX => {
                errors.push(LineError { line, msg: msg.to_string() });
            }
            Replies::Report { .. } => {}
        }
    }

    /// A line was judged.
    pub fn counted(&mut self, counts: Counts, now_ns: i64) {
        let Replies::Lines(replies) = self else { return };
        let Some(acks) = &mut replies.acks else { return };
        acks.line_ns = now_ns;
        if counts.lines - acks.acked >= acks.every {
            replies.ack(counts);
        }
    }

    /// Nothing is there to be judged. Gives when to ask again.
    pub fn paused(&mut self, counts: Counts, now_ns: i64) -> Option<i64> {
        let Replies::Lines(replies) = self else { return None };
        let acks = replies.acks.as_ref().filter(|acks| acks.acked < counts.lines)?;
        let due_ns = acks.line_ns + PAUSE_NS;
        // A clock that was set back is no reason to wait.
        if (acks.line_ns..due_ns).contains(&now_ns) {
            return Some(due_ns);
        }
        replies.ack(counts);
        None
    }

    /// All lines are judged.
    pub fn end(&mut self, counts: Counts) {
        match self {
            Replies::Lines(replies) => {
                if replies.acks.is_some() {
                    replies.ack(counts);
                }
                replies.outgoing.end();
            }
            Replies::Report { errors, to } => {
                let errors = std::mem::take(errors);
                if let Some(to) = to.take() {
                    // Who asked may have gone.
                    let _ = to.send(Report { counts, errors });
                }
            }
        }
    }
}

impl Drop for Replies {
    /// A feed that ends lets nobody wait for it.
    fn drop(&mut self) {
        if let Replies::Lines(replies) = self {
            replies.outgoing.end();
        }
    }
}

impl LineReplies {
    fn ack(&mut self, counts: Counts) {
        let Some(acks) = &mut self.acks else { return };
        acks.acked = counts.lines;
        let suppressed = std::mem::take(&mut acks.suppressed);
        let ack = Ack { kind: "ack", counts, id: acks.id.as_deref(), suppressed };
        self.outgoing.push_ack(Answer { ack: Some(counts.lines + 1), text: line(&ack) });
    }

    fn error(&mut self, number: u64, msg: &str, now_ns: i64) {
        let Some(acks) = &mut self.acks else { return };
        if !(acks.second_ns..acks.second_ns.saturating_add(SECOND_NS)).contains(&now_ns) {
            (acks.second_ns, acks.sent) = (now_ns, 0);
        }
        if acks.sent < ERRORS_PER_SECOND {
            let (kind, line_number, suppressed) = ("error", Some(number), acks.suppressed);
            let text = line(&ErrorLine { kind, line: line_number, msg, suppressed });
            if self.outgoing.push(Answer { ack: None, text }).is_ok() {
                (acks.sent, acks.suppressed) = (acks.sent + 1, 0);
                return;
            }
        }
        acks.suppressed += 1;
    }
}

/// The line for a connection that is not taken.
pub fn refusal(msg: &str) -> String {
    line(&ErrorLine { kind: "error", line: None, msg, suppressed: 0 })
}

fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("texts and numbers always serialize");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
