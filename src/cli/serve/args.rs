//! The flags of `serve`, made of the settings' declarations.

use crate::config::{Changes, Form, Setting, Settings, Sources, TABLES, Table};
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use std::path::PathBuf;

/// What was given on the command line; the values are read with those of the file.
#[derive(Debug, Clone, Default)]
pub struct GivenSettings {
    /// Key and texts of each flag that was given.
    flags: Vec<(&'static str, Vec<String>)>,
    /// As given to `--config`.
    file: Option<PathBuf>,
}

/// The flags of `serve`: every setting.
#[derive(Debug, Clone, Default)]
pub struct ServeArgs(GivenSettings);

/// The flags of some tables of settings, and of the file: for a command that reads them as `serve`
/// does.
#[derive(Debug, Clone)]
pub struct SettingFlags {
    tables: Vec<&'static Table>,
}

const FILE: &str = "config";

const ABOUT: &str = "Serve feeds to WebSocket subscribers";

const LONG_ABOUT: &str = "\
Serve feeds to WebSocket subscribers. Without flags it starts with a built-in \
synthetic feed on 127.0.0.1:9001. SIGTERM or SIGINT stops it in order, a second one at once; \
SIGHUP reads --config again.

Every flag is also a variable and a key of the file: --max-sessions, TAPECAST_MAX_SESSIONS, \
max_sessions. A flag wins over a variable, a variable over the file. 'tapecast config' shows what \
is in force and why, 'tapecast config --default' the file with all its keys.

Exit codes: 0 stopped in order, 1 failed, 2 wrong use, 70 an internal error that restarts did not \
cure, 71 a shard that was stuck.";

impl GivenSettings {
    /// The flags, the process's variables and the file, to be read.
    pub fn sources(&self) -> Sources {
        let names = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("TAPECAST_").then_some((name, value))
        });
        let mut variables: Vec<_> = names.collect();
        variables.sort(); // the environment's order says nothing
        Sources { variables, ..self.flags_alone() }
    }

    /// Without the process's variables.
    pub fn flags_alone(&self) -> Sources {
        Sources { flags: self.flags.clone(), variables: Vec::new(), file: self.file.clone() }
    }
}

impl SettingFlags {
    /// Of the tables with these names.
    pub fn of(names: &[&str]) -> SettingFlags {
        let is_named = |table: &&&'static Table| names.contains(&table.name);
        SettingFlags { tables: TABLES.iter().filter(is_named).copied().collect() }
    }

    fn all() -> SettingFlags {
        SettingFlags { tables: TABLES.to_vec() }
    }

    pub fn augment(&self, command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("TOML file with settings; also TAPECAST_CONFIG")
            .long_help(
                "TOML file with settings; also TAPECAST_CONFIG. SIGHUP has 'serve' read it again: \
                 what can change live does, the rest is logged.",
            );
        let default = Settings::default();
        self.tables.iter().fold(command.arg(file), |command, table| {
            let heading = (!table.name.is_empty()).then_some(table.about);
            let flags = table.settings.iter().map(|setting| flag(setting, &default));
            command.args(flags.map(|arg| arg.help_heading(heading)))
        })
    }

    pub fn given(&self, matches: &ArgMatches) -> GivenSettings {
        let texts = |key| matches.get_many::<String>(key).map(|texts| texts.cloned().collect());
        let settings = self.tables.iter().flat_map(|table| table.settings);
        let given = settings.filter_map(|setting| Some((setting.key, texts(setting.key)?)));
        GivenSettings { flags: given.collect(), file: matches.get_one(FILE).cloned() }
    }
}

impl ServeArgs {
    /// The flags, the process's variables and the file, to be read.
    pub fn sources(&self) -> Sources {
        self.0.sources()
    }
}

impl clap::Args for ServeArgs {
    fn augment_args(command: Command) -> Command {
        SettingFlags::all().augment(command.about(ABOUT).long_about(LONG_ABOUT))
    }

    fn augment_args_for_update(command: Command) -> Command {
        ServeArgs::augment_args(command)
    }
}

