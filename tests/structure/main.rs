//! The rules of the code's structure, kept by a test that reads the code.
//!
//! Method: every rule is a function of one file's text that gives the places where it is broken.
//! It is run on the whole package, and on a made-up text that breaks it: a rule that can find
//! nothing is none.

mod manner;
mod order;
mod samples;
mod source;

use source::Source;
use std::fmt;
use std::path::Path;

/// One place where a rule is broken.
pub struct Violation {
    pub path: String,
    pub line: usize,
    pub text: String,
}

impl Violation {
    fn new(source: &Source, at: usize, text: String) -> Violation {
        Violation { path: source.path.clone(), line: source.line(at), text }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

type Rule = fn(&Source) -> Vec<Violation>;

fn keep(rule: Rule) {
    let sources = Source::all();
    assert!(sources.len() > 50, "the package's files were not found");
    report(sources.iter().flat_map(rule).collect());
}

fn report(found: Vec<Violation>) {
    let lines: Vec<_> = found.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "broken in {} places:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn a_folder_imports_only_from_folders_before_it() {
    keep(order::imports);
}

#[test]
fn a_crate_is_named_only_where_it_belongs() {
    keep(order::owned_crates);
}

#[test]
fn pure_folders_have_no_socket_clock_thread_or_random_source() {
    keep(order::purity);
}

#[test]
fn unsafe_code_stands_in_two_folders_and_says_why_it_is_sound() {
    keep(order::unsafe_code);
}

#[test]
fn files_functions_and_lines_are_short() {
    keep(manner::sizes);
}

/// The client is one module, whoever copies it copies one file: it alone may be longer.
#[test]
fn pages_are_short_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src/web", "src/web/assets", "tests/web"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder of the package") {
            let name = entry.expect("readable").file_name().into_string().expect("ASCII");
            let path = format!("{folder}/{name}");
            if [".js", ".mjs", ".css", ".html"].iter().any(|end| name.ends_with(end)) {
                let text = std::fs::read_to_string(root.join(&path)).expect("a text");
                found.extend(manner::machine_paths(&path, &text));
                found.extend(manner::lengths(
                    &path,
                    &text,
                    if name == "tapecast.js" { 500 } else { 400 },
                ));
            }
        }
    }
    report(found);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    keep(manner::openings);
}

#[test]
fn names_say_something() {
    keep(manner::names);
}

#[test]
fn the_program_does_not_unwrap() {
    keep(manner::unwraps);
}

#[test]
fn no_path_of_a_machine_is_in_the_program_or_its_texts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for source in Source::all().iter().filter(|s| !s.path.starts_with("tests/structure/")) {
        found.extend(manner::machine_paths(&source.path, &source.text));
    }
    let texts = ["README.md", "src/wire/PROTOCOL.md", "Cargo.toml", ".ci/run"];
    let tuning = ["tuning/README.md", "tuning/tune.sh", "tuning/keys.sh"];
    for path in texts.into_iter().chain(tuning) {
        let text = std::fs::read_to_string(root.join(path)).expect("a text of the project");
        found.extend(manner::machine_paths(path, &text));
    }
    report(found);
}

#[test]
fn nothing_strange_lies_at_the_root() {
    let entries = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the package is here");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("can be read").file_name();
    let names: Vec<_> = entries.map(name).map(|name| name.to_string_lossy().into_owned()).collect();
    report(manner::strangers(names.iter().map(String::as_str)));
}
