//! Records out of a feed's lines; what is no record is counted, logged and skipped.

use super::intake::Control;
use super::lines::{Line, Lines};
use super::log_limit::LogLimit;
use crate::limits::FEED_LINE_BYTES_MAX;
use crate::market::Record;

/// What a line was.
#[derive(Debug, PartialEq)]
pub enum Taken<'a> {
    Record(Record<'a>),
    /// A blank line, or a bad one: counted already.
    Nothing,
}

/// What one line is, before it is counted.
#[derive(Debug, PartialEq)]
pub enum Judged<'a> {
    Record(Record<'a>),
    Blank,
    /// The line, empty where it was too long, and why it is no record.
    Bad {
        line: &'a [u8],
        reason: String,
    },
}

/// Judges the next line; `None` where more bytes are needed for one. `at_end` says that none come,
/// so that a last line needs no newline.
pub fn judge(lines: &mut Lines, at_end: bool, takes_faults: bool) -> Option<Judged<'_>> {
    let number = lines.number() + 1;
    let line = match lines.next_line(at_end)? {
        Line::Whole(line) => line,
        Line::TooLong => {
            let reason =
                format!("it is longer than {FEED_LINE_BYTES_MAX} bytes; write one object a line");
            return Some(Judged::Bad { line: &[], reason });
        }
    };
    if line.trim_ascii().is_empty() {
        return Some(Judged::Blank);
    }
    if takes_faults && is_fault(line) {
        panic!("a fault was asked for by line {number}");
    }
    Some(match Record::parse(line) {
        Ok(record) => Judged::Record(record),
        Err(reason) => Judged::Bad { line, reason: reason.to_string() },
    })
}

/// Lines, and the judgement on each.
#[derive(Debug)]
pub struct LineRecords {
    pub lines: Lines,
    /// What the log calls the feed.
    name: String,
    bad_count: u64,
    warnings: LogLimit,
    /// A line may ask for a panic.
    takes_faults: bool,
    /// A line may begin an epoch.
    takes_epochs: bool,
    /// One that has begun and was not taken notice of.
    epoch: Option<String>,
}

impl LineRecords {
    pub fn new(name: String) -> LineRecords {
        let (lines, warnings) = (Lines::default(), LogLimit::default());
        let (takes_faults, takes_epochs, epoch) = (false, false, None);
        LineRecords { lines, name, bad_count: 0, warnings, takes_faults, takes_epochs, epoch }
    }

    /// The next line; `None` where more bytes are needed for one. `at_end` says that none come,
    /// so that a last line needs no newline.
    pub fn next_record(&mut self, at_end: bool, now_ns: i64) -> Option<Taken<'_>> {
        let number = self.lines.number() + 1;
        let reason = match judge(&mut self.lines, at_end, self.takes_faults)? {
            Judged::Record(record) => return Some(Taken::Record(record)),
            Judged::Blank => return Some(Taken::Nothing),
            Judged::Bad { line, reason } => match Control::parse(line) {
                Some(Ok(Control::Epoch(epoch))) if self.takes_epochs => {
                    self.epoch = Some(epoch);
                    return Some(Taken::Nothing);
                }
                _ => reason,
            },
        };
        self.bad_count += 1;
        if let Some(suppressed) = self.warnings.admit(now_ns) {
            let feed = &self.name;
            tracing::warn!(feed, line = number, suppressed, "bad line skipped: {reason}");
        }
        Some(Taken::Nothing)
    }

    /// Passes over the next line; `None` where more bytes are needed for one.
    pub fn skip_line(&mut self, at_end: bool) -> Option<()> {
        self.lines.next_line(at_end).map(drop)
    }

    /// Lets a line begin an epoch, see [`LineRecords::take_epoch`].
    pub fn enable_epochs(&mut self) {
        self.takes_epochs = true;
    }

    /// The epoch that the last line has begun: to be asked after a line that was nothing else, and
    /// before the next.
    pub fn take_epoch(&mut self) -> Option<String> {
        self.epoch.take()
    }

    pub fn enable_faults(&mut self) {
        self.takes_faults = true;
    }

    /// Forgets what is left of the text: another follows, with line numbers from 1.
    pub fn start_over(&mut self) {
        self.lines = Lines::default();
    }

    /// Lines that were no records, so far.
    pub fn bad_count(&self) -> u64 {
        self.bad_count
    }
}

/// `{"T":"fault"}`, with whatever else.
fn is_fault(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "T")]
        kind: &'a str,
    }
    line.windows(7).any(|part| part == b"\"fault\"")
        && serde_json::from_slice(line).is_ok_and(|line: Kind<'_>| line.kind == "fault")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_ask_for_a_panic_only_where_that_is_enabled() {
        let text = b"{\"T\":\"fault\"}\n{\"T\":\"q\",\"fault\":1}\n";
        let mut records = LineRecords::new("test".into());
        records.lines.space()[..text.len()].copy_from_slice(text);
        records.lines.filled(text.len());
        assert_eq!(records.next_record(true, 0), Some(Taken::Nothing));
        assert_eq!(records.bad_count(), 1);
        records.lines.put_back();
        records.enable_faults();
        let caught = crate::panics::catch(|| records.next_record(true, 0).is_some());
        assert_eq!(caught.expect_err("it panics").message, "a fault was asked for by line 1");
        assert_eq!(records.next_record(true, 0), Some(Taken::Nothing), "the next is no fault");
    }

    #[test]
    fn an_epoch_begins_only_where_that_is_enabled() {
        let text = b"{\"T\":\"epoch\",\"epoch\":\"e-1\"}\n";
        let mut records = LineRecords::new("test".into());
        records.lines.space()[..text.len()].copy_from_slice(text);
        records.lines.filled(text.len());
        assert_eq!(records.next_record(true, 0), Some(Taken::Nothing));
        assert_eq!((records.take_epoch(), records.bad_count()), (None, 1));
        records.lines.put_back();
        records.enable_epochs();
        assert_eq!(records.next_record(true, 0), Some(Taken::Nothing));
        assert_eq!((records.take_epoch().as_deref(), records.bad_count()), (Some("e-1"), 1));
        assert_eq!(records.take_epoch(), None);
    }

    #[test]
    fn bad_lines_are_counted_and_skipped() {
        let good = r#"{"T":"t","S":"A","p":1,"s":1,"t":5}"#;
        let text = format!("{good}\n\n nonsense\n \t\r\n{{}}\n{good}\r\n{good}");
        let mut records = LineRecords::new("test".into());
        records.lines.space()[..text.len()].copy_from_slice(text.as_bytes());
        records.lines.filled(text.len());
        let mut given = 0;
        while let Some(taken) = records.next_record(true, 0) {
            given += u32::from(matches!(taken, Taken::Record(_)));
        }
        assert_eq!((given, records.bad_count(), records.lines.number()), (3, 2, 7));
    }
}
