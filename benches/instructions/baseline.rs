//! The counts that are held against those of now: a file in the repository.

use super::cases::Case;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// In percent, with the compiler of the baseline. Runs of one program differ by less than 0.01 %;
/// a change of code that a case never reaches moved one by 2.8 %, because something else was
/// inlined.
const TOLERANCE_PERCENT: f64 = 5.0;

/// With another compiler: what new code generation may move, in percent. Then the next
/// change brings a new baseline.
const TOLERANCE_OTHER_COMPILER_PERCENT: f64 = 15.0;

const ACCEPT: &str = "cargo bench --bench instructions -- --accept";

#[derive(Debug, Serialize, Deserialize)]
pub struct Baseline {
    /// As `rustc --version` says.
    compiler: String,
    /// Counts of another processor family are no measure.
    architecture: String,
    profile: String,
    cases: BTreeMap<String, Count>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Count {
    unit: String,
    instructions: f64,
}

impl Baseline {
    /// Of this compiler, without a case.
    pub fn of_this_build() -> Baseline {
        let version = std::process::Command::new("rustc").arg("--version").output();
        let compiler = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        Baseline {
            compiler: compiler.unwrap_or_default().trim().into(),
            architecture: std::env::consts::ARCH.into(),
            profile: "release".into(),
            cases: BTreeMap::new(),
        }
    }

    pub fn insert(&mut self, case: &Case, instructions: f64) {
        let instructions = (instructions * 10.0).round() / 10.0;
        self.cases.insert(case.name.into(), Count { unit: case.unit.into(), instructions });
    }

    pub fn load() -> Result<Baseline, String> {
        let text = std::fs::read_to_string(path());
        let text = text.map_err(|error| format!("{}: {error}; make one: {ACCEPT}", file()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file()))
    }

    pub fn store(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(path(), text + "\n").map_err(|error| format!("{}: {error}", file()))?;
        Ok(format!("{}\n{} is written; commit it", self.table(None), file()))
    }

    pub fn names(&self) -> Vec<String> {
        self.cases.keys().cloned().collect()
    }

    /// The table, or what is beyond the tolerance, by more or by less.
    pub fn compare(&self, now: &Baseline) -> Result<String, String> {
        let table = now.table(Some(self));
        if self.architecture != now.architecture {
            let (theirs, own) = (&self.architecture, &now.architecture);
            return Ok(format!("{table}\nnot compared: the baseline is of {theirs}, not of {own}"));
        }
        let is_same = self.compiler == now.compiler;
        let tolerance = if is_same { TOLERANCE_PERCENT } else { TOLERANCE_OTHER_COMPILER_PERCENT };
        let (mut wrong, mut names) = (Vec::new(), self.names());
        for (name, count) in &now.cases {
            names.retain(|known| known != name);
            let Some(before) = self.cases.get(name) else {
                wrong.push(format!("{name}: the baseline does not have it"));
                continue;
            };
            let change = percent(before.instructions, count.instructions);
            if change.abs() > tolerance {
                wrong.push(format!(
                    "{name}: {} instructions per {}, the baseline has {}: {change:+.1} %",
                    count.instructions, count.unit, before.instructions
                ));
            }
        }
        wrong.extend(names.iter().map(|name| format!("{name}: the baseline alone has it")));
        let (theirs, own) = (&self.compiler, &now.compiler);
        if wrong.is_empty() {
            return Ok(format!("{table}\nall within {tolerance} % of {}, of {theirs}", file()));
        }
        Err(format!(
            "{table}\nbeyond {tolerance} % of {}, of {theirs} (this is {own}):\n  {}\n\
             where that is meant to be, commit what this writes: {ACCEPT}",
            file(),
            wrong.join("\n  ")
        ))
    }

    fn table(&self, before: Option<&Baseline>) -> String {
        let mut lines = vec![format!("{:24} {:>12} {:>9}", "case", "instructions", "change")];
        for (name, count) in &self.cases {
            let earlier = before.and_then(|before| before.cases.get(name));
            let change = earlier.map(|earlier| percent(earlier.instructions, count.instructions));
            let change = change.map_or(String::new(), |change| format!("{change:+.2} %"));
            let (instructions, unit) = (count.instructions, &count.unit);
            lines.push(format!("{name:24} {instructions:12.1} {change:>9} per {unit}"));
        }
        lines.join("\n")
    }
}

fn percent(before: f64, now: f64) -> f64 {
    (now / before - 1.0) * 100.0
}

fn file() -> &'static str {
    "benches/instructions.json"
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file())
}
