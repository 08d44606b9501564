//! The commands: arguments in, exit code out.
//!
//! Thin where the work lies elsewhere; the client side of the program (`subscribe`, `load`) lives
//! here. Must not know a shard, a hub or a feed. Every command is a `clap::Args` struct and a
//! `run` that takes it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "output is what a command is for")]

pub mod check;
pub mod config;
pub mod load;
pub mod publish;
pub mod record;
pub mod serve;
pub mod subscribe;
pub mod top;

use crate::config::{LogSettings, check_level};
use crate::control::LogLevel;

/// The log of commands that have no configuration: its level is in `TAPECAST_LOG_LEVEL`, or in
/// `TAPECAST_LOG`; without a level in them it is info.
pub fn start_log() {
    let mut named = ["TAPECAST_LOG_LEVEL", "TAPECAST_LOG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok().filter(|level| check_level(level).is_ok()));
    let default = LogSettings::default();
    let level = named.next().unwrap_or_else(|| default.level.clone());
    let settings = LogSettings { level, ..default };
    let _ = LogLevel::start(&settings).expect("the level has been checked");
}