impl FromArgMatches for ServeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ServeArgs, clap::Error> {
        Ok(ServeArgs(SettingFlags::all().given(matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = ServeArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

/// One flag. Its text is taken as it is: all that is wrong with a value is told in one way,
/// whether a flag, a variable or the file has it.
fn flag(setting: &'static Setting, default: &Settings) -> Arg {
    let value = (setting.at.of)(default);
    let default = setting.form.plain(&value);
    let live = match setting.changes {
        Changes::Live => "SIGHUP changes it live.",
        Changes::Restart => "A change needs a restart.",
    };
    let shown = if default.is_empty() { "none" } else { &default };
    let help = format!("{} [default: {shown}]", setting.means);
    let arg = Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.value_name)
        .allow_negative_numbers(true)
        .long_help(format!("{help}\n\n{}\n\n{live}", setting.why))
        .help(help);
    match setting.form {
        Form::Texts { .. } | Form::Networks { .. } => arg.action(ArgAction::Append),
        // What is off may be turned on by the flag alone.
        Form::Switch if default == "false" => {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, declared};
    use clap::Args;
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    fn parsed(arguments: &[&str]) -> Result<ServeArgs, clap::Error> {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let matches = command.try_get_matches_from([&["serve"], arguments].concat())?;
        ServeArgs::from_arg_matches(&matches)
    }

    /// Method: for every flag that the command has, a value that is not its default is given as a
    /// flag, as a variable and in a file; all three must come to the same settings. A flag without
    /// a key or a variable, or the other way round, fails.
    #[test]
    fn every_flag_is_a_key_and_a_variable() {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let mut settings: BTreeMap<String, _> =
            declared().map(|(table, setting)| (setting.flag(), (table, setting))).collect();
        for arg in command.get_arguments().filter(|arg| arg.get_id() != FILE) {
            let flag = arg.get_long().expect("every argument is a flag");
            let (table, setting) = settings.remove(flag).unwrap_or_else(|| panic!("--{flag}"));
            let (key, form) = (setting.key, &setting.form);
            let default = (setting.at.of)(&Settings::default());
            let text = other_than(form, &form.plain(&default));
            let value = if form.is_list() {
                form.read_texts(vec![text.clone()])
            } else {
                form.read_text(&text)
            };
            let value = value.expect("it fits");
            assert_ne!(value, default, "{key}");
            let by_flag = parsed(&[&format!("--{flag}={text}")]).expect(flag).sources();
            let by_flag = Sources { variables: Vec::new(), ..by_flag };
            let variables = vec![(setting.variable(), OsString::from(&text))];
            let by_variable = Sources { variables, ..Sources::default() };
            let directory = std::env::temp_dir();
            let path = directory.join(format!("tapecast-{}-{key}.toml", std::process::id()));
            let line = format!("{} = {}\n", table.path(key), form.to_toml(&value));
            std::fs::write(&path, line).expect("a file in the temporary folder");
            let by_file = Sources { file: Some(path.clone()), ..Sources::default() };
            for sources in [by_flag, by_variable, by_file] {
                // What clashes with a default was understood as well.
                let found = match sources.load() {
                    Ok(config) => (setting.at.of)(&config.settings),
                    Err(errors) => {
                        let is_clash = |error: &_| matches!(error, ConfigError::Clash { .. });
                        assert!(errors.0.iter().all(is_clash), "{errors}");
                        value.clone()
                    }
                };
                assert_eq!(found, value, "{key} by {sources:?}");
            }
            std::fs::remove_file(&path).expect("just written");
        }
        assert!(settings.is_empty(), "without a flag: {:?}", settings.keys());
    }

    fn other_than(form: &Form, default: &str) -> String {
        let texts: Vec<String> = match form {
            Form::Number { least, .. } => vec![least.to_string(), (least + 1).to_string()],
            Form::Switch => vec!["true".into(), "false".into()],
            Form::Word(words) => words.iter().map(|word| word.to_string()).collect(),
            Form::Text(_) => vec!["warn".into()],
            Form::Address { .. } => vec!["127.0.0.1:1".into()],
            Form::Texts { .. } => vec!["stdin".into()],
            Form::Networks { .. } => vec!["10.0.0.0/8".into()],
        };
        texts.into_iter().find(|text| text != default).expect("forms have two values and more")
    }

    #[test]
    fn flags_may_be_switches_and_lists() {
        let args = parsed(&["--echo", "--feed", "stdin", "--feed", "synthetic"]).expect("flags");
        let settings = args.sources().load().expect("they fit").settings;
        assert!(settings.hub.echo && !settings.hub.fault_injection);
        assert_eq!(settings.feeds, ["stdin", "synthetic"]);
        assert!(parsed(&["--shards", "1", "--shards", "2"]).is_err(), "twice");
        let error = parsed(&["--shards", "-1"]).expect("a text").sources().load();
        let error = error.expect_err("no number").to_string();
        assert_eq!(error, "error: --shards -1: give a number from 1 to 1024, or \"auto\"");
    }
}
