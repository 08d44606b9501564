//! Lines with their priority in front, where the journal reads them: `<4>` for a warning, as
//! sd-daemon(3) has it. It takes the number off again and files the line by it, so that
//! `journalctl -p warning` shows warnings.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Standard error, for the log's events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    is_journal: bool,
}

/// One event on its way.
pub(super) struct Line {
    prefix: &'static str,
}

impl Lines {
    pub fn new() -> Lines {
        let stream = env::var("JOURNAL_STREAM").unwrap_or_default();
        let own = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        let own = own.and_then(|file| file.metadata());
        Lines { is_journal: own.is_ok_and(|own| names(&stream, own.dev(), own.ino())) }
    }
}

/// Whether `JOURNAL_STREAM` means this file: a child's standard error may be another one.
fn names(stream: &str, device: u64, inode: u64) -> bool {
    stream
        .split_once(':')
        .is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { prefix: "" }
    }

    fn make_writer_for(&self, meta: &Metadata<'_>) -> Line {
        Line { prefix: if self.is_journal { priority(*meta.level()) } else { "" } }
    }
}

impl Write for Line {
    /// The whole event at once, since other threads write as well.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        match self.prefix {
            "" => io::stderr().write_all(event)?,
            prefix => io::stderr().write_all(&[prefix.as_bytes(), event].concat())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_its_file_and_no_other_is() {
        assert!(names("9:4711", 9, 4711));
        for stream in ["", "9", "9:", "9:4712", "8:4711", "9:4711:1", ":"] {
            assert!(!names(stream, 9, 4711), "{stream}");
        }
    }

    #[test]
    fn a_level_is_a_priority_of_syslog() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), ["<3>", "<4>", "<6>", "<7>", "<7>"]);
    }
}
