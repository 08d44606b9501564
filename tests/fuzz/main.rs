//! The corpus of the fuzz targets, run through the same properties without a fuzzer.
//!
//! Method: every file of `corpus/` is given to its property. The files with names are the rows of
//! the conformance tables; those named by a number are what the fuzzer reached beyond them.
//!
//! With the fuzzer (`cargo install cargo-fuzz`), from the project's folder:
//!
//! ```text
//! cargo fuzz run --fuzz-dir tests/fuzz -s none upgrade -- -max_total_time=600
//! ```
//!
//! The stable toolchain is enough: the code under test is safe, so no sanitizer is needed.

mod properties;

use std::path::{Path, PathBuf};

/// Every file of a target's corpus; an empty corpus is a mistake.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let files: Vec<_> = paths
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            (path, bytes)
        })
        .collect();
    assert!(files.len() >= 20, "{} files in {folder:?}", files.len());
    files
}

fn run(target: &str, check: fn(&[u8])) {
    for (path, bytes) in corpus(target) {
        let result = std::panic::catch_unwind(|| check(&bytes));
        assert!(result.is_ok(), "the property {target} does not hold for {path:?}");
    }
}

#[test]
fn upgrades() {
    run("upgrade", properties::upgrade::check);
}

#[test]
fn frames() {
    run("frames", properties::frames::check);
}

#[test]
fn commands() {
    run("commands", properties::commands::check);
}

#[test]
fn feed_lines() {
    run("feed_line", properties::feed_line::check);
}

#[test]
fn sessions() {
    run("session", properties::session::check);
}
