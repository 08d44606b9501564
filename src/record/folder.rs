//! The folder of a recording: names, numbers, and what a crash has left.

use super::segment::{self, PART, Recovered, SegmentError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const EXTENSION: &str = ".ndjson.zst";

/// Longest name of a recording, in bytes: with time, number and extension well below the 255 that
/// file systems take.
const NAME_BYTES_MAX: usize = 100;

/// Where files go, and under which names: `NAME-20261120T171500Z-000001.ndjson.zst`.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    name: String,
    next_number: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("--name {0:?} does not fit; give letters, digits, '-', '_' and '.', not first a '.'")]
    Name(String),
    #[error("cannot use the folder {path}: {why}; give --out one that can be read and written")]
    Folder { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

impl Folder {
    /// Makes the folder where it is missing, and completes what earlier recordings of this name
    /// have left. Numbers go on behind the highest.
    pub fn open(path: &Path, name: &str) -> Result<(Folder, Vec<Recovered>), FolderError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.');
        if !fits || !name.bytes().all(is_plain) {
            return Err(FolderError::Name(name.to_string()));
        }
        let wrong = |why| FolderError::Folder { path: path.to_path_buf(), why };
        fs::create_dir_all(path).map_err(wrong)?;
        let mut folder =
            Folder { path: path.to_path_buf(), name: name.to_string(), next_number: 1 };
        let mut recovered = Vec::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            let file = entry.map_err(wrong)?.file_name();
            let Some(number) = file.to_str().and_then(|file| folder.number_of(file)) else {
                continue;
            };
            folder.next_number = folder.next_number.max(number.saturating_add(1));
            if file.to_str().is_some_and(|file| file.ends_with(PART)) {
                recovered.push(segment::recover(&path.join(&file))?);
            }
        }
        Ok((folder, recovered))
    }

    /// The next file's path.
    pub fn next_path(&mut self, now: SystemTime) -> PathBuf {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        let time = jiff::Timestamp::try_from(now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let time = time.strftime("%Y%m%dT%H%M%SZ");
        self.path.join(format!("{}-{time}-{number:06}{EXTENSION}", self.name))
    }

    /// The number of one of our files, complete or not.
    fn number_of(&self, file: &str) -> Option<u32> {
        let rest = file.strip_prefix(&self.name)?.strip_prefix('-')?;
        let rest = rest.strip_suffix(PART).unwrap_or(rest).strip_suffix(EXTENSION)?;
        let (time, number) = rest.split_once('-')?;
        let is_time = time.len() == "20261120T171500Z".len() && time.ends_with('Z');
        is_time.then(|| number.parse().ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn numbers_go_on_and_leftovers_of_the_name_are_ended() {
        let path = std::env::temp_dir().join(format!("tapecast-folder-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let (mut folder, recovered) = Folder::open(&path, "tape").expect("a folder");
        assert_eq!(recovered, []);
        let at = UNIX_EPOCH + Duration::from_secs(1_795_194_900);
        let first = folder.next_path(at);
        assert_eq!(first, path.join("tape-20261120T171500Z-000001.ndjson.zst"));
        let stranger = "tape-b-20261120T171500Z-000007.ndjson.zst.part";
        let left = "tape-20261120T171500Z-000041.ndjson.zst.part";
        for name in [stranger, left, "tape-notes.txt"] {
            fs::write(path.join(name), b"torn").expect("a file");
        }
        let (mut folder, recovered) = Folder::open(&path, "tape").expect("a folder");
        let gone = path.join(left.trim_end_matches(PART));
        assert_eq!(recovered, [Recovered::Empty { path: gone, cut_bytes: 4 }]);
        assert!(folder.next_path(at).to_string_lossy().ends_with("-000042.ndjson.zst"));
        assert!(path.join(stranger).exists(), "another name's is left alone");
        for bad in ["", ".a", "a/b", "a b"] {
            assert!(matches!(Folder::open(&path, bad), Err(FolderError::Name(_))), "{bad:?}");
        }
        fs::remove_dir_all(&path).expect("it is ours");
    }
}
