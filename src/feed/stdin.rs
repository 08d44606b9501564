//! Standard input as a feed: the ingest thread reads it, and waits for it beside all else.

use super::line_records::{LineRecords, Taken};
use super::source::{Next, Sink, Source};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, ReadWriteFlags, preadv2, read};
use std::io::IoSliceMut;
use std::os::fd::BorrowedFd;

/// The offset by which preadv2(2) reads from where the input is: -1.
const HERE: u64 = u64::MAX;

/// Lines of a pipe as a source. Not live: the pipe waits for the slowest shard.
pub struct Stdin {
    input: Input,
    state: State,
    text: LineRecords,
    epoch: Option<String>,
}

/// Read only where that does not wait.
struct Input {
    fd: BorrowedFd<'static>,
    /// The kernel can be asked for that. Elsewhere what was seen to be there may have been taken by
    /// another process that reads the same.
    can_refuse: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more comes; lines may be left.
    AtEnd,
    Failed,
}

impl Stdin {
    pub fn standard_input() -> Stdin {
        Stdin::new(rustix::stdio::stdin())
    }

    fn new(fd: BorrowedFd<'static>) -> Stdin {
        let text = LineRecords::new("stdin".into());
        Stdin { input: Input::new(fd), state: State::Open, text, epoch: None }
    }

    /// Moves bytes into `text`; `Some` where that ends the poll.
    fn fill(&mut self, is_dry: &mut bool) -> Option<Next> {
        if self.state != State::Open {
            return Some(Next::Ended);
        }
        if *is_dry {
            return Some(Next::Input);
        }
        let space = self.text.lines.space();
        let room = space.len();
        match self.input.read(space) {
            Ok(0) => self.state = State::AtEnd,
            Ok(count) => {
                *is_dry = count < room;
                self.text.lines.filled(count);
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Some(Next::Input),
            Err(why) => {
                self.state = State::Failed;
                return Some(Next::Failed(format!("stdin: cannot read: {why}")));
            }
        }
        None
    }
}

impl Source for Stdin {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        // What a read that was not filled has left will end the next wait at once.
        let mut is_dry = false;
        for _ in 0..budget {
            match self.text.next_record(self.state == State::AtEnd, now_ns) {
                Some(Taken::Record(record)) => drop(sink(record)),
                Some(Taken::Nothing) => {
                    if let Some(epoch) = self.text.take_epoch() {
                        self.epoch = Some(epoch);
                        return Next::More;
                    }
                }
                None => {
                    if let Some(next) = self.fill(&mut is_dry) {
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

    /// What was read is untouched by a panic over a line. An input that cannot be read has no
    /// second beginning.
    fn reopen(&mut self) -> Option<Result<(), String>> {
        (self.state != State::Failed).then_some(Ok(()))
    }

    fn input(&self) -> Option<BorrowedFd<'_>> {
        Some(self.input.fd)
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

impl Input {
    fn new(fd: BorrowedFd<'static>) -> Input {
        let kind = fstat(fd).map(|of| FileType::from_raw_mode(of.st_mode));
        Input { fd, can_refuse: matches!(kind, Ok(FileType::Fifo | FileType::Socket)) }
    }

    /// Gives the bytes read, 0 at the end. `EAGAIN`: none are there yet.
    fn read(&mut self, space: &mut [u8]) -> Result<usize, Errno> {
        if self.can_refuse {
            let into = &mut [IoSliceMut::new(space)];
            match preadv2(self.fd, into, HERE, ReadWriteFlags::NOWAIT) {
                Err(Errno::OPNOTSUPP) => self.can_refuse = false,
                taken => return taken,
            }
        }
        let mut look = [PollFd::from_borrowed_fd(self.fd, PollFlags::IN)];
        match poll(&mut look, Some(&Timespec::default()))? {
            0 => Err(Errno::AGAIN),
            _ => read(self.fd, space),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::waker::Waker;
    use std::io::{self, Seek, Write};
    use std::os::fd::{AsFd, OwnedFd};
    use std::thread;
    use std::time::{Duration, Instant};

    /// Longer than any test may take: what ends a wait is not its time.
    const LONG: Duration = Duration::from_secs(100);

    fn source(input: impl Into<OwnedFd>) -> Stdin {
        // Standard input is open as long as the process, and so is this.
        let input: &'static OwnedFd = Box::leak(Box::new(input.into()));
        Stdin::new(input.as_fd())
    }

    /// Polls to the end, waiting where that is asked for; gives the records' number.
    fn run(source: &mut Stdin) -> Result<u64, String> {
        let (mut given, start) = (0, Instant::now());
        loop {
            let next = source.poll(0, 100, &mut |_| {
                given += 1;
                Ok(())
            });
            match next {
                Next::More => {}
                Next::Input => Waker::current().wait(LONG, source.input().into_iter()),
                Next::Ended => return Ok(given),
                Next::Failed(why) => return Err(why),
                other => panic!("{other:?}"),
            }
            assert!(start.elapsed() < LONG / 2, "a wait did not end");
        }
    }

    /// Writes 6,001 lines, every other one bad, in pieces that do not end where lines do, and
    /// starts with a rest.
    fn write(mut to: impl Write) {
        let line = r#"{"T":"t","S":"A","p":1,"s":1,"t":5}"#;
        let text = format!("{line}\nbad\n").repeat(3_000) + line;
        thread::sleep(Duration::from_millis(20)); // so that who reads has to wait
        for piece in text.as_bytes().chunks(1_009) {
            to.write_all(piece).expect("it is read");
        }
    }

    #[test]
    fn a_pipe_becomes_records_and_ends() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut source = source(reader);
        let writing = thread::spawn(move || write(writer));
        assert_eq!((run(&mut source), source.bad_lines_count()), (Ok(3_001), 3_000));
        writing.join().expect("all was written");
    }

    #[test]
    fn an_input_that_cannot_refuse_to_wait_is_looked_at_before() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut source = source(reader);
        source.input.can_refuse = false;
        assert_eq!(source.poll(0, 1, &mut |_| Ok(())), Next::Input, "it must not wait");
        let writing = thread::spawn(move || write(writer));
        assert_eq!((run(&mut source), source.bad_lines_count()), (Ok(3_001), 3_000));
        writing.join().expect("all was written");
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let file = rustix::fs::memfd_create("lines", rustix::fs::MemfdFlags::CLOEXEC);
        let mut file = std::fs::File::from(file.expect("a file"));
        write(&mut file);
        file.rewind().expect("it can");
        let mut source = source(file);
        assert_eq!((run(&mut source), source.bad_lines_count()), (Ok(3_001), 3_000));
    }

    #[test]
    fn an_input_that_cannot_be_read_fails_the_feed_for_good() {
        let directory = std::fs::File::open("/").expect("it is there");
        let mut source = source(directory);
        let why = run(&mut source).expect_err("it is a directory");
        assert!(why.starts_with("stdin: cannot read: Is a directory"), "{why}");
        assert_eq!(source.reopen(), None);
    }
}
