//! Flags, variables and file made into one configuration that remembers where each value is from.

use super::clash::{self, Clash};
use super::error::{ConfigError, ConfigErrors, Origin};
use super::file::{self, nearest};
use super::setting::{Setting, Table, declared, find};
use super::{Changes, Settings};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable in place of `--config`.
pub const FILE_VARIABLE: &str = "TAPECAST_CONFIG";

/// Variables with a name of their own, and the key that they are. The uniform name wins.
const SHORT_VARIABLES: [(&str, &str); 1] = [("TAPECAST_LOG", "log_level")];

/// How texts of a list are split in a variable.
const LIST_SPLIT: char = ';';

/// Where a configuration is read from. Reading it again sees what the file has become.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Key and texts of each flag that was given.
    pub flags: Vec<(&'static str, Vec<String>)>,
    /// Those whose name begins with `TAPECAST_`.
    pub variables: Vec<(String, OsString)>,
    /// As given to `--config`.
    pub file: Option<PathBuf>,
}

/// Settings, each with its origin.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub settings: Settings,
    /// By key; what is missing is a default.
    origins: BTreeMap<&'static str, Origin>,
}

impl Sources {
    /// Reads everything. Errors: all of them, of the file in the order of its lines. What is wrong
    /// has its default in what is given beside them.
    pub fn read(&self) -> (Config, Vec<ConfigError>) {
        let mut config = Config::default();
        let mut errors = Vec::new();
        if let Some((origin, path)) = self.file() {
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    let (given, found) = file::read(&path, &text);
                    errors = found;
                    for given in given {
                        (given.setting.at.set)(&mut config.settings, given.value);
                        config.origins.insert(given.setting.key, given.origin);
                    }
                }
                Err(error) => {
                    errors.push(ConfigError::Unreadable { origin, path, why: error.to_string() });
                }
            }
        }
        for (name, value) in &self.variables {
            if let Some((table, setting)) = variable(name, &self.variables) {
                let origin = Origin::Variable(name.clone());
                let texts = value.to_str().map(|text| vec![text.to_string()]).unwrap_or_default();
                errors.extend(config.take(table, setting, origin, &texts).err());
            }
        }
        for (key, texts) in &self.flags {
            let (table, setting) = find(key).expect("flags are made of declared settings");
            let origin = Origin::Flag(setting.flag());
            errors.extend(config.take(table, setting, origin, texts).err());
        }
        errors.extend(config.clashes(&errors));
        (config, errors)
    }

    /// The configuration, where nothing is wrong.
    pub fn load(&self) -> Result<Config, ConfigErrors> {
        let (config, errors) = self.read();
        if errors.is_empty() { Ok(config) } else { Err(ConfigErrors(errors)) }
    }

    /// The file, and who named it: the flag, else the variable.
    pub fn file(&self) -> Option<(&'static str, PathBuf)> {
        let named = |(_, value): &(String, OsString)| (FILE_VARIABLE, PathBuf::from(value));
        let mut variables = self.variables.iter();
        let by_flag = self.file.clone().map(|path| ("--config", path));
        by_flag.or_else(|| {
            variables.find(|(name, value)| name == FILE_VARIABLE && !value.is_empty()).map(named)
        })
    }

    /// Variables that look like a setting's and are none. Only such: others may have their own
    /// reason (Kubernetes makes `TAPECAST_SERVICE_HOST` for a service of that name).
    pub fn mistyped_variables(&self) -> Vec<(String, String)> {
        let known: Vec<String> = declared().map(|(_, setting)| setting.variable()).collect();
        let others = SHORT_VARIABLES.iter().map(|(name, _)| *name).chain([FILE_VARIABLE]);
        let known: Vec<&str> = known.iter().map(String::as_str).chain(others).collect();
        let key = |name: &str| name.trim_start_matches("TAPECAST_").to_string();
        let names = self.variables.iter().map(|(name, _)| name.as_str());
        let strange = names.filter(|name| !known.contains(name));
        let near = strange.filter_map(|name| {
            let keys: Vec<String> = known.iter().map(|known| key(known)).collect();
            let near = nearest(&key(name), keys.iter().map(String::as_str))?;
            let close = strsim::damerau_levenshtein(&key(name), near) <= 2;
            close.then(|| (name.to_string(), format!("TAPECAST_{near}")))
        });
        near.collect()
    }
}

