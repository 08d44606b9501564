//! Lines in, files out: when a frame is ended, and when a file.

use super::folder::Folder;
use super::segment::{Segment, SegmentError};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// So often a frame is ended and put on the disk: what a crash can cost.
const FRAME_TIME: Duration = Duration::from_secs(1);

/// And a frame is ended with so many bytes of lines, so that memory is bounded.
const FRAME_LINES_BYTES: usize = 4 << 20;

/// When files are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cuts {
    /// Compressed. A file is longer by less than a frame.
    pub bytes: u64,
    pub time: Duration,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub files: Vec<PathBuf>,
    /// Of complete files.
    pub file_bytes: u64,
    pub lines: u64,
    pub line_bytes: u64,
    /// Lines that were taken and are in no file, since it could not be written.
    pub unwritten_lines: u64,
}

/// Owns the file that is open. Nothing is created before there is a line.
pub struct Writer {
    folder: Folder,
    cuts: Cuts,
    level: i32,
    segment: Option<Segment>,
    opened: Instant,
    /// Lines of the frame that is not ended.
    lines: Vec<u8>,
    lines_count: u64,
    began: Instant,
    is_synced: bool,
    summary: Summary,
}

impl Writer {
    /// `level`: of zstd.
    pub fn new(folder: Folder, cuts: Cuts, level: i32, now: Instant) -> Writer {
        Writer {
            folder,
            cuts,
            level,
            segment: None,
            opened: now,
            lines: Vec::new(),
            lines_count: 0,
            began: now,
            is_synced: true,
            summary: Summary::default(),
        }
    }

    /// Where the next line is to be appended, with its newline; then call [`Writer::added`].
    pub fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// A line was appended.
    pub fn added(&mut self) -> Result<(), SegmentError> {
        self.lines_count += 1;
        if self.lines.len() < FRAME_LINES_BYTES { Ok(()) } else { self.end_frame() }
    }

    /// To be called often; says when the next call is due, where there is anything to do.
    pub fn turn(&mut self, now: Instant) -> Result<Option<Duration>, SegmentError> {
        let is_idle = self.lines.is_empty() && self.is_synced;
        let cut_in = self
            .segment
            .as_ref()
            .map(|_| self.cuts.time.saturating_sub(now.saturating_duration_since(self.opened)));
        if cut_in.is_some_and(|left| left.is_zero()) {
            self.cut()?;
            return Ok(Some(Duration::ZERO));
        }
        if is_idle {
            self.began = now;
            return Ok(cut_in);
        }
        let left = FRAME_TIME.saturating_sub(now.saturating_duration_since(self.began));
        if !left.is_zero() {
            return Ok(Some(left));
        }
        self.began = now;
        self.end_frame()?;
        if let Some(segment) = &self.segment {
            segment.sync()?;
        }
        self.is_synced = true;
        Ok(Some(FRAME_TIME))
    }

    /// Ends the file that is open; the next line begins another.
    pub fn cut(&mut self) -> Result<(), SegmentError> {
        self.end_frame()?;
        self.complete()
    }

    /// Ends the file, and says what was written.
    pub fn finish(mut self) -> (Summary, Result<(), SegmentError>) {
        let result = self.cut();
        (self.summary, result)
    }

    /// After an error: what is on the disk gets its name, and what is not is counted.
    pub fn give_up(mut self) -> (Summary, Result<(), SegmentError>) {
        let result = self.complete();
        (self.summary, result)
    }

    fn complete(&mut self) -> Result<(), SegmentError> {
        self.is_synced = true;
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let (path, bytes) = segment.complete()?;
        tracing::info!("wrote {} ({bytes} bytes)", path.display());
        self.summary.files.push(path);
        self.summary.file_bytes += bytes;
        Ok(())
    }

