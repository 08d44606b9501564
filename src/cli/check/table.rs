//! The findings as a table for people, in 80 columns.

use super::count;
use crate::server::{Finding, Level};
use std::fmt::Write;

const COLUMNS: usize = 80;

/// Columns of the level and of the name, with what follows them.
const LEVEL: usize = 8;
const NAME: usize = 33;

pub fn table(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let start = format!("{:<LEVEL$}{:<NAME$}", word(finding.level), finding.name);
        let found = match finding.wanted.is_empty() {
            true => finding.found.clone(),
            false => format!("{}; wanted: {}", finding.found, finding.wanted),
        };
        paragraph(&start, &found, LEVEL + NAME, &mut out);
        if !finding.why.is_empty() {
            paragraph(&" ".repeat(LEVEL), &finding.why, LEVEL, &mut out);
        }
        if !finding.cure.is_empty() {
            let start = format!("{:LEVEL$}-> ", "");
            paragraph(&start, &finding.cure, LEVEL + 3, &mut out);
        }
    }
    let (musts, shoulds) = (count(findings, Level::Must), count(findings, Level::Should));
    let total = findings.len();
    let end = match (musts, shoulds) {
        (0, 0) => "nothing to mend".to_string(),
        (0, _) => format!("{shoulds} should be mended for the load that is configured"),
        _ => format!("{musts} must be mended before the server starts, {shoulds} should be"),
    };
    // A String takes everything.
    let _ = writeln!(out, "\n{total} looked at: {end}");
    out
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Should => "should",
        Level::Must => "MUST",
    }
}

/// `start`, then the words of `text`; lines after the first begin at column `indent`. A word that
/// fits no line stands on one of its own, so that commands can be copied.
fn paragraph(start: &str, text: &str, indent: usize, out: &mut String) {
    let mut line = start.to_string();
    let mut has_word = false;
    for word in text.split_whitespace() {
        let columns = line.chars().count() + usize::from(has_word) + word.chars().count();
        if has_word && columns > COLUMNS {
            *out += line.trim_end();
            out.push('\n');
            line = " ".repeat(indent);
            has_word = false;
        }
        if has_word {
            line.push(' ');
        }
        line += word;
        has_word = true;
    }
    *out += line.trim_end();
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Level) -> Finding {
        let text = "several words that go on and on until no line of a terminal can hold them all";
        Finding {
            name: "net.ipv4.tcp_max_syn_backlog".into(),
            level,
            found: "128".into(),
            wanted: text.into(),
            why: text.into(),
            cure: format!("sysctl -w net.core.somaxconn=4096, or {text}"),
        }
    }

    #[test]
    fn lines_are_short_and_begin_with_the_level_and_the_name() {
        let text = table(&[finding(Level::Ok), finding(Level::Must)]);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("MUST    net.ipv4.tcp_max_syn_backlog     128; wanted: "), "{text}");
        assert!(text.contains("        -> sysctl -w net.core.somaxconn=4096, or "), "{text}");
        assert!(
            text.ends_with("2 looked at: 1 must be mended before the server starts, 0 should be\n")
        );
    }

    #[test]
    fn the_end_says_what_it_comes_to() {
        assert!(table(&[finding(Level::Note)]).ends_with("1 looked at: nothing to mend\n"));
        let text = table(&[finding(Level::Should)]);
        assert!(text.ends_with("1 should be mended for the load that is configured\n"), "{text}");
    }
}
