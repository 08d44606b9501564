//! A source file as the rules see it: its text, and the same text with comments and literals
//! blanked out, so that a rule about names is not misled by prose.

use std::ops::Range;
use std::path::{Path, PathBuf};

pub struct Source {
    /// From the package's root, with slashes.
    pub path: String,
    pub text: String,
    /// As long as `text`, byte for byte; comments and the insides of literals are blanks.
    pub code: String,
    /// Byte ranges of `code` that exist in tests only.
    tests: Vec<Range<usize>>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let code = blank(text);
        // A mock is a module under `#[cfg(test)]`, and has its name from that.
        let is_test = !path.starts_with("src/")
            || path.ends_with("/tests.rs")
            || path.contains("/tests/")
            || path.ends_with("/mock.rs");
        let tests =
            if is_test { std::iter::once(0..code.len()).collect() } else { test_items(&code) };
        Source { path: path.into(), text: text.into(), code, tests }
    }

    /// Every Rust file of the package.
    pub fn all() -> Vec<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        ["src", "tests", "benches"].iter().for_each(|dir| collect(&root.join(dir), &mut paths));
        paths.sort();
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).expect("a source file is UTF-8");
            let relative = path.strip_prefix(root).expect("it was found under the root");
            Source::new(&relative.to_string_lossy(), &text)
        };
        paths.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).map(read).collect()
    }

    /// The first component under `src/`: `hub`, `config`, `lib`; `None` outside of `src/`.
    pub fn folder(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next().expect("a split has a first part");
        Some(first.trim_end_matches(".rs"))
    }

    /// Line number of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    pub fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// Lines of the tests that stand in a file of the program.
    pub fn inline_test_lines(&self) -> usize {
        let lines = |range: &Range<usize>| self.code[range.clone()].lines().count();
        let whole = |range: &&Range<usize>| range.len() == self.code.len();
        self.tests.iter().filter(|r| !whole(r)).map(lines).sum()
    }

    /// Identifiers and keywords with their places, in order.
    pub fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            at += self.code[at..].find(is_word)?;
            let rest = &self.code[at..];
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = (at, &rest[..end]);
            at += end;
            Some(word)
        })
    }

    /// Functions with a body: name, place of the `fn`, place of the last brace.
    pub fn functions(&self) -> Vec<(&str, usize, usize)> {
        let mut words = self.words().peekable();
        let mut functions = Vec::new();
        while let Some((at, word)) = words.next() {
            // `fn(…)` without a name is a type.
            let Some((name_at, name)) = words.peek().filter(|_| word == "fn") else { continue };
            if !self.code[at + 2..*name_at].trim().is_empty() {
                continue;
            }
            if let Some(end) = item_end(&self.code, *name_at)
                && self.code.as_bytes()[end] == b'}'
            {
                functions.push((*name, at, end));
            }
        }
        functions
    }
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder of the package") {
        let path = entry.expect("readable").path();
        if path.is_dir() { collect(&path, out) } else { out.push(path) }
    }
}

/// The items that stand under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mark = "#[cfg(test)]";
    let starts = code.match_indices(mark).map(|(at, _)| at);
    starts.filter_map(|at| Some(at..item_end(code, at + mark.len())? + 1)).collect()
}

/// The last byte of the item that begins at `from`: its semicolon, or the brace of its body.
fn item_end(code: &str, from: usize) -> Option<usize> {
    let (mut braces, mut others) = (0, 0);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 && others == 0 {
                    return Some(at);
                }
            }
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b';' if braces == 0 && others == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Replaces comments and the insides of literals by blanks; line ends stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + hidden(text, at);
        if end == at {
            at += 1;
            continue;
        }
        out[at..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        at = end;
    }
    String::from_utf8(out).expect("whole characters were replaced")
}

/// How many bytes from `at` on are a comment or a literal; 0 for code.
fn hidden(text: &str, at: usize) -> usize {
    let (bytes, rest) = (text.as_bytes(), &text.as_bytes()[at..]);
    let after_word = at > 0 && is_word(char::from(bytes[at - 1]));
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !after_word => raw_string(&rest[1..]).map_or(0, |n| n + 1),
        [b'b', b'r', ..] if !after_word => raw_string(&rest[2..]).map_or(0, |n| n + 2),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', ..] => {
            // Without a quote after one character it is a lifetime.
            let mut chars = text[at + 1..].char_indices();
            let second = chars.nth(1);
            second.filter(|(_, c)| *c == '\'').map_or(0, |(offset, _)| offset + 2)
        }
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// From the first `#` or quote on; `None` where it is a raw identifier.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|b| **b == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &rest[..hashes]].concat();
    let body = &rest[hashes + 1..];
    let found = body.windows(end.len()).position(|window| window == end);
    Some(found.map_or(rest.len(), |at| hashes + 1 + at + end.len()))
}

#[test]
fn comments_and_literals_are_no_code() {
    let text =
        "a /* b /* c */ d */ \"e \\\" f\" r#\"g \" h\"# 'i' '\\'' &'j k // l\nm b\"n\" b'\"' r#o";
    let source = Source::new("src/hub/x.rs", text);
    let words: Vec<_> = source.words().map(|(_, word)| word).collect();
    assert_eq!(words, ["a", "j", "k", "m", "b", "b", "r", "o"]);
    assert_eq!(source.code.len(), text.len());
}

#[test]
fn tests_and_functions_are_found() {
    let text = "fn a(x: [u8; 2]) -> fn(u8) { if x { } }\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n\
                trait T { fn c(&self); }\n";
    let source = Source::new("src/hub/x.rs", text);
    let names: Vec<_> = source.functions().into_iter().map(|(name, at, _)| (name, at)).collect();
    assert_eq!(names.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "b"]);
    assert!(!source.is_test(names[0].1) && source.is_test(names[1].1));
    assert_eq!(source.inline_test_lines(), 4);
}
