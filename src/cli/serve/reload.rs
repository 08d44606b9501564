//! The configuration read again while the server runs.

use super::{check, explained, feeds};
use crate::config::{Change, Changes, Config, Settings, Sources};
use crate::control::LogLevel;
use crate::server::Server;
use crate::wire::client::without_logins;
use std::path::Path;

/// What is in force, and where it is read from.
pub struct Reload {
    sources: Sources,
    config: Config,
    log: LogLevel,
}

/// What came of a reload; the log has said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// So many settings have changed.
    Applied(usize),
    /// What was read is wrong or cannot be had: the old configuration goes on.
    Kept,
    /// There is no file to read.
    NoFile,
}

impl Reload {
    pub fn new(sources: Sources, config: Config, log: LogLevel) -> Reload {
        Reload { sources, config, log }
    }

    /// What is in force now.
    pub fn settings(&self) -> &Settings {
        &self.config.settings
    }

    /// Reads the file again and puts in force what can change live. Flags and variables win as at
    /// the start. Sessions are not touched. Every change is a line of the log, also one that needs
    /// a restart; what is wrong is one as well, and then nothing changes.
    pub fn reload(&mut self, server: &mut Server) -> Reloaded {
        let Some((_, path)) = self.sources.file() else {
            tracing::warn!("reload: there is no file to read; give one with --config");
            return Reloaded::NoFile;
        };
        let new = match check(&self.sources) {
            Ok(new) => new,
            Err(errors) => {
                errors.0.iter().for_each(|error| tracing::error!("reload: {error}"));
                tracing::error!("reload: the old configuration goes on");
                return Reloaded::Kept;
            }
        };
        let changes = self.config.settings.changes_to(&new.settings);
        let (live, left): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| self.is_live(change, &new));
        let mut settings = self.config.settings.with_live_of(&new.settings);
        if left.iter().any(|change| change.key == "feeds") {
            settings.feeds.clone_from(&self.config.settings.feeds);
        }
        if let Err(error) = server.apply(&settings) {
            tracing::error!("reload: {}", explained(&error, &new));
            tracing::error!("reload: the old configuration goes on");
            return Reloaded::Kept;
        }
        let changed = live.len();
        // The level first where it shows these lines, else last: who has just asked for less still
        // sees them, and who asks for more does as well.
        let (level, told) = (&settings.log.level, live.iter().any(|c| c.key == "log_level"));
        let shows = LogLevel::shows(level, module_path!());
        if shows {
            self.set_level(level, told);
        }
        tell(&live, &left, &path);
        if !shows {
            self.set_level(level, told);
        }
        self.config = new.with_settings(settings);
        Reloaded::Applied(changed)
    }

    /// Also where the file's level is the same: it may have been changed from elsewhere since, and
    /// this is the way back.
    fn set_level(&self, level: &str, told: bool) {
        let before = self.log.current();
        match self.log.set(level) {
            Ok(()) if !told && before != self.log.current() => {
                tracing::info!("the log's level as configured: {before} → {}", self.log.current());
            }
            Ok(()) => {}
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// Feeds change live in their pace alone.
    fn is_live(&self, change: &Change, new: &Config) -> bool {
        let live = change.changes == Changes::Live;
        live && (change.key != "feeds" || feeds::differ_in_pace_alone(&self.config, new))
    }
}

/// What has changed, and what has not.
fn tell(live: &[Change], left: &[Change], path: &Path) {
    for Change { path, old, new, .. } in live {
        let [old, new] = [old, new].map(|value| without_logins(value));
        tracing::info!("{path}: {old} → {new}");
    }
    for Change { path, old, new, .. } in left {
        let [old, new] = [old, new].map(|value| without_logins(value));
        tracing::warn!("{path}: {old} → {new} needs a restart and is not applied");
    }
    let (path, changed, left) = (path.display(), live.len(), left.len());
    tracing::info!("reloaded {path}: {changed} changed, {left} need a restart");
}