    fn end_frame(&mut self) -> Result<(), SegmentError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let (count, bytes) = (std::mem::take(&mut self.lines_count), self.lines.len() as u64);
        let frame = compress(&self.lines, self.level);
        self.lines.clear();
        // Until it is written it counts as what it may become.
        self.summary.unwritten_lines += count;
        if self.segment.is_none() {
            let path = self.folder.next_path(SystemTime::now());
            self.segment = Some(Segment::create(&path)?);
            self.opened = Instant::now();
        }
        let segment = self.segment.as_mut().expect("one was just made where none was");
        segment.append(&frame)?;
        self.is_synced = false;
        let summary = &mut self.summary;
        summary.unwritten_lines -= count;
        (summary.lines, summary.line_bytes) = (summary.lines + count, summary.line_bytes + bytes);
        if segment.bytes() >= self.cuts.bytes { self.complete() } else { Ok(()) }
    }
}

/// A whole frame, with the checksum by which a torn one is told.
fn compress(lines: &[u8], level: i32) -> Vec<u8> {
    let compressed = || {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
        encoder.include_checksum(true)?;
        encoder.write_all(lines)?;
        encoder.finish()
    };
    compressed().expect("the level was checked, and a vector takes all")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn writer(name: &str, bytes: u64, time: Duration, now: Instant) -> (PathBuf, Writer) {
        let path =
            std::env::temp_dir().join(format!("tapecast-writer-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let (folder, _) = Folder::open(&path, "w").expect("a folder");
        (path, Writer::new(folder, Cuts { bytes, time }, 3, now))
    }

    fn add(writer: &mut Writer, line: &str) {
        writer.lines().extend_from_slice(line.as_bytes());
        writer.added().expect("room");
    }

    fn texts(files: &[PathBuf]) -> Vec<String> {
        let text = |path: &PathBuf| {
            let bytes = fs::read(path).expect("it is there");
            String::from_utf8(zstd::decode_all(&bytes[..]).expect("frames")).expect("text")
        };
        files.iter().map(text).collect()
    }

    /// Method: the clock is an argument: a frame after a second, a file after a minute.
    #[test]
    fn frames_end_by_the_second_and_files_by_the_minute() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let (path, mut writer) = writer("time", 1 << 40, Duration::from_secs(60), start);
        assert_eq!(writer.turn(start).expect("idle"), None);
        add(&mut writer, "a\n");
        assert_eq!(fs::read_dir(&path).expect("ours").count(), 0);
        writer.turn(after(1)).expect("a disk");
        assert_eq!(fs::read_dir(&path).expect("ours").count(), 1);
        add(&mut writer, "b\n");
        writer.turn(after(3)).expect("a disk");
        writer.turn(after(600)).expect("a disk");
        add(&mut writer, "c\n");
        let (summary, result) = writer.finish();
        result.expect("a disk");
        assert_eq!(texts(&summary.files), ["a\nb\n", "c\n"]);
        assert_eq!((summary.lines, summary.line_bytes, summary.unwritten_lines), (3, 6, 0));
        fs::remove_dir_all(&path).expect("it is ours");
    }

    /// Method: lines that do not compress, so that frames end by size, and files with them.
    #[test]
    fn files_end_by_size_and_no_line_is_cut() {
        let now = Instant::now();
        let (path, mut writer) = writer("size", 1 << 20, Duration::from_secs(3_600), now);
        let mut random = fastrand::Rng::with_seed(1);
        let mut all = String::new();
        for _ in 0..60 {
            let line: String = (0..200_000).map(|_| random.alphanumeric()).collect();
            all.push_str(&line);
            all.push('\n');
            add(&mut writer, &format!("{line}\n"));
        }
        let (summary, result) = writer.finish();
        result.expect("a disk");
        let texts = texts(&summary.files);
        assert!(texts.len() > 2, "{} files", texts.len());
        assert!(texts.iter().all(|text| text.ends_with('\n')));
        assert_eq!(texts.concat(), all);
        fs::remove_dir_all(&path).expect("it is ours");
    }
}
