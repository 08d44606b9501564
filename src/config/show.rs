//! A configuration as a file: the one in force, and the commented one of defaults.

use super::setting::{Setting, Table};
use super::{Changes, Config, Settings, tables};
use crate::wire::client::without_logins;
use std::fmt::Write;

/// Comments behind values begin here, where the value leaves room.
const COMMENT_COLUMN: usize = 48;

/// Lines of the commented file, at most.
const LINE_COLUMNS: usize = 90;

const OPENING: &str = "\
Tapecast's configuration: every key, its default, what it means and why it is what it is.
Each key is also a flag and a variable: max_sessions, --max-sessions, TAPECAST_MAX_SESSIONS. \
A flag wins over a variable, a variable over this file, this file over the default.
Keys marked [live] change when the process gets SIGHUP; the others need a restart, and it says so.";

/// Every value in force, with its origin. Itself a file that gives these values.
pub fn effective(config: &Config) -> String {
    let mut out = format!("# tapecast {}\n", env!("CARGO_PKG_VERSION"));
    for table in tables::ALL {
        open(table, &mut out);
        for setting in table.settings {
            let line = line(setting, &config.settings);
            let origin = config.origin(setting.key);
            // A String takes everything.
            let _ = writeln!(out, "{line:<COMMENT_COLUMN$} # {origin}");
        }
    }
    out
}

/// Every key with its default, commented. Itself a file that changes nothing.
pub fn commented_defaults() -> String {
    let (mut out, default) = (String::new(), Settings::default());
    comment(OPENING, &mut out);
    for table in tables::ALL {
        open(table, &mut out);
        for (index, setting) in table.settings.iter().enumerate() {
            if index > 0 || table.name.is_empty() {
                out.push('\n');
            }
            let live = if setting.changes == Changes::Live { "[live] " } else { "" };
            comment(&format!("{live}{}.", setting.means), &mut out);
            comment(setting.why, &mut out);
            out.push_str(&line(setting, &default));
            out.push('\n');
        }
    }
    out
}

fn open(table: &Table, out: &mut String) {
    if !table.name.is_empty() {
        let _ = writeln!(out, "\n[{}]", table.name);
    }
}

fn line(setting: &Setting, settings: &Settings) -> String {
    // A login in the URL of a feed is for its server alone.
    let value = without_logins(&setting.form.to_toml(&(setting.at.of)(settings)));
    format!("{} = {value}", setting.key)
}

/// Paragraphs, broken at blanks.
fn comment(text: &str, out: &mut String) {
    for paragraph in text.lines().filter(|line| !line.is_empty()) {
        let mut columns = 0;
        for word in paragraph.split_whitespace() {
            if columns == 0 || columns + 1 + word.len() > LINE_COLUMNS {
                out.push_str(if columns == 0 { "#" } else { "\n#" });
                columns = 1;
            }
            out.push(' ');
            out.push_str(word);
            columns += 1 + word.len();
        }
        out.push('\n');
    }
}
