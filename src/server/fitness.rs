//! Whether a machine suffices for a configuration: a function of what was found and what is
//! wanted. Each finding says what mends it.

mod kernel;
mod network;
mod room;

use super::Budget;
use super::host::Facts;
use crate::config::Settings;

/// Without --max-sessions, what the machine is measured by: room for fewer is worth a word, and of
/// more nobody has said that they come. Who wants fewer says so.
const SESSIONS_USUAL: usize = 10_000;

/// How much depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Nothing to mend, but good to know.
    Note,
    /// The server starts; under the load that is configured it meets this limit.
    Should,
    /// The server does not start.
    Must,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub name: String,
    pub level: Level,
    pub found: String,
    /// What would suffice; empty where `found` does.
    pub wanted: String,
    /// What happens as it is; empty where nothing does.
    pub why: String,
    /// The command or setting that mends it; empty where nothing is to be mended.
    pub cure: String,
}

impl Finding {
    fn ok(name: &str, found: impl Into<String>) -> Finding {
        Finding {
            name: name.to_string(),
            level: Level::Ok,
            found: found.into(),
            wanted: String::new(),
            why: String::new(),
            cure: String::new(),
        }
    }

    fn at(self, level: Level) -> Finding {
        Finding { level, ..self }
    }

    fn wanted(self, wanted: impl Into<String>) -> Finding {
        Finding { wanted: wanted.into(), ..self }
    }

    fn why(self, why: impl Into<String>) -> Finding {
        Finding { why: why.into(), ..self }
    }

    fn cure(self, cure: impl Into<String>) -> Finding {
        Finding { cure: cure.into(), ..self }
    }
}

/// What is wanted of the machine.
struct Demand<'a> {
    settings: &'a Settings,
    facts: &'a Facts,
    shards: usize,
    /// What the server would make of it; `None` where the memory does not suffice to start.
    budget: Option<Budget>,
    /// Sessions that are asked for, or the usual number.
    sessions: usize,
}

impl<'a> Demand<'a> {
    fn new(settings: &'a Settings, facts: &'a Facts) -> Demand<'a> {
        let shards = facts.cores.len();
        let memory = facts.memory.as_ref().and_then(|memory| memory.as_ref().ok());
        let budget =
            memory.map(|m| Budget::new(settings, shards, facts.descriptors, m.clients_bytes));
        let sessions = settings.admission.max_sessions.unwrap_or(SESSIONS_USUAL);
        Demand { settings, facts, shards, budget, sessions }
    }

    /// A key that must be `least` at least, where `tune.sh` makes it `tuned`; `None` where the
    /// kernel lacks it.
    fn floor(&self, key: &'static str, least: u64, tuned: u64, why: &str) -> Option<Finding> {
        let found = self.facts.sysctl(key)?;
        let finding = Finding::ok(key, found.to_string());
        if found >= least {
            return Some(finding);
        }
        let finding = finding.at(Level::Should).wanted(least.to_string()).why(why);
        let tune = if tuned >= least { format!(", or {}", self.tune()) } else { String::new() };
        Some(finding.cure(format!("sysctl -w {key}={least}{tune}")))
    }

    fn tune(&self) -> String {
        format!("tuning/tune.sh apply --connections {}", self.sessions.max(1))
    }
}

/// Everything that was looked at, in an order for people.
pub fn findings(settings: &Settings, facts: &Facts) -> Vec<Finding> {
    let demand = Demand::new(settings, facts);
    let mut all = kernel::findings(&demand);
    all.extend(room::findings(&demand));
    all.extend(facts.feeds.iter().map(feed));
    all.extend(network::findings(&demand));
    all
}

fn feed((text, found): &(String, Result<(), String>)) -> Finding {
    match found {
        Ok(()) => Finding::ok("--feed", format!("{text} can be opened")),
        Err(error) => {
            let (why, cure) = error.split_once("; ").unwrap_or((error, "give another feed"));
            let finding = Finding::ok("--feed", format!("{text} cannot be opened"));
            finding.at(Level::Must).wanted("opened").why(why).cure(cure)
        }
    }
}

#[cfg(test)]
mod tests;
