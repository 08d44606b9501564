//! The configuration file: TOML, each value with its line.

use super::error::{ConfigError, Origin};
use super::setting::{Setting, Table, declared, find};
use super::tables;
use super::value::Value;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Likeness (Jaro-Winkler, 0 to 1) from which on a name is taken for a known one, mistyped.
const LIKENESS_MIN: f64 = 0.75;

/// How much of a wrong value is repeated, in characters.
const QUOTE_CHARS_MAX: usize = 60;

/// A value that the file gives.
#[derive(Debug)]
pub struct Given {
    pub setting: &'static Setting,
    pub origin: Origin,
    pub value: Value,
}

/// Reads a file's text; `path` is for its errors, which come in the order of the lines.
pub fn read(path: &Path, text: &str) -> (Vec<Given>, Vec<ConfigError>) {
    let mut reading = Reading { path, text, given: Vec::new(), errors: Vec::new() };
    match DeTable::parse(text) {
        Ok(root) => reading.root(root.get_ref()),
        Err(error) => {
            let at = reading.at(error.span().unwrap_or_default());
            let why = error.message().replace('\n', ", ");
            reading.errors.push((0, ConfigError::Syntax { at, why }));
        }
    }
    reading.errors.sort_by_key(|(at, _)| *at);
    (reading.given, reading.errors.into_iter().map(|(_, error)| error).collect())
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    given: Vec<Given>,
    /// By where they stand in the text.
    errors: Vec<(usize, ConfigError)>,
}

impl Reading<'_> {
    fn root(&mut self, root: &DeTable<'_>) {
        for (key, value) in root {
            let name: &str = key.get_ref();
            match (table(name), value.get_ref()) {
                (Some(table), DeValue::Table(keys)) => {
                    keys.iter().for_each(|(key, value)| self.key(table, key, value));
                }
                (Some(_), _) => {
                    let (at, name) = (self.at(key.span()), name.to_string());
                    self.error(key.span(), ConfigError::NotATable { at, name });
                }
                (None, DeValue::Table(_)) if find(name).is_none() => {
                    let names = tables::ALL.iter().map(|table| table.name);
                    let cure = match nearest(name, names.filter(|name| !name.is_empty())) {
                        Some(near) => format!("did you mean [{near}]?"),
                        None => NO_NEAR.to_string(),
                    };
                    let (at, name) = (self.at(key.span()), name.to_string());
                    self.error(key.span(), ConfigError::UnknownTable { at, name, cure });
                }
                (None, _) => self.key(tables::ALL[0], key, value),
            }
        }
    }

    fn key(
        &mut self,
        table: &'static Table,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let (name, span) = (key.get_ref().as_ref(), key.span());
        let origin = self.at(span.clone());
        let Some(setting) = table.settings.iter().find(|setting| setting.key == name) else {
            let (meant, cure) = cure_of_name(table, name);
            let (name, value) = (table.path(name), self.quote(value.span()));
            let error = ConfigError::UnknownKey { at: origin, name, value, meant, cure };
            return self.error(span, error);
        };
        match setting.form.read_toml(value.get_ref()) {
            Ok(value) => self.given.push(Given { setting, origin, value }),
            Err(cure) => {
                let given = origin.with(table, setting, &self.quote(value.span()));
                self.error(span, ConfigError::BadValue { key: setting.key, given, cure });
            }
        }
    }

    fn error(&mut self, span: Range<usize>, error: ConfigError) {
        self.errors.push((span.start, error));
    }

    fn at(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        Origin::File { path: self.path.to_path_buf(), line }
    }

    /// A value as it stands in the file.
    fn quote(&self, span: Range<usize>) -> String {
        let text = self.text.get(span).unwrap_or_default();
        let mut quoted: String = text.lines().next().unwrap_or_default().to_string();
        if quoted.chars().count() > QUOTE_CHARS_MAX || quoted.len() < text.len() {
            quoted = quoted.chars().take(QUOTE_CHARS_MAX).collect::<String>() + " ...";
        }
        quoted
    }
}

const NO_NEAR: &str = "'tapecast config --default' lists all";

fn table(name: &str) -> Option<&'static Table> {
    tables::ALL.into_iter().find(|table| !table.name.is_empty() && table.name == name)
}

/// The key that was meant by a name that `table` does not have, and what to write in its place.
fn cure_of_name(table: &Table, name: &str) -> (Option<&'static str>, String) {
    let place = |home: &Table| match home.name {
        "" => "before the first table".to_string(),
        home => format!("in [{home}]"),
    };
    if let Some((home, setting)) = find(name) {
        return (Some(setting.key), format!("its place is {}", place(home)));
    }
    let near = nearest(name, declared().map(|(_, setting)| setting.key));
    let cure = match near.and_then(find) {
        Some((home, setting)) if home.name == table.name => {
            format!("did you mean {}?", setting.key)
        }
        Some((home, setting)) => format!("did you mean {}, {}?", setting.key, place(home)),
        None => NO_NEAR.to_string(),
    };
    (near, cure)
}

/// The known name that a mistyped one is most like.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = known.map(|known| (strsim::jaro_winkler(name, known), known));
    let near = likeness.filter(|(likeness, _)| *likeness >= LIKENESS_MIN);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}
