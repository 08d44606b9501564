//! What is logged, and how it looks.

use super::value::{Field, Value};

/// Levels, from none to all.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// As [`check_level`] takes it.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people, in colour where standard error is a terminal.
    Human,
    /// A JSON object a line, for what collects logs.
    Json,
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings { level: "info".into(), format: LogFormat::Human }
    }
}

/// A level for everything, or for a part of the program (`tapecast::feed=debug`), or several of
/// these, split by commas. A lone word that is no level would name a part, and silence the rest:
/// so it is refused. The error is the cure.
pub fn check_level(text: &str) -> Result<(), String> {
    let fits = |part: &str| {
        let (target, level) = part.split_once('=').unwrap_or(("all", part));
        let target_fits = !target.is_empty() && !target.contains(char::is_whitespace);
        target_fits && LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level))
    };
    match text.split(',').all(|part| fits(part.trim())) {
        true => Ok(()),
        false => Err(format!(
            "give {}, or PART=LEVEL,LEVEL such as tapecast::feed=debug,info",
            LEVELS.join(", ")
        )),
    }
}

impl Field for LogFormat {
    fn value(&self) -> Value {
        Value::Text(match self {
            LogFormat::Human => "human".into(),
            LogFormat::Json => "json".into(),
        })
    }

    fn of(value: Value) -> LogFormat {
        if String::of(value) == "json" { LogFormat::Json } else { LogFormat::Human }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_words_or_parts_with_one() {
        for text in ["info", "OFF", "tapecast=debug", "tapecast::feed=trace, warn"] {
            assert_eq!(check_level(text), Ok(()), "{text}");
        }
        for text in ["", "debg", "tapecast", "tapecast=loud", "=info", "info,", "a b=info"] {
            let cure = check_level(text).expect_err(text);
            assert!(cure.contains("debug, trace, or PART=LEVEL"), "{cure}");
        }
    }
}
