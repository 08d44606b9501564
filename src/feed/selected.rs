//! A source of which not every symbol is wanted, or not under its name.

use super::intake::{IntakeCounts, Reception};
use super::nats::NatsCounters;
use super::source::{Next, Sink, Source};
use super::spec::{CommonSpec, Pace};
use crate::market::{FeedState, Symbol};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Symbols by name or by what their names begin with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    pub exact: FxHashSet<Symbol>,
    pub prefixes: Vec<Symbol>,
}

/// Which symbols of a feed are taken, and what they are called here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// `None`: all.
    only: Option<Names>,
    except: Names,
    renames: FxHashMap<Symbol, Symbol>,
    /// New names whose own symbols are not renamed. A record that comes under one is left out:
    /// two symbols would become one.
    taken: FxHashSet<Symbol>,
}

impl Names {
    fn have(&self, symbol: Symbol) -> bool {
        let begins = |prefix: &Symbol| symbol.as_bytes().starts_with(prefix.as_bytes());
        self.exact.contains(&symbol) || self.prefixes.iter().any(begins)
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }
}

impl Selection {
    /// `only` and `except` are of the names as they come, before `renames` (old to new).
    pub fn new(
        only: Option<Names>,
        except: Names,
        renames: FxHashMap<Symbol, Symbol>,
    ) -> Selection {
        let taken = renames.values().filter(|new| !renames.contains_key(*new)).copied().collect();
        Selection { only, except, renames, taken }
    }

    /// What the symbol is called here; `None` where it is left out.
    pub fn name(&self, symbol: Symbol) -> Option<Symbol> {
        if self.only.as_ref().is_some_and(|only| !only.have(symbol)) || self.except.have(symbol) {
            return None;
        }
        match self.renames.get(&symbol) {
            Some(new) => Some(*new),
            None => Some(symbol).filter(|symbol| !self.taken.contains(symbol)),
        }
    }

    fn is_all(&self) -> bool {
        self.only.is_none() && self.except.is_empty() && self.renames.is_empty()
    }
}

/// A source without the symbols that are left out, and with the new names of others.
pub struct Selected {
    source: Box<dyn Source>,
    selection: Selection,
    line: Option<String>,
    filtered_count: u64,
}

impl Selected {
    /// The source itself where everything of it is taken as it is, and it is no line of others.
    pub fn wrap(mut source: Box<dyn Source>, common: &CommonSpec) -> Box<dyn Source> {
        let CommonSpec { selection, line } = common.clone();
        if line.is_some() {
            source.enable_epochs();
        }
        if selection.is_all() && line.is_none() {
            return source;
        }
        Box::new(Selected { source, selection, line, filtered_count: 0 })
    }
}

impl Source for Selected {
    fn poll(&mut self, now_ns: i64, budget: usize, sink: &mut Sink<'_>) -> Next {
        let (selection, filtered_count) = (&self.selection, &mut self.filtered_count);
        self.source.poll(now_ns, budget, &mut |mut record| match selection.name(record.symbol) {
            Some(name) => {
                record.symbol = name;
                sink(record)
            }
            None => {
                *filtered_count += 1;
                Ok(())
            }
        })
    }

    fn is_live(&self) -> bool {
        self.source.is_live()
    }

    fn reopen(&mut self) -> Option<Result<(), String>> {
        self.source.reopen()
    }

    fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }

    fn epoch(&self) -> Option<&str> {
        self.source.epoch()
    }

    fn recover(&mut self) -> bool {
        self.source.recover()
    }

    fn state(&self) -> Option<FeedState> {
        self.source.state()
    }

    fn nats(&self) -> Option<Arc<NatsCounters>> {
        self.source.nats()
    }

    fn enable_faults(&mut self) {
        self.source.enable_faults();
    }

    fn set_pace(&mut self, pace: Pace) {
        self.source.set_pace(pace);
    }

    fn reconnects_count(&self) -> u64 {
        self.source.reconnects_count()
    }

    fn bad_lines_count(&self) -> u64 {
        self.source.bad_lines_count()
    }

    fn intake(&self) -> Option<IntakeCounts> {
        self.source.intake()
    }

    fn reception(&self) -> Option<Arc<Reception>> {
        self.source.reception()
    }

    fn filtered_count(&self) -> u64 {
        self.filtered_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{FeedSpec, Subscribed};
    use std::sync::Arc;

    fn selection(options: &str) -> Selection {
        let spec: FeedSpec = format!("synthetic:{options}").parse().expect("a spec");
        spec.common.selection
    }

    fn name(selection: &Selection, symbol: &str) -> Option<String> {
        let symbol = Symbol::parse(symbol).expect("a symbol");
        selection.name(symbol).map(|name| name.to_string())
    }

    #[test]
    fn what_is_left_out_is_said_by_names_and_prefixes_before_renames() {
        let s = selection("only=AAPL|BRK.*|OLD,except=BRK.B,map=OLD:NEW");
        for (given, taken) in [
            ("AAPL", Some("AAPL")),
            ("AAPLX", None),
            ("BRK.A", Some("BRK.A")),
            ("BRK.B", None),
            ("BRK", None),
            ("OLD", Some("NEW")),
            ("NEW", None),
        ] {
            assert_eq!(name(&s, given).as_deref(), taken, "{given}");
        }
    }

    #[test]
    fn renames_may_swap_and_never_make_one_symbol_of_two() {
        let s = selection("map=A:B|B:A|C:D");
        let names = ["A", "B", "C", "D", "E"].map(|symbol| name(&s, symbol).unwrap_or_default());
        assert_eq!(names, ["B", "A", "D", "", "E"]);
        assert!(!s.is_all() && selection("seed=2").is_all());
    }

    #[test]
    fn a_source_gives_what_is_selected_and_counts_the_rest() {
        let text = "synthetic:names=SYM,symbols=4,test_symbols=off,rate=1000,\
                    only=SYM0001|SYM0002|SYM0003,except=SYM0003,map=SYM0002:SECOND";
        let spec: FeedSpec = text.parse().expect("a spec");
        let subscribed: Subscribed = Arc::new(|| 0);
        let mut source = spec.open(&subscribed).expect("a source");
        let mut names = FxHashSet::default();
        let mut given = 0;
        for ms in 0..2_000 {
            source.poll(ms * 1_000_000, 100, &mut |record| {
                names.insert(record.symbol.to_string());
                given += 1;
                Ok(())
            });
        }
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_unstable();
        assert_eq!(names, ["SECOND", "SYM0001"]);
        assert!(source.filtered_count() > 0);
        assert!((1_900..=2_001).contains(&(given + source.filtered_count())), "{given}");
    }
}
