//! The log: to standard error, for people or for programs, its level changeable while it runs.

mod journal;

use crate::config::{LogFormat, LogSettings, check_level};
use std::io::{self, IsTerminal};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

/// The client of NATS. It tells by INFO what our own lines tell with its meaning, so it is heard
/// from WARN on where the level does not name it.
const NATS_CLIENT: &str = "async_nats";

/// The level in force. Whoever has a clone may change it: the configuration's reload, and the
/// admin port.
#[derive(Debug, Clone)]
pub struct LogLevel {
    targets: reload::Handle<Targets, Registry>,
}

/// Why a level is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogLevelError {
    /// The text is the cure.
    #[error("the log level {level:?} does not fit; {cure}")]
    Unknown { level: String, cure: String },
    #[error("nothing is logged any more, so no level applies")]
    Gone,
}

impl LogLevel {
    /// Starts the log of this process; a second start changes nothing that is seen.
    pub fn start(settings: &LogSettings) -> Result<LogLevel, LogLevelError> {
        let (filter, level) = LogLevel::new(&settings.level)?;
        let lines = fmt::layer().with_writer(journal::Lines::new());
        let lines = match settings.format {
            LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        // A test, or another part of the same process, may have started one already.
        let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Ok(level)
    }

    fn new(level: &str) -> Result<(reload::Layer<Targets, Registry>, LogLevel), LogLevelError> {
        let (filter, targets) = reload::Layer::new(targets(level)?);
        Ok((filter, LogLevel { targets }))
    }

    /// As [`check_level`] takes it; holds from the next event on.
    pub fn set(&self, level: &str) -> Result<(), LogLevelError> {
        self.targets.reload(targets(level)?).map_err(|_| LogLevelError::Gone)
    }

    /// Whether a level, as [`LogLevel::set`] takes it, shows what `target` says by INFO.
    pub fn shows(level: &str, target: &str) -> bool {
        targets(level).is_ok_and(|targets| targets.would_enable(target, &Level::INFO))
    }

    /// In words that [`LogLevel::set`] takes.
    pub fn current(&self) -> String {
        let given = |targets: &Targets| as_given(targets).to_string();
        self.targets.with_current(given).unwrap_or_else(|_| "off".into())
    }
}

fn targets(level: &str) -> Result<Targets, LogLevelError> {
    let unknown = |cure| LogLevelError::Unknown { level: level.to_string(), cure };
    check_level(level).map_err(unknown)?;
    let parts: Vec<&str> = level.split(',').map(str::trim).collect();
    let given: Targets = parts.join(",").parse().map_err(|error| unknown(format!("{error}")))?;
    let names_client = parts.iter().any(|part| part.starts_with(NATS_CLIENT));
    Ok(match given.default_level() {
        Some(level) if !names_client => {
            given.with_target(NATS_CLIENT, level.min(LevelFilter::WARN))
        }
        _ => given,
    })
}

/// Without what [`targets`] adds by itself.
fn as_given(targets: &Targets) -> Targets {
    let Some(level) = targets.default_level() else { return targets.clone() };
    let added = (NATS_CLIENT, level.min(LevelFilter::WARN));
    let given = targets.iter().filter(|target| *target != added);
    Targets::new().with_targets(given).with_default(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_changes_and_a_bad_one_leaves_it() {
        let (_filter, log) = LogLevel::new("info").expect("a level");
        assert_eq!(log.current(), "info");
        log.set("tapecast::feed=trace, WARN").expect("a level");
        assert_eq!(log.current(), "tapecast::feed=trace,warn");
        let error = log.set("debg").expect_err("no level").to_string();
        assert!(error.contains("\"debg\"") && error.contains("off, error, warn"), "{error}");
        assert_eq!(log.current(), "tapecast::feed=trace,warn");
        assert!(LogLevel::shows("tapecast::feed=trace, WARN", "tapecast::feed"));
        assert!(!LogLevel::shows("tapecast::feed=trace, WARN", "tapecast::cli"));
    }

    #[test]
    fn the_client_of_nats_is_heard_from_warnings_on_unless_it_is_named() {
        let of_client = |level: &str| {
            let targets = targets(level).expect("a level");
            [Level::ERROR, Level::WARN, Level::INFO]
                .map(|level| targets.would_enable("async_nats::connector", &level))
        };
        for level in ["info", "trace", "warn", "tapecast=debug,info"] {
            assert_eq!(of_client(level), [true, true, false], "{level}");
        }
        assert_eq!(of_client("error"), [true, false, false]);
        assert_eq!(of_client("off"), [false; 3]);
        assert_eq!(of_client("async_nats=info,warn"), [true; 3]);
        assert_eq!(of_client("async_nats=off,debug"), [false; 3]);
        let (_filter, log) = LogLevel::new("async_nats=debug,info").expect("a level");
        assert_eq!(log.current(), "async_nats=debug,info");
    }
}
