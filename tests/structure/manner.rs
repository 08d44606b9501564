//! How the text of a file looks: sizes, names, openings, and what must not stand in it.

use crate::Violation;
use crate::source::Source;

const FILE_LINES_MAX: usize = 400;
const INLINE_TEST_LINES_MAX: usize = 150;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Words that say nothing about what a thing is.
const EMPTY_WORDS: [&str; 5] = ["manager", "handler", "helper", "util", "utils"];

/// A crate whose own name for a module is one of them.
const FOREIGN: &str = "crossbeam::";

/// Crates whose own names have one in them.
const FOREIGN_CRATES: [&str; 1] = ["hyper_util"];

/// Beginnings of paths that exist on one developer's machine only.
const MACHINE_PATHS: [&str; 5] = ["/work/", "/tmp/", "/home/", "/root/", "/Users/"];

pub fn sizes(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut tell = |at, text| found.push(Violation::new(source, at, text));
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        tell(0, format!("{lines} lines in a file; {FILE_LINES_MAX} are the most"));
    }
    let tests = source.inline_test_lines();
    if tests > INLINE_TEST_LINES_MAX {
        tell(0, format!("{tests} lines of tests; over {INLINE_TEST_LINES_MAX} go to tests.rs"));
    }
    for (name, start, end) in source.functions() {
        let lines = source.line(end) - source.line(start) + 1;
        if lines > FUNCTION_LINES_MAX {
            tell(start, format!("`{name}` has {lines} lines; {FUNCTION_LINES_MAX} are the most"));
        }
    }
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let columns = line.trim_end().chars().count();
        if columns > LINE_COLUMNS_MAX {
            tell(at, format!("{columns} columns; {LINE_COLUMNS_MAX} are the most"));
        }
        at += line.len();
    }
    found
}

/// The same for a text that is no Rust.
pub fn lengths(path: &str, text: &str, lines_max: usize) -> Vec<Violation> {
    let lines = text.lines().count();
    let mut found = Vec::new();
    let mut tell = |line, text| found.push(Violation { path: path.into(), line, text });
    if lines > lines_max {
        tell(1, format!("{lines} lines in a file; {lines_max} are the most"));
    }
    for (index, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LINE_COLUMNS_MAX {
            tell(index + 1, format!("{columns} columns; {LINE_COLUMNS_MAX} are the most"));
        }
    }
    found
}

/// A file says first what it is for; a folder also what it must not know.
pub fn openings(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with("src/") || source.path.ends_with("tests.rs") {
        return Vec::new();
    }
    match source.text.starts_with("//! ") {
        true => Vec::new(),
        false => vec![Violation::new(source, 0, "no `//!` text at the top".into())],
    }
}

pub fn names(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let stem = source.path.trim_end_matches(".rs");
    for part in stem.split('/').filter(|part| is_empty_word(part)) {
        found.push(Violation::new(source, 0, format!("the name `{part}` says nothing")));
    }
    let mut previous = "";
    for (at, word) in source.words() {
        let is_foreign = source.code[..at].ends_with(FOREIGN) || FOREIGN_CRATES.contains(&word);
        if is_empty_word(word) && !is_foreign {
            found.push(Violation::new(source, at, format!("the name `{word}` says nothing")));
        }
        if previous == "fn" && word.starts_with("get_") {
            found.push(Violation::new(source, at, format!("`{word}`: leave out `get_`")));
        }
        previous = word;
    }
    found
}

/// Whether one of the parts of a name, in snake or camel case, is an empty word.
fn is_empty_word(name: &str) -> bool {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() || c == '_' {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase().filter(|c| *c != '_'));
    }
    spaced.split(' ').any(|part| EMPTY_WORDS.contains(&part.trim_end_matches("s")))
}

pub fn unwraps(source: &Source) -> Vec<Violation> {
    let places = source.code.match_indices(".unwrap()").map(|(at, _)| at);
    places
        .filter(|at| !source.is_test(*at))
        .map(|at| Violation::new(source, at, "`unwrap`; say why with `expect`".into()))
        .collect()
}

/// Comments and literals count too.
pub fn machine_paths(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for start in MACHINE_PATHS.iter().filter(|start| names_path(line, start)) {
            let text = format!("a path of one machine: {start}…");
            found.push(Violation { path: path.into(), line: index + 1, text });
        }
    }
    found
}

/// What the package's root may hold; `target` and `.git` are not the package's.
const ROOT: [&str; 14] = [
    ".ci",
    ".git",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "rustfmt.toml",
    "src",
    "target",
    "tests",
    "tuning",
];

/// What else lies at the root is a download or a note of somebody's.
pub fn strangers<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Violation> {
    let is_strange = |name: &&str| !ROOT.contains(name);
    let violation = |name: &str| Violation {
        path: name.into(),
        line: 1,
        text: "does not belong at the root of the package".into(),
    };
    names.filter(is_strange).map(violation).collect()
}

/// Whether `start` begins a path there, and is not the middle of one.
fn names_path(line: &str, start: &str) -> bool {
    let before = |at: usize| line[..at].chars().next_back();
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '}');
    line.match_indices(start).any(|(at, _)| !before(at).is_some_and(is_inside))
}
