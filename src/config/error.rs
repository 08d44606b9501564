//! Where a value came from, and what is wrong with one.

use super::setting::{Setting, Table};
use std::fmt;
use std::path::PathBuf;

/// Where a value came from; a later one wins over those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Default,
    /// The line counts from 1.
    File { path: PathBuf, line: usize },
    /// Its name.
    Variable(String),
    /// Its name, without dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => write!(f, "{name}"),
            Origin::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

impl Origin {
    /// A value as it was given: origin, key and value.
    pub fn with(&self, table: &Table, setting: &Setting, value: &str) -> String {
        let key = setting.key;
        match self {
            Origin::Default => format!("{key} = {value} (default)"),
            Origin::File { .. } => format!("{self}: {} = {value}", table.path(key)),
            Origin::Variable(name) => format!("{name}={value}"),
            Origin::Flag(name) => format!("--{name} {value}"),
        }
    }
}

/// What is wrong with a configuration; the text names origin, key, value and cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{origin} {path}: cannot read the file: {why}; give the path of a TOML file")]
    Unreadable { origin: &'static str, path: PathBuf, why: String },
    #[error("{at}: not TOML: {why}")]
    Syntax { at: Origin, why: String },
    #[error("{at}: {name} = {value}: there is no such key; {cure}")]
    UnknownKey {
        at: Origin,
        name: String,
        value: String,
        /// The key that was meant, where one is like it.
        meant: Option<&'static str>,
        cure: String,
    },
    #[error("{at}: [{name}]: there is no such table; {cure}")]
    UnknownTable { at: Origin, name: String, cure: String },
    #[error("{at}: {name} is a table; write [{name}] on a line of its own, and its keys below")]
    NotATable { at: Origin, name: String },
    #[error("{given}: {cure}")]
    BadValue { key: &'static str, given: String, cure: String },
    #[error("{place} {why}")]
    BadFeed { place: String, why: String },
    #[error("{given}, with {other}: {cure}")]
    Clash { given: String, other: String, cure: String },
}

impl ConfigError {
    /// Whether what a key has now may not be what was meant, because of this.
    pub fn casts_doubt_on(&self, key: &str, origin: &Origin) -> bool {
        match self {
            ConfigError::BadValue { key: wrong, .. } => *wrong == key,
            ConfigError::UnknownKey { meant, .. } => *meant == Some(key),
            // What stands there was not read.
            ConfigError::Unreadable { .. }
            | ConfigError::Syntax { .. }
            | ConfigError::UnknownTable { .. }
            | ConfigError::NotATable { .. } => *origin == Origin::Default,
            ConfigError::BadFeed { .. } | ConfigError::Clash { .. } => false,
        }
    }
}

/// All that is wrong, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}error: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
