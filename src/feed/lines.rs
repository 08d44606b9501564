//! Lines out of blocks of bytes, in bounded memory.

use crate::limits::FEED_LINE_BYTES_MAX;

/// Room for the longest line and its newline, and as much again: so one read brings many lines,
/// and what is moved to the front between reads stays small beside them.
const BUFFER_BYTES: usize = 2 * (FEED_LINE_BYTES_MAX + 1);

/// One line, without its newline.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Whole(&'a [u8]),
    /// Longer than `FEED_LINE_BYTES_MAX`; its bytes were thrown away as they came.
    TooLong,
}

/// The bytes read and not yet used. Fill it by [`Lines::space`] and [`Lines::filled`], empty it
/// by [`Lines::next_line`].
#[derive(Debug)]
pub struct Lines {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Where the last line began, for [`Lines::put_back`].
    last_start: usize,
    /// Up to where no newline was found, so that a line that comes in pieces is searched once.
    searched: usize,
    /// Within a line that is too long.
    skipping: bool,
    number: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            last_start: 0,
            searched: 0,
            skipping: false,
            number: 0,
        }
    }
}

impl Lines {
    /// The next whole line; `None` where more bytes are needed for one. With `at_end`, when no more
    /// bytes come, what follows the last newline is a line too.
    pub fn next_line(&mut self, at_end: bool) -> Option<Line<'_>> {
        let newline = self.buffer[self.searched..self.end].iter().position(|b| *b == b'\n');
        let Some(at) = newline else {
            return self.rest(at_end);
        };
        let newline = self.searched + at;
        (self.last_start, self.start) = (self.start, newline + 1);
        self.searched = self.start;
        Some(self.line(newline))
    }

    /// The line that was given last is given again next. Valid until more bytes are asked room
    /// for, and only for a whole line.
    pub fn put_back(&mut self) {
        self.start = self.last_start;
        self.searched = self.start;
        self.number -= 1;
    }

    /// Number of the line that was given last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the next bytes belong; never empty once `next_line` gave `None`.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.searched -= self.start;
        self.end -= self.start;
        self.start = 0;
        &mut self.buffer[self.end..]
    }

    /// The first `count` bytes of the space are bytes of the feed now.
    pub fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// What is there without a newline: a line at the end, otherwise the beginning of one.
    fn rest(&mut self, at_end: bool) -> Option<Line<'_>> {
        self.searched = self.end;
        if at_end && (self.start < self.end || self.skipping) {
            (self.last_start, self.start) = (self.start, self.end);
            return Some(self.line(self.end));
        }
        if self.end - self.start > FEED_LINE_BYTES_MAX {
            (self.start, self.skipping) = (self.end, true);
        }
        None
    }

    /// The line from `last_start` to `end`.
    fn line(&mut self, end: usize) -> Line<'_> {
        self.number += 1;
        let bytes = &self.buffer[self.last_start..end];
        if std::mem::take(&mut self.skipping) || bytes.len() > FEED_LINE_BYTES_MAX {
            return Line::TooLong;
        }
        Line::Whole(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of `text` when at most `step` bytes come at a time; a too long one is `None`.
    fn split(text: &[u8], step: usize) -> Vec<Option<Vec<u8>>> {
        let owned = |line: Line<'_>| match line {
            Line::Whole(bytes) => Some(bytes.to_vec()),
            Line::TooLong => None,
        };
        let (mut lines, mut rest, mut all) = (Lines::default(), text, Vec::new());
        loop {
            while let Some(line) = lines.next_line(rest.is_empty()) {
                all.push(owned(line));
            }
            if rest.is_empty() {
                assert_eq!(lines.number(), all.len() as u64);
                return all;
            }
            let space = lines.space();
            assert!(!space.is_empty());
            let count = rest.len().min(space.len()).min(step);
            space[..count].copy_from_slice(&rest[..count]);
            lines.filled(count);
            rest = &rest[count..];
        }
    }

    #[test]
    fn lines_do_not_depend_on_the_blocks_they_come_in() {
        let whole = |text: &str| Some(text.as_bytes().to_vec());
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(split(b"", step), []);
            assert_eq!(split(b"a\n\nbc\n", step), [whole("a"), whole(""), whole("bc")]);
            assert_eq!(split(b"a\nbc", step), [whole("a"), whole("bc")]);
        }
    }

    #[test]
    fn long_lines_are_skipped_and_the_next_is_whole() {
        for extra in [0, 1, 2, BUFFER_BYTES, 5 * BUFFER_BYTES] {
            let long = vec![b'x'; FEED_LINE_BYTES_MAX + extra];
            let expected = (extra == 0).then(|| long.clone());
            let text = [b"a\n", &long[..], b"\nb\n", &long[..]].concat();
            for step in [4_096, FEED_LINE_BYTES_MAX + 1, usize::MAX] {
                let lines = split(&text, step);
                assert_eq!(lines.len(), 4, "{extra} {step}");
                assert_eq!((&lines[1], &lines[3]), (&expected, &expected), "{extra} {step}");
                assert_eq!(lines[2].as_deref(), Some(&b"b"[..]));
            }
        }
    }

    #[test]
    fn a_line_can_be_put_back() {
        let mut lines = Lines::default();
        lines.space()[..4].copy_from_slice(b"a\nb\n");
        lines.filled(4);
        for _ in 0..2 {
            assert_eq!(lines.next_line(false), Some(Line::Whole(b"a")));
            assert_eq!(lines.number(), 1);
            lines.put_back();
        }
        assert_eq!(lines.next_line(false), Some(Line::Whole(b"a")));
        assert_eq!(lines.next_line(false), Some(Line::Whole(b"b")));
        assert_eq!(lines.next_line(false), None);
    }
}
