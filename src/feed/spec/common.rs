//! What every kind of feed takes: which symbols, under which names, and of which line it is.

use super::SpecError;
use super::options::Options;
use crate::feed::selected::{Names, Selection};
use crate::limits::NAME_BYTES_MAX;
use crate::market::Symbol;
use rustc_hash::{FxHashMap, FxHashSet};

/// The options that belong to the feed and not to its kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommonSpec {
    /// `only=`, `except=` and `map=`.
    pub selection: Selection,
    /// `line=NAME`: the feeds of one name are lines of one sequence.
    pub line: Option<String>,
}

/// Between names, since a comma is between options.
const SEPARATOR: char = '|';

pub const COMMON_KEYS: &[&str] = &["only=", "except=", "map=", "line="];

impl CommonSpec {
    pub fn take(options: &mut Options<'_>) -> Result<CommonSpec, SpecError> {
        let only = names(options, "only")?;
        let except = names(options, "except")?.unwrap_or_default();
        let renames = renames(options)?;
        Ok(CommonSpec { selection: Selection::new(only, except, renames), line: line(options)? })
    }
}

/// `AAPL|MSFT|BRK.*`.
fn names(options: &mut Options<'_>, key: &'static str) -> Result<Option<Names>, SpecError> {
    let Some(value) = options.take(key) else { return Ok(None) };
    let wrong = |why: String| {
        let cure = format!("names such as {key}=AAPL|BRK.*, where * ends a prefix ({why})");
        options.wrong(key, value, cure)
    };
    let mut names = Names::default();
    for text in value.split(SEPARATOR) {
        let prefix = text.strip_suffix('*');
        let symbol = Symbol::parse(prefix.unwrap_or(text));
        let symbol = symbol.map_err(|why| wrong(format!("{text:?}: {why}")))?;
        match prefix {
            Some(_) => names.prefixes.push(symbol),
            None => {
                names.exact.insert(symbol);
            }
        }
    }
    Ok(Some(names))
}

/// `OLD:NEW|OLD2:NEW2`.
fn renames(options: &mut Options<'_>) -> Result<FxHashMap<Symbol, Symbol>, SpecError> {
    let mut renames = FxHashMap::default();
    let Some(value) = options.take("map") else { return Ok(renames) };
    let wrong = |why: String| {
        options.wrong("map", value, format!("renames such as map=OLD:NEW|OLD2:NEW2 ({why})"))
    };
    let mut targets = FxHashSet::default();
    for text in value.split(SEPARATOR) {
        let pair = text.split_once(':').filter(|(_, new)| !new.contains(':'));
        let (old, new) = pair.ok_or_else(|| wrong(format!("{text:?} is no OLD:NEW")))?;
        let symbol = |name| Symbol::parse(name).map_err(|why| wrong(format!("{text:?}: {why}")));
        let (old, new) = (symbol(old)?, symbol(new)?);
        if renames.insert(old, new).is_some() {
            return Err(wrong(format!("{old} is renamed twice")));
        }
        if !targets.insert(new) {
            return Err(wrong(format!("two symbols become {new}")));
        }
    }
    Ok(renames)
}

fn line(options: &mut Options<'_>) -> Result<Option<String>, SpecError> {
    let Some(value) = options.take("line") else { return Ok(None) };
    let fits = (1..=NAME_BYTES_MAX).contains(&value.len());
    if !fits || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        let cure = format!("1 to {NAME_BYTES_MAX} letters, digits, '-', '_' and '.'");
        return Err(options.wrong("line", value, cure));
    }
    Ok(Some(value.to_string()))
}
