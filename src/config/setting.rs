//! What is declared of one setting, once: the file's key, the flag, the variable, the help, the
//! default file and the reload all come from this.

use super::value::{Form, Value};
use super::{Settings, tables};

/// One setting. To add one: a field with its default in [`Settings`], and one of these in a file
/// of `tables/`. Nothing else lists settings.
#[derive(Debug)]
pub struct Setting {
    /// In the file. The flag is the same with dashes, the variable the same in capitals behind
    /// `TAPECAST_`; so it is unique over all tables.
    pub key: &'static str,
    /// In the help, in place of the value.
    pub value_name: &'static str,
    /// The first line of the help, without the default.
    pub means: &'static str,
    /// Why the default is what it is, and what else is worth saying.
    pub why: &'static str,
    pub changes: Changes,
    pub form: Form,
    pub at: At,
}

/// When a new value in the file takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// With SIGHUP: `Server::apply`, and `Reload` for what does not belong to the server.
    Live,
    /// With the next start.
    Restart,
}

/// The field that it is.
#[derive(Debug, Clone, Copy)]
pub struct At {
    pub of: fn(&Settings) -> Value,
    pub set: fn(&mut Settings, Value),
}

/// The field at a path from the settings' root, as [`At`].
macro_rules! at {
    ($($field:tt)+) => {
        $crate::config::setting::At {
            of: |settings| $crate::config::value::Field::value(&settings.$($field)+),
            set: |settings, value| settings.$($field)+ = $crate::config::value::Field::of(value),
        }
    };
}
pub(super) use at;

/// Settings that stand under one `[name]` of the file, and under one heading of the help.
#[derive(Debug)]
pub struct Table {
    /// Empty for those that stand before all tables.
    pub name: &'static str,
    /// What they are about.
    pub about: &'static str,
    pub settings: &'static [Setting],
}

impl Setting {
    pub fn variable(&self) -> String {
        format!("TAPECAST_{}", self.key.to_uppercase())
    }

    /// Without its dashes. A list's flag is given once for each of its texts, so it loses the
    /// plural.
    pub fn flag(&self) -> String {
        let flag = self.key.replace('_', "-");
        match self.form.is_list() {
            true => match flag.strip_suffix("ies") {
                Some(stem) => format!("{stem}y"),
                None => flag.trim_end_matches('s').to_string(),
            },
            false => flag,
        }
    }
}

impl Table {
    /// `table.key`, or the key alone.
    pub fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_string() } else { format!("{}.{key}", self.name) }
    }
}

/// Every setting with its table, in the file's order.
pub fn declared() -> impl Iterator<Item = (&'static Table, &'static Setting)> {
    tables::ALL.iter().flat_map(|table| table.settings.iter().map(move |setting| (*table, setting)))
}

/// The one with this key.
pub fn find(key: &str) -> Option<(&'static Table, &'static Setting)> {
    declared().find(|(_, setting)| setting.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::{Form, Value};
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_texts_are_there() {
        let mut names = BTreeSet::new();
        for (table, setting) in declared() {
            assert!(names.insert(setting.key), "{} is declared twice", setting.key);
            assert!(setting.key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(setting.means.len() > 10 && setting.why.len() > 20, "{}", setting.key);
            assert!(!setting.means.ends_with('.') && setting.why.ends_with('.'), "{}", setting.key);
            assert!(!table.about.is_empty());
        }
        assert!(names.len() > 40, "{} settings", names.len());
    }

    /// Method: every setting's extremes are put into the settings and read back; all other
    /// settings must stay as they were.
    #[test]
    fn each_setting_is_a_field_of_its_own_that_holds_its_extremes() {
        let default = Settings::default();
        for (_, setting) in declared() {
            let word = |text: &str| Value::Text(text.into());
            let values = match setting.form {
                Form::Number { least, most, .. } => vec![Value::Number(least), Value::Number(most)],
                Form::Switch => vec![Value::Switch(false), Value::Switch(true)],
                Form::Word(words) => words.iter().map(|text| word(text)).collect(),
                Form::Text(_) => vec![word("warn")],
                Form::Address { .. } => vec![word("[::1]:1"), word("0.0.0.0:65535")],
                Form::Texts { .. } => vec![Value::Texts(vec!["stdin".into()])],
                Form::Networks { .. } => {
                    vec![Value::Texts(vec!["10.0.0.0/8".into(), "::1/128".into()])]
                }
            };
            for value in values {
                let mut settings = default.clone();
                (setting.at.set)(&mut settings, value.clone());
                assert_eq!((setting.at.of)(&settings), value, "{}", setting.key);
                for (_, other) in declared().filter(|(_, other)| other.key != setting.key) {
                    let (of, key) = (other.at.of, other.key);
                    assert_eq!(of(&settings), of(&default), "{} changes {key}", setting.key);
                }
            }
            let value = (setting.at.of)(&default);
            assert_eq!(setting.form.check(Some(value.clone())), Ok(value), "{}", setting.key);
        }
    }
}
