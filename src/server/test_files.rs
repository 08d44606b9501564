//! Files as a kernel shows them, under a directory of a test's.

use std::fs;
use std::path::PathBuf;

/// The directory goes with it.
pub struct Files {
    pub root: PathBuf,
}

impl Files {
    /// `name` is the test's own.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Files {
        let root = std::env::temp_dir().join(format!("tapecast-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        Files { root }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
