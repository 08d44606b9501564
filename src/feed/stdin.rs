//! Standard input as a feed: a thread reads, because only a thread of its own may block.

use super::line_records::{LineRecords, Taken};
use super::source::{Next, Sink, Source};
use crossbeam::channel::{self, Receiver, Sender, TryRecvError};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::thread::{self, Thread};

/// One read: what a pipe holds.
const BLOCK_BYTES: usize = 64 * 1024;

/// Blocks between the reader and the ingest thread. A full channel stops the reader, and so the
/// writer of the pipe.
const BLOCKS_MAX: usize = 4;

type Block = io::Result<Vec<u8>>;

/// What can be read, and be waited for.
trait Input: Read + AsFd + Send {}

impl<T: Read + AsFd + Send> Input for T {}

/// Lines of a pipe as a source. Not live: the pipe waits for the slowest shard.
pub struct Stdin {
    state: State,
    text: LineRecords,
    /// A block that is not wholly in `text` yet, and how much of it is.
    block: Vec<u8>,
    used: usize,
    epoch: Option<String>,
}

enum State {
    /// The reader starts with the first poll, which tells it the thread to wake.
    New(Box<dyn Input>),
    Reading(Receiver<Block>),
    /// Nothing more comes; lines may be left.
    AtEnd,
}

impl Stdin {
    pub fn standard_input() -> Stdin {
        Stdin::new(Box::new(io::stdin()))
    }

    fn new(input: Box<dyn Input>) -> Stdin {
        let text = LineRecords::new("stdin".into());
        Stdin { state: State::New(input), text, block: Vec::new(), used: 0, epoch: None }
    }

    /// Moves bytes into `text`; `Some` where none are there or none can come.
    fn fill(&mut self) -> Option<Next> {
        if self.used < self.block.len() {
            let space = self.text.lines.space();
            let count = space.len().min(self.block.len() - self.used);
            space[..count].copy_from_slice(&self.block[self.used..self.used + count]);
            self.text.lines.filled(count);
            self.used += count;
            return None;
        }
        match std::mem::replace(&mut self.state, State::AtEnd) {
            State::New(input) => match spawn_reader(input, thread::current()) {
                Ok(blocks) => self.state = State::Reading(blocks),
                Err(why) => return Some(Next::Failed(format!("stdin: no thread to read: {why}"))),
            },
            State::Reading(blocks) => match blocks.try_recv() {
                Ok(Ok(block)) => {
                    (self.block, self.used) = (block, 0);
                    self.state = State::Reading(blocks);
                }
                Ok(Err(why)) => return Some(Next::Failed(format!("stdin: cannot read: {why}"))),
                Err(TryRecvError::Empty) => {
                    self.state = State::Reading(blocks);
                    return Some(Next::Wake);
                }
                Err(TryRecvError::Disconnected) => {}
            },
            State::AtEnd => return Some(Next::Ended),
        }
        None
    }
}

impl Source for Stdin {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        for _ in 0..budget {
            let at_end = matches!(self.state, State::AtEnd) && self.used == self.block.len();
            match self.text.next_record(at_end, now_ns) {
                Some(Taken::Record(record)) => drop(sink(record)),
                Some(Taken::Nothing) => {
                    if let Some(epoch) = self.text.take_epoch() {
                        self.epoch = Some(epoch);
                        return Next::More;
                    }
                }
                None => {
                    if let Some(next) = self.fill() {
                        return next;
                    }
                }
            }
        }
        Next::More
    }

    fn is_live(&self) -> bool {
        false
    }

    /// The reader and what it read are untouched by a panic over a line. An input that cannot be
    /// read has no second beginning.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        let reads = matches!(self.state, State::New(_) | State::Reading(_));
        let has_more = reads || self.used < self.block.len();
        has_more.then_some(Ok(()))
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

/// The thread ends at the end of its input, or when the source is gone and the next block comes;
/// one that waits for input at the end of the process ends with it.
fn spawn_reader(mut input: Box<dyn Input>, ingest: Thread) -> io::Result<Receiver<Block>> {
    let (sender, receiver) = channel::bounded(BLOCKS_MAX);
    thread::Builder::new().name("feed-stdin".into()).spawn(move || {
        read_blocks(&mut *input, &sender, &ingest);
        // Only a closed channel is the end: the ingest thread must look once more after this.
        drop(sender);
        ingest.unpark();
    })?;
    Ok(receiver)
}

fn read_blocks(input: &mut dyn Input, blocks: &Sender<Block>, ingest: &Thread) {
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        let block = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // Whoever else has the pipe may have made it so.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_readable(input);
                continue;
            }
            Err(error) => Err(error),
        };
        let last = block.is_err();
        if blocks.send(block).is_err() || last {
            return;
        }
        ingest.unpark();
    }
}

/// What fails is told by the read that follows.
fn wait_readable(input: &dyn Input) {
    let mut look = [PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN)];
    let _ = poll(&mut look, None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::{Duration, Instant};

    /// Method: a real pipe; the writer sends lines in pieces that do not end where lines do. Each
    /// wake-up must come by unpark: the deadline is longer than the test may take.
    #[test]
    fn a_pipe_becomes_records_and_ends() {
        let (reader, writer) = io::pipe().expect("a pipe");
        becomes_records_and_ends(reader, writer);
    }

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (reader, writer) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&reader, true).expect("pipes can");
        becomes_records_and_ends(reader, writer);
    }

    fn becomes_records_and_ends(reader: io::PipeReader, mut writer: io::PipeWriter) {
        let mut source = Stdin::new(Box::new(reader));
        let writing = thread::spawn(move || {
            let line = r#"{"T":"t","S":"A","p":1,"s":1,"t":5}"#;
            let text = format!("{line}\nbad\n").repeat(3_000) + line;
            thread::sleep(Duration::from_millis(20)); // so that who reads must wait
            for piece in text.as_bytes().chunks(1_009) {
                writer.write_all(piece).expect("the pipe is read");
            }
        });
        let (mut given, start) = (0, Instant::now());
        loop {
            match source.poll(0, 100, &mut |_| {
                given += 1;
                Ok(())
            }) {
                Next::More => {}
                Next::Wake => thread::park_timeout(Duration::from_secs(10)),
                Next::Ended => break,
                other => panic!("{other:?}"),
            }
            assert!(start.elapsed() < Duration::from_secs(10), "no wake-up came");
        }
        assert_eq!((given, source.bad_lines_count()), (3_001, 3_000));
        writing.join().expect("all was written");
    }

    #[test]
    fn an_error_of_the_input_fails_the_feed() {
        let directory = std::fs::File::open("/").expect("it is there");
        let mut source = Stdin::new(Box::new(directory));
        let failed = loop {
            match source.poll(0, 1, &mut |_| Ok(())) {
                Next::Failed(why) => break why,
                _ => thread::park_timeout(Duration::from_millis(100)),
            }
        };
        assert!(failed.contains("Is a directory"), "{failed}");
    }
}
