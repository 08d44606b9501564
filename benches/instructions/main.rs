//! Instructions of the hub's paths, counted by callgrind: a check that is the same on a busy
//! machine and on an idle one. A case runs in a process of its own, and only what it marks is
//! counted.
//!
//! * `cargo bench --bench instructions`: counts, and compares with `benches/instructions.json`
//!   within its tolerance. What is compared is what a release runs: the bench profile is it.
//! * `… -- --accept`: the counts of now are the baseline from now on.
//! * `… -- --profile CASE`: counts a case at its full size, and says which functions take it.
//!
//! Without `--bench`, as `cargo test` runs it, each case runs once and is not counted.

mod baseline;
mod cases;
mod counting;
#[path = "../stage/mod.rs"]
mod stage;

use baseline::Baseline;
use cases::{CASES, Size};
use counting::Meter;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [counting::CASE_FLAG, name, size] => run_one(name, size),
        ["--accept", "--bench"] => report(counting::count_all().and_then(|now| now.store())),
        ["--profile", name, "--bench"] => report(counting::profile(name)),
        ["--bench"] => report(compare()),
        [unknown, .., "--bench"] => {
            report(Err(format!("unknown argument {unknown}; give --accept or --profile CASE")))
        }
        _ => run_all_once(),
    }
}

fn report(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<String, String> {
    let stored = Baseline::load()?;
    let now = counting::count_all()?;
    stored.compare(&now)
}

/// Under callgrind: the parent reads the number of units from the standard output.
fn run_one(name: &str, size: &str) -> ExitCode {
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        return report(Err(format!("no case {name}")));
    };
    let mut meter = Meter::default();
    (case.run)(if size == "full" { Size::Full } else { Size::Small }, &mut meter);
    report(Ok(meter.units().to_string()))
}

/// So that no case can rot where callgrind is not at hand.
fn run_all_once() -> ExitCode {
    for case in CASES {
        let mut meter = Meter::default();
        (case.run)(Size::Small, &mut meter);
        assert!(meter.units() > 0, "{}: nothing was done", case.name);
        println!("{}: {} x {}", case.name, meter.units(), case.unit);
    }
    let stored = Baseline::load().map(|stored| stored.names());
    let names: Vec<String> = CASES.iter().map(|case| case.name.to_string()).collect();
    assert_eq!(stored, Ok(names), "the baseline has other cases; accept a new one");
    ExitCode::SUCCESS
}
