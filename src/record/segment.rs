//! One file of a recording: whole zstd frames, and nothing after them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zstd::stream::read::Decoder;

/// What a file is called until it is complete.
pub const PART: &str = ".part";

/// A file that is being written. Whoever writes it holds its lock, so that nobody else takes it for
/// a leftover.
#[derive(Debug)]
pub struct Segment {
    part: PathBuf,
    path: PathBuf,
    folder: PathBuf,
    file: File,
    /// Of whole frames.
    bytes: u64,
}

/// What a crash had left of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovered {
    /// Whole frames of so many bytes were kept, and so many bytes behind them cut off.
    Kept { path: PathBuf, bytes: u64, cut_bytes: u64 },
    /// No frame was whole; the file is gone.
    Empty { path: PathBuf, cut_bytes: u64 },
}

/// What cannot be done to a file; the text says what is kept.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("cannot create {path}: {why}; give --out a folder that can be written")]
    Create { path: PathBuf, why: io::Error },
    #[error(
        "cannot write to {path}: {why}; {kept_bytes} bytes before that are kept, in whole frames; \
         make room there, or give another --out"
    )]
    Write { path: PathBuf, why: io::Error, kept_bytes: u64 },
    #[error(
        "cannot complete {path}: {why}; what was written stays there, and a next start ends it"
    )]
    Complete { path: PathBuf, why: io::Error },
    #[error("{0} is being written by another process; give another --name or --out")]
    Locked(PathBuf),
    #[error("cannot recover {path}: {why}; move it away, or make it readable and writable")]
    Recover { path: PathBuf, why: io::Error },
}

impl Segment {
    /// Creates `path` with `.part` behind it, which must not exist.
    pub fn create(path: &Path) -> Result<Segment, SegmentError> {
        let part = part_of(path);
        let wrong = |why: io::Error| match why.kind() {
            ErrorKind::AlreadyExists => SegmentError::Locked(part.clone()),
            _ => SegmentError::Create { path: part.clone(), why },
        };
        let file = OpenOptions::new().write(true).create_new(true).open(&part).map_err(wrong)?;
        lock(&file, &part)?;
        // Before it was locked, another recorder that starts may have taken it for a leftover.
        if !is_named(&file, &part) {
            return Err(SegmentError::Locked(part));
        }
        // Whoever completes a file of this name holds the name that is locked now.
        if path.exists() {
            fs::remove_file(&part).map_err(wrong)?;
            return Err(SegmentError::Locked(path.to_path_buf()));
        }
        let folder = folder_of(path);
        sync_folder(&folder).map_err(wrong)?;
        Ok(Segment { part, path: path.to_path_buf(), folder, file, bytes: 0 })
    }

    /// Appends a whole frame. Where that fails, the part of it that was written is cut off again.
    pub fn append(&mut self, frame: &[u8]) -> Result<(), SegmentError> {
        if let Err(why) = self.file.write_all(frame) {
            // Where even this fails, the next start does it.
            let _ = self.file.set_len(self.bytes);
            return Err(self.broken(why));
        }
        self.bytes += frame.len() as u64;
        Ok(())
    }

    /// Waits until all that was appended is on the disk.
    pub fn sync(&self) -> Result<(), SegmentError> {
        self.file.sync_data().map_err(|why| self.broken(why))
    }

    /// Gives the file its name, for good; says which, and how long it is.
    pub fn complete(self) -> Result<(PathBuf, u64), SegmentError> {
        let wrong = |why| SegmentError::Complete { path: self.part.clone(), why };
        self.file.sync_all().map_err(wrong)?;
        fs::rename(&self.part, &self.path).map_err(wrong)?;
        sync_folder(&self.folder).map_err(wrong)?;
        Ok((self.path, self.bytes))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn broken(&self, why: io::Error) -> SegmentError {
        SegmentError::Write { path: self.part.clone(), why, kept_bytes: self.bytes }
    }
}

/// Cuts a leftover back to its last whole frame, and completes it.
pub fn recover(part: &Path) -> Result<Recovered, SegmentError> {
    let wrong = |why| SegmentError::Recover { path: part.to_path_buf(), why };
    let file = OpenOptions::new().read(true).write(true).open(part).map_err(wrong)?;
    lock(&file, part)?;
    // Its writer may have completed it meanwhile.
    if !is_named(&file, part) {
        return Err(SegmentError::Locked(part.to_path_buf()));
    }
    let path = part.with_extension("");
    let length = file.metadata().map_err(wrong)?.len();
    let bytes = whole_frames(&file).map_err(wrong)?;
    let cut_bytes = length - bytes;
    if bytes == 0 {
        fs::remove_file(part).map_err(wrong)?;
        sync_folder(&folder_of(part)).map_err(wrong)?;
        return Ok(Recovered::Empty { path, cut_bytes });
    }
    file.set_len(bytes).map_err(wrong)?;
    let folder = folder_of(part);
    let segment = Segment { part: part.to_path_buf(), path, folder, file, bytes };
    let (path, bytes) = segment.complete()?;
    Ok(Recovered::Kept { path, bytes, cut_bytes })
}

/// Bytes up to the end of the last frame that is whole and whose checksum is right.
fn whole_frames(file: &File) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let mut bytes = 0;
    while !reader.fill_buf()?.is_empty() {
        let mut decoder = Decoder::with_buffer(&mut reader)?.single_frame();
        if io::copy(&mut decoder, &mut io::sink()).is_err() {
            break;
        }
        bytes = reader.stream_position()?;
    }
    Ok(bytes)
}

pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(PART);
    PathBuf::from(name)
}

fn lock(file: &File, path: &Path) -> Result<(), SegmentError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => SegmentError::Locked(path.to_path_buf()),
        TryLockError::Error(why) => SegmentError::Recover { path: path.to_path_buf(), why },
    })
}

/// Whether the file still has this name.
fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).into()
}

/// A name that was created or changed survives a crash only when its folder is on the disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
        encoder.include_checksum(true).expect("a setting");
        encoder.write_all(text.as_bytes()).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    fn folder(name: &str) -> PathBuf {
        let name = format!("tapecast-segment-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the temporary folder can be written");
        folder
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete() {
        let folder = folder("name");
        let path = folder.join("a.ndjson.zst");
        let mut segment = Segment::create(&path).expect("a file");
        segment.append(&frame("one\n")).expect("room");
        segment.append(&frame("two\n")).expect("room");
        segment.sync().expect("a disk");
        assert!(part_of(&path).exists() && !path.exists());
        assert!(matches!(recover(&part_of(&path)), Err(SegmentError::Locked(_))));
        assert!(matches!(Segment::create(&path), Err(SegmentError::Locked(_))));
        let (given, bytes) = segment.complete().expect("a disk");
        let written = fs::read(&path).expect("it is there");
        assert_eq!((&given, bytes as usize), (&path, written.len()));
        assert_eq!(zstd::decode_all(&written[..]).expect("whole frames"), b"one\ntwo\n");
        assert!(!part_of(&path).exists());
        // One that counted its files at the same time comes to the same name.
        assert!(matches!(Segment::create(&path), Err(SegmentError::Locked(of)) if of == path));
        assert!(!part_of(&path).exists());
        assert_eq!(fs::read(&path).expect("it is there"), written);
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    /// Method: many recorders that want one name at the same time, while others start and complete
    /// what they take for leftovers. Each file that somebody was given must be there at the end.
    #[test]
    fn of_several_that_create_one_file_one_has_it() {
        let folder = folder("race");
        for round in 0..50 {
            let path = folder.join(format!("{round}.ndjson.zst"));
            let go = std::sync::Barrier::new(4);
            let written = std::thread::scope(|scope| {
                let creators = [1, 2].map(|_| {
                    scope.spawn(|| {
                        go.wait();
                        let mut segment = Segment::create(&path).ok()?;
                        segment.append(&frame("one\n")).expect("room");
                        Some(segment.complete().expect("it is ours alone"))
                    })
                });
                let starters = [1, 2].map(|_| {
                    scope.spawn(|| {
                        go.wait();
                        let _ = recover(&part_of(&path));
                    })
                });
                for starter in starters {
                    starter.join().expect("no panic");
                }
                creators.map(|creator| creator.join().expect("no panic"))
            });
            let count = written.iter().flatten().count();
            assert!(count <= 1, "{written:?}");
            assert_eq!(path.exists(), count == 1, "{written:?}");
        }
        fs::remove_dir_all(&folder).expect("it is ours");
    }

    /// Method: two frames and the third cut at each of its bytes, or with one of them changed.
    #[test]
    fn what_a_crash_left_is_cut_back_to_its_last_whole_frame() {
        let folder = folder("crash");
        let path = folder.join("a.ndjson.zst");
        let whole = [frame("one\n"), frame("two\n")].concat();
        let third = frame("three three three\n");
        let mut torn: Vec<Vec<u8>> = (0..third.len()).map(|cut| third[..cut].to_vec()).collect();
        torn.push(third.iter().map(|_| 0).collect());
        let mut changed = third.clone();
        *changed.last_mut().expect("not empty") ^= 1;
        torn.push(changed);
        for tail in torn {
            fs::write(part_of(&path), [&whole[..], &tail].concat()).expect("a file");
            let (bytes, cut_bytes) = (whole.len() as u64, tail.len() as u64);
            let kept = Recovered::Kept { path: path.clone(), bytes, cut_bytes };
            assert_eq!(recover(&part_of(&path)).expect("a disk"), kept);
            assert_eq!(fs::read(&path).expect("it is there"), whole);
            fs::remove_file(&path).expect("it is ours");
        }
        fs::write(part_of(&path), &third[..5]).expect("a file");
        let empty = Recovered::Empty { path: path.clone(), cut_bytes: 5 };
        assert_eq!(recover(&part_of(&path)).expect("a disk"), empty);
        assert_eq!(fs::read_dir(&folder).expect("ours").count(), 0);
        fs::remove_dir_all(&folder).expect("it is ours");
    }
}
