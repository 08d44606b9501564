//! The log's level, changeable while the process runs.

use std::io::{self, IsTerminal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The level in force. Whoever has a clone may change it.
#[derive(Debug, Clone)]
pub struct LogLevel {
    targets: reload::Handle<Targets, Registry>,
}

/// Why a level is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogLevelError {
    #[error("the log level {level:?} does not fit: {why}; give error, warn, info, debug or trace")]
    Unknown { level: String, why: String },
    #[error("nothing is logged any more, so no level applies")]
    Gone,
}

impl LogLevel {
    /// Starts the log of this process; a second start changes nothing that is seen.
    pub fn start(level: &str) -> Result<LogLevel, LogLevelError> {
        let (filter, targets) = reload::Layer::new(parse(level)?);
        let ansi = io::stderr().is_terminal();
        let lines = fmt::layer().with_writer(io::stderr).with_ansi(ansi);
        let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Ok(LogLevel { targets })
    }

    /// Holds from the next event on.
    pub fn set(&self, level: &str) -> Result<(), LogLevelError> {
        self.targets.reload(parse(level)?).map_err(|_| LogLevelError::Gone)
    }

    /// In words that [`LogLevel::set`] takes.
    pub fn current(&self) -> String {
        self.targets.with_current(Targets::to_string).unwrap_or_else(|_| "off".into())
    }
}

fn parse(level: &str) -> Result<Targets, LogLevelError> {
    let unknown = |why: String| LogLevelError::Unknown { level: level.to_string(), why };
    level
        .parse()
        .map_err(|error: tracing_subscriber::filter::ParseError| unknown(error.to_string()))
}
