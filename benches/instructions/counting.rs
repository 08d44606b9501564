//! Counts instructions: marks what belongs to a case, and runs cases under callgrind.

use super::baseline::Baseline;
use super::cases::{CASES, Case};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `--case NAME SIZE` runs one case alone.
pub const CASE_FLAG: &str = "--case";

/// Callgrind counts while this function runs; see [`counted`].
const TOGGLE: &str = "--toggle-collect=*counted*";

/// What glibc takes for its copies and searches depends on the processor, and the counts with it.
/// These are switched off, so that every x86-64 processor takes the same.
const PLAIN_LIBC: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM,-Prefer_ERMS";

/// Functions that `--profile` lists.
const FUNCTIONS_LISTED: usize = 30;

/// Marks what a case counts.
#[derive(Debug, Default)]
pub struct Meter {
    units: u64,
    is_warm: bool,
}

impl Meter {
    /// Does the operation, which gives how many units it was. The first one is not counted: it
    /// finds every table at its smallest.
    pub fn count(&mut self, operation: &mut dyn FnMut() -> u64) {
        if self.is_warm {
            self.units += counted(operation);
        } else {
            self.is_warm = true;
            operation();
        }
    }

    pub fn units(&self) -> u64 {
        self.units
    }
}

/// Callgrind finds this function by its name, and counts what happens in it.
#[inline(never)]
fn counted(operation: &mut dyn FnMut() -> u64) -> u64 {
    // The black box keeps it a call, with a beginning and an end.
    std::hint::black_box(operation())
}

/// Instructions per unit of every case.
pub fn count_all() -> Result<Baseline, String> {
    let mut now = Baseline::of_this_build();
    for case in &CASES {
        let (instructions, units, file) = run(case, "small")?;
        let _ = std::fs::remove_file(file);
        now.insert(case, instructions as f64 / units as f64);
    }
    Ok(now)
}

/// The functions that take most of a case at its full size.
pub fn profile(name: &str) -> Result<String, String> {
    let names = || CASES.map(|case| case.name).join(", ");
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| format!("no case {name}; there are {}", names()))?;
    let (instructions, units, file) = run(case, "full")?;
    let annotate = Command::new("callgrind_annotate")
        .args(["--auto=no", "--threshold=100"])
        .arg(&file)
        .output();
    let annotate = annotate.map_err(|error| format!("callgrind_annotate: {error}"))?;
    let functions = by_function(&String::from_utf8_lossy(&annotate.stdout));
    let each = |count: u64| count as f64 / units as f64;
    let mut lines = vec![format!(
        "{name}: {:.1} instructions per {}, {units} of them; callgrind's file is {}",
        each(instructions),
        case.unit,
        file.display()
    )];
    lines.extend(functions.into_iter().take(FUNCTIONS_LISTED).map(|(function, count)| {
        let percent = count as f64 / instructions as f64 * 100.0;
        format!("{:10.2} {percent:6.2} %  {function}", each(count))
    }));
    Ok(lines.join("\n"))
}

/// What each function takes itself, the dearest first. Callgrind's lines tell what was inlined
/// into a function apart, by its file: `1,234 ( 5.6%)  FILE:FUNCTION [OBJECT]`.
fn by_function(text: &str) -> Vec<(String, u64)> {
    let mut sums = BTreeMap::new();
    for line in text.lines() {
        let Some((count, place)) = line.split_once("%)  ") else { continue };
        let digits = count.split('(').next().unwrap_or_default().replace(',', "");
        let Ok(count) = digits.trim().parse::<u64>() else { continue };
        let place = place.split(" [").next().unwrap_or(place);
        let function = [".rs:", ".c:", ".S:", ".h:", "???:"].iter().find_map(|end| {
            let (_, function) = place.split_once(end)?;
            Some(function)
        });
        if let Some(function) = function {
            *sums.entry(function.to_string()).or_insert(0) += count;
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, count)| Reverse(*count));
    sums
}

/// Instructions and units of one case, and callgrind's file.
fn run(case: &Case, size: &str) -> Result<(u64, u64, PathBuf), String> {
    let own = std::env::current_exe().map_err(|error| format!("this program's path: {error}"))?;
    let target = own.ancestors().nth(2).unwrap_or(Path::new("."));
    let file = target.join(format!("callgrind.{}.{}", case.name, std::process::id()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", TOGGLE])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(own)
        .args([CASE_FLAG, case.name, size])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GLIBC_TUNABLES", PLAIN_LIBC)
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}; install the package valgrind"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let units = said.trim().parse().ok().filter(|units| *units > 0 && output.status.success());
    let errors = || String::from_utf8_lossy(&output.stderr).into_owned();
    let units = units.ok_or_else(|| format!("{} under callgrind: {}", case.name, errors()))?;
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file:?}: {error}"))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.parse().ok());
    let total = total.filter(|total| *total > 0);
    Ok((total.ok_or_else(|| format!("{}: nothing was counted", case.name))?, units, file))
}
