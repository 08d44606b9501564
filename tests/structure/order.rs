//! Who may name whom: the order of the folders, and the crates that belong to one of them.

use crate::Violation;
use crate::source::{Source, is_word};

/// A folder imports only from folders before it.
const ORDER: [&str; 16] = [
    "limits", "market", "wire", "session", "hub", "config", "panics", "feed", "publish", "record",
    "shard", "web", "control", "server", "cli", "main",
];

/// Folders without socket, clock, thread and random source.
const PURE: [&str; 5] = ["limits", "market", "wire", "session", "hub"];

/// Crates, and the only folders that may name them.
const OWNED: [(&str, &[&str]); 16] = [
    ("tungstenite", &["wire"]),
    ("glommio", &["shard"]),
    ("io_uring", &["shard"]),
    ("tokio", &["control", "feed", "publish"]),
    ("async_nats", &["feed", "publish"]),
    ("rustls", &["feed"]),
    ("axum", &["control"]),
    ("hyper", &["control"]),
    ("hyper_util", &["control"]),
    ("prometheus_client", &["control"]),
    ("mio", &["cli"]),
    ("ratatui", &["cli"]),
    ("ureq", &["cli"]),
    ("clap", &["cli", "main"]),
    ("toml", &["config"]),
    ("toml_writer", &["config"]),
];

/// What a pure folder must not name outside of its tests.
const IMPURE: [&str; 13] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "socket2",
    "libc",
    "Instant",
    "SystemTime",
    "thread",
    "fastrand",
    "RandomState",
    "rustix",
];

pub fn imports(source: &Source) -> Vec<Violation> {
    let Some(folder) = source.folder().filter(|folder| *folder != "lib") else { return Vec::new() };
    let Some(own) = ORDER.iter().position(|name| *name == folder) else {
        return vec![Violation::new(source, 0, format!("`{folder}` has no place in the order"))];
    };
    let named = named_folders(source).into_iter();
    let known = named.filter_map(|(at, name)| Some((at, ORDER.iter().position(|n| *n == name)?)));
    known
        .filter(|(_, other)| *other > own)
        .map(|(at, other)| {
            Violation::new(source, at, format!("`{folder}` names `{}`", ORDER[other]))
        })
        .collect()
}

/// Folders of the crate that the file names: by `crate::`, `tapecast::`, or by climbing up.
fn named_folders(source: &Source) -> Vec<(usize, &str)> {
    let mut named = Vec::new();
    for root in ["crate::", "tapecast::", "super::"] {
        for (at, _) in source.code.match_indices(root) {
            if source.code[..at].ends_with(|c| is_word(c) || c == ':') {
                continue;
            }
            let mut path = &source.code[at..];
            let mut climbed = 0;
            while let Some(rest) = path.strip_prefix("super::") {
                (path, climbed) = (rest, climbed + 1);
            }
            if climbed > 0 && climbed < depth(source, at) {
                continue;
            }
            let path = if climbed > 0 { path } else { &path[root.len()..] };
            named.extend(first_names(path).into_iter().map(|name| (at, name)));
        }
    }
    named
}

/// Modules between a place and the crate's root.
fn depth(source: &Source, at: usize) -> usize {
    let inside = source.path.trim_start_matches("src/").trim_end_matches(".rs");
    let file = inside.trim_end_matches("/mod").split('/').count();
    let is_module = |(place, word): &(usize, &str)| *word == "mod" && *place < at;
    let opened = source.words().filter(is_module).filter(|(place, _)| {
        let body = &source.code[*place..at];
        let open = body.matches('{').count() > body.matches('}').count();
        open && body.find(';').unwrap_or(usize::MAX) > body.find('{').unwrap_or(usize::MAX)
    });
    file + opened.count()
}

/// `a` of `a::b`, and `a`, `c` of `{a::b, c}`.
fn first_names(path: &str) -> Vec<&str> {
    let word = |text: &str| text.find(|c| !is_word(c)).unwrap_or(text.len());
    let Some(group) = path.strip_prefix('{') else { return vec![&path[..word(path)]] };
    let (mut names, mut depth, mut is_next) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_next = true,
            c if is_next && is_word(c) => {
                names.push(&group[at..at + word(&group[at..])]);
                is_next = false;
            }
            _ => {}
        }
    }
    names
}

pub fn owned_crates(source: &Source) -> Vec<Violation> {
    let Some(folder) = source.folder() else { return Vec::new() };
    let owner = |word| OWNED.iter().find(|(name, _)| *name == word);
    let strangers = source.words().filter_map(|(at, word)| Some((at, owner(word)?)));
    strangers
        .filter(|(_, (_, folders))| !folders.contains(&folder))
        .map(|(at, (name, _))| Violation::new(source, at, format!("`{folder}` names `{name}`")))
        .collect()
}

pub fn purity(source: &Source) -> Vec<Violation> {
    let Some(folder) = source.folder().filter(|folder| PURE.contains(folder)) else {
        return Vec::new();
    };
    let impure = |(at, word): &(usize, &str)| IMPURE.contains(word) && !source.is_test(*at);
    source
        .words()
        .filter(impure)
        .map(|(at, word)| Violation::new(source, at, format!("pure `{folder}` names `{word}`")))
        .collect()
}

pub fn unsafe_code(source: &Source) -> Vec<Violation> {
    let Some(folder) = source.folder() else { return Vec::new() };
    let mut found = Vec::new();
    for (at, _) in source.words().filter(|(_, word)| *word == "unsafe") {
        if !["shard", "feed"].contains(&folder) {
            found.push(Violation::new(source, at, format!("`unsafe` in `{folder}`")));
        }
        if !has_safety_comment(source, at) {
            let text = "`unsafe` without a `SAFETY:` comment right above it".to_string();
            found.push(Violation::new(source, at, text));
        }
    }
    found
}

/// In the comment that stands directly above the statement with the `unsafe`.
fn has_safety_comment(source: &Source, at: usize) -> bool {
    let line = source.line(at);
    let lines: Vec<&str> = source.text.lines().take(line - 1).collect();
    let is_comment = |line: &&&str| line.trim_start().starts_with("//");
    // The head of a statement or a match arm may take a few lines before its `unsafe`.
    let head = lines.iter().rev().take(3).take_while(|line| !is_comment(line)).count();
    let mut comment = lines.iter().rev().skip(head).take_while(is_comment);
    comment.any(|line| line.contains("SAFETY:"))
}