/// The setting that a variable is, if it counts: an empty one is as good as none, and a short name
/// gives way to the uniform one.
fn variable(name: &str, all: &[(String, OsString)]) -> Option<(&'static Table, &'static Setting)> {
    let is_set = |name: &str| all.iter().any(|(n, value)| n == name && !value.is_empty());
    let uniform = || declared().find(|(_, setting)| setting.variable() == name);
    let short = || {
        let (_, key) = SHORT_VARIABLES.iter().find(|(short, _)| *short == name)?;
        find(key).filter(|(_, setting)| !is_set(&setting.variable()))
    };
    uniform().or_else(short).filter(|_| is_set(name))
}

impl Config {
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or_default()
    }

    /// The same origins, where not all that was read is in force.
    pub fn with_settings(self, settings: Settings) -> Config {
        Config { settings, ..self }
    }

    /// A setting as it was given, for an error that is found later: origin, key and value.
    pub fn given(&self, key: &str) -> String {
        let (table, setting) = find(key).expect("only declared settings are asked for");
        let (origin, value) = (self.origin(key), (setting.at.of)(&self.settings));
        let text = match origin {
            Origin::File { .. } | Origin::Default => setting.form.to_toml(&value),
            Origin::Variable(_) | Origin::Flag(_) => setting.form.plain(&value),
        };
        origin.with(table, setting, &text)
    }

    /// Takes what a flag or a variable gives.
    fn take(
        &mut self,
        table: &'static Table,
        setting: &'static Setting,
        origin: Origin,
        texts: &[String],
    ) -> Result<(), ConfigError> {
        let form = &setting.form;
        let read = match (texts, &origin) {
            ([], _) => Err("give a text in UTF-8".to_string()),
            ([text], Origin::Variable(_)) if form.is_list() => {
                form.read_texts(text.split(LIST_SPLIT).map(|part| part.trim().into()).collect())
            }
            (texts, _) if form.is_list() => form.read_texts(texts.to_vec()),
            (texts, _) => form.read_text(texts.last().expect("it is not empty")),
        };
        let value = read.map_err(|cure| {
            let given = origin.with(table, setting, &texts.join(" "));
            ConfigError::BadValue { key: setting.key, given, cure }
        })?;
        (setting.at.set)(&mut self.settings, value);
        self.origins.insert(setting.key, origin);
        Ok(())
    }

    /// Beside the errors that were found: what they have left at its default may have been meant
    /// otherwise, and clashes with nothing.
    fn clashes(&self, errors: &[ConfigError]) -> Vec<ConfigError> {
        let is_sure = |key: &str| {
            let origin = self.origin(key);
            !errors.iter().any(|error| error.casts_doubt_on(key, &origin))
        };
        let there = clash::ALL.iter().filter(|clash| (clash.is_there)(&self.settings));
        let sure = there.filter(|clash| clash.keys.iter().all(|key| is_sure(key)));
        sure.map(|clash| self.clash(clash)).collect()
    }

    /// What was given comes first: a default is seldom what is wrong.
    fn clash(&self, clash: &Clash) -> ConfigError {
        let [mut first, mut second] = clash.keys;
        if self.origin(first) == Origin::Default {
            (first, second) = (second, first);
        }
        let (given, other) = (self.given(first), self.given(second));
        ConfigError::Clash { given, other, cure: clash.cure.into() }
    }
}

/// A setting that is not what it was, in the file's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: &'static str,
    /// With its table.
    pub path: String,
    pub old: String,
    pub new: String,
    pub changes: Changes,
}

impl Settings {
    /// What differs in `new`, in the file's order.
    pub fn changes_to(&self, new: &Settings) -> Vec<Change> {
        let differing = declared().filter_map(|(table, setting)| {
            let (old, new) = ((setting.at.of)(self), (setting.at.of)(new));
            let text = |value| setting.form.to_toml(value);
            (old != new).then(|| Change {
                key: setting.key,
                path: table.path(setting.key),
                old: text(&old),
                new: text(&new),
                changes: setting.changes,
            })
        });
        differing.collect()
    }

    /// These settings with what may change live as `new` has it.
    pub fn with_live_of(&self, new: &Settings) -> Settings {
        let mut settings = self.clone();
        let live = declared().filter(|(_, setting)| setting.changes == Changes::Live);
        live.for_each(|(_, setting)| (setting.at.set)(&mut settings, (setting.at.of)(new)));
        settings
    }
}

#[cfg(test)]
mod tests;
