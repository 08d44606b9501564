//! A recording, read again: paced as it happened, faster, or as fast as the shards take it.

use super::line_records::{LineRecords, Taken};
use super::source::{Next, Sink, Source, Subscribed};
use super::spec::{FeedOpenError, ReplaySpec};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

/// How often the number of subscribed sessions is looked at while `wait=N` holds.
const WAIT_POLL_NS: i64 = 20_000_000;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A file of lines as a source. Not live: it waits for the slowest shard.
pub struct Replay {
    spec: ReplaySpec,
    subscribed: Subscribed,
    begun: bool,
    input: Box<dyn Read + Send>,
    at_end: bool,
    text: LineRecords,
    pace: ReplayPace,
    /// Records of this pass over the file.
    given_count: u64,
    /// Lines that were given before the file was opened again.
    skip_count: u64,
    epoch: Option<String>,
}

impl Replay {
    pub fn open(spec: &ReplaySpec, subscribed: &Subscribed) -> Result<Replay, FeedOpenError> {
        let path = &spec.path;
        let wrong = |why| FeedOpenError::Replay { path: path.clone(), why };
        // Asked before opening: to open a pipe without a writer would block.
        if !fs::metadata(path).map_err(wrong)?.is_file() {
            return Err(FeedOpenError::NotAFile(path.clone()));
        }
        Ok(Replay {
            input: open(path).map_err(wrong)?,
            subscribed: subscribed.clone(),
            begun: spec.wait == 0,
            at_end: false,
            text: LineRecords::new(format!("replay:{}", path.display())),
            pace: ReplayPace { speed: spec.speed, anchor: None },
            given_count: 0,
            skip_count: 0,
            epoch: None,
            spec: spec.clone(),
        })
    }

    /// Reads the next block; the error is the text for `Next::Failed`.
    fn read(&mut self) -> Result<(), String> {
        match self.input.read(self.text.lines.space()) {
            Ok(0) => self.at_end = true,
            Ok(count) => self.text.lines.filled(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let (path, line) = (self.spec.path.display(), self.text.lines.number());
                let cure = "the file is damaged or cut short; copy it again";
                return Err(format!("cannot read {path} after line {line}: {error}; {cure}"));
            }
        }
        Ok(())
    }

    fn end_pass(&mut self) -> Next {
        let path = self.spec.path.display();
        if !self.spec.repeat {
            return Next::Ended;
        }
        if self.given_count == 0 {
            return Next::Failed(format!("{path} has no good line, so it cannot loop"));
        }
        match open(&self.spec.path) {
            Ok(input) => self.input = input,
            Err(why) => return Next::Failed(format!("cannot open {path} again to loop: {why}")),
        }
        (self.at_end, self.given_count, self.skip_count) = (false, 0, 0);
        self.pace.anchor = None;
        self.text.start_over();
        // Times of now go on; times of the file begin again.
        if self.spec.restamp { Next::More } else { Next::Again }
    }
}

impl Source for Replay {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        if !self.begun && (self.subscribed)() < self.spec.wait {
            return Next::At(now_ns + WAIT_POLL_NS);
        }
        self.begun = true;
        for _ in 0..budget {
            let taken = if self.text.lines.number() < self.skip_count {
                self.text.skip_line(self.at_end).map(|()| Taken::Nothing)
            } else {
                self.text.next_record(self.at_end, now_ns)
            };
            match taken {
                Some(Taken::Record(mut record)) => {
                    let due_ns = self.pace.due_ns(record.event_ns, now_ns);
                    if due_ns > now_ns {
                        drop(record);
                        self.text.lines.put_back();
                        return Next::At(due_ns);
                    }
                    if self.spec.restamp {
                        record.event_ns = now_ns;
                    }
                    self.given_count += 1;
                    sink(record).ok();
                }
                Some(Taken::Nothing) => {
                    if let Some(epoch) = self.text.take_epoch() {
                        self.epoch = Some(epoch);
                        return Next::More;
                    }
                }
                None if self.at_end => return self.end_pass(),
                None => {
                    if let Err(why) = self.read() {
                        return Next::Failed(why);
                    }
                }
            }
        }
        Next::More
    }

    fn is_live(&self) -> bool {
        false
    }

    /// Goes on behind the last line that was read whole: what it held was given, or is what the
    /// source died of.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        let why = |why| format!("cannot open {} again: {why}", self.spec.path.display());
        Some(open(&self.spec.path).map_err(why).map(|input| {
            self.input = input;
            self.skip_count = self.text.lines.number();
            self.text.start_over();
            (self.at_end, self.pace.anchor) = (false, None);
        }))
    }

    fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    fn enable_epochs(&mut self) {
        self.text.enable_epochs();
    }

    fn enable_faults(&mut self) {
        self.text.enable_faults();
    }

    fn bad_lines_count(&self) -> u64 {
        self.text.bad_count()
    }
}

/// When a record of the file is due.
struct ReplayPace {
    /// `None`: always.
    speed: Option<f64>,
    /// An event time, the time at which it was due, and the latest time seen.
    anchor: Option<Anchor>,
}

#[derive(Clone, Copy)]
struct Anchor {
    event_ns: i64,
    due_ns: i64,
    seen_ns: i64,
}

impl ReplayPace {
    fn due_ns(&mut self, event_ns: i64, now_ns: i64) -> i64 {
        let Some(speed) = self.speed else { return now_ns };
        let first = Anchor { event_ns, due_ns: now_ns, seen_ns: now_ns };
        let anchor = self.anchor.get_or_insert(first);
        if now_ns < anchor.seen_ns {
            // The clock was set back; without this the replay would stand still until then.
            anchor.due_ns = anchor.due_ns.saturating_sub(anchor.seen_ns - now_ns);
        }
        anchor.seen_ns = now_ns;
        let passed_ns = event_ns.saturating_sub(anchor.event_ns) as f64 / speed;
        // A cast from float to integer saturates, so absurd event times stay in range.
        anchor.due_ns.saturating_add(passed_ns as i64)
    }
}

/// The file's text, decompressed if its first bytes say so. A file of several gzip members or
/// zstd frames is read to the end of the last.
fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::with_capacity(64 * 1024, File::open(path)?);
    let magic = file.fill_buf()?;
    if magic.starts_with(&GZIP_MAGIC) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(file)));
    }
    if magic.starts_with(&ZSTD_MAGIC) {
        return Ok(Box::new(zstd::stream::read::Decoder::with_buffer(file)?));
    }
    Ok(Box::new(file))
}

#[cfg(test)]
mod tests;
