//! What the report and the aims say of fixed numbers.

use super::{figures, results_of, run_of, sample};
use crate::aims::{self, Aim};
use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Machine, Results};
use crate::servers::{FLOOR_SEND, TAPECAST};
use crate::workload::{self, Cell};
use crate::{publishing_note, report};
use std::error::Error;
use std::path::Path;

pub fn check() -> Result<(), Box<dyn Error>> {
    check_late_aim();
    check_rows();
    check_growth();
    check_troubles();
    check_peers();
    check_idle();
    check_floorless();
    check_publishing()?;
    check_old()
}

fn all(cells: Vec<CellResults>) -> Results {
    Results { machine: Machine::this(20_000), cells }
}

fn aim(results: &Results, workload: &str, text: &str) -> Aim {
    let mut aims = aims::aims(results);
    let is_it = |aim: &Aim| aim.workload == workload && aim.text.contains(text);
    let place = aims.iter().position(is_it).unwrap_or_else(|| panic!("no {text:?}: {aims:#?}"));
    aims.swap_remove(place)
}

/// W4 in three rounds, of which Tapecast's first was late.
fn check_late_aim() {
    let run = |server: &str, round, p99| {
        let ticks = 1_000 * 1_000 * 10;
        let frames = ticks / 10;
        run_of(server, round, Figures { ticks, frames, bursts: 1_000, ..figures(0.1, p99) })
    };
    let mut runs = Vec::new();
    for (round, p99) in [(0, 40_000.0), (1, 30_000.0), (2, 20_000.0)] {
        runs.extend([run(FLOOR_SEND, round, 20_000.0), run(TAPECAST, round, p99)]);
    }
    let results = all(vec![results_of("W4", runs)]);
    let p99 = aim(&results, "W4", "p99 over the floor's");
    assert_eq!((p99.found.value, p99.found.used, p99.found.rounds), (Some(1.5), 3, 3), "{p99:?}");
    assert!(report::markdown(&results).contains("| 1.500 | 3 of 3 rounds | **no** |"));
}

/// Of a row: Tapecast and the floor, both with so much CPU in ten seconds.
fn row(cell: &Cell, cpu_s: f64, mean_ms: f64) -> CellResults {
    let ticks = (cell.connections as f64 * 1_000.0) as u64;
    let latency = Latency { mean: 1e3 * mean_ms, p99: 60_000.0, ..Latency::default() };
    let one = Figures { ticks, frames: ticks / 9, server_cpu_s: cpu_s, ..figures(0.1, 1.0) };
    let one = Figures { latency_us: Some(latency), ..one };
    let runs = vec![run_of(FLOOR_SEND, 0, one.clone()), run_of(TAPECAST, 0, one)];
    CellResults { cell: cell.clone(), ..results_of("W2", runs) }
}

fn check_rows() {
    let cell = workload::cells("L6", 10_000, 90).remove(0);
    let full = row(&cell, 9.8, 56.0);
    let part = row(&cell.at_part(workload::PART), 6.0, 40.0);
    let results = all(vec![full, part]);
    let text = report::markdown(&results);
    let line = |start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"))
    };
    let full = line("| L6 | tapecast |");
    assert!(full.contains("| saturated: the ratio says nothing |"), "{full}");
    assert!(full.contains("| 98 % | 56.00 | 55 | 60.00 |"), "{full}");
    let part = line("| L6 at 65 % | tapecast |");
    assert!(part.contains("| 6500 | 100 | 650000 | 72222 | 60 % | 40.00 | 55 |"), "{part}");
    assert!(part.contains("| 8.308 | 1.000 |"), "us a send, and over the floor's: {part}");
    assert_eq!(aim(&results, "L6", "mean latency").is_met(), Some(false));
    assert_eq!(aim(&results, "L6 at 65 %", "CPU an update").is_met(), Some(true));
    let given = workload::cells("L6", 18_000, 90).remove(2);
    let results = all(vec![row(&given, 9.8, 54.0)]);
    assert_eq!(aim(&results, &given.name, "mean latency").is_met(), Some(true));
    // Of 5,000 connections, for each core of theirs; what the window counted is not what is told.
    let updates = aim(&results, &given.name, "updates a core");
    assert_eq!((updates.found.value, updates.is_met()), (Some(2.5), Some(false)));
    let bounds = [("L1", "≤ 4.00"), ("M1 2.35 ms", "≤ 2.35"), ("M1 597 ms", "≤ 597.00")];
    for (name, bound) in bounds {
        let row = format!("| {name} | mean latency, ms, as published | {bound} | – | – |");
        assert!(text.contains(&row), "{row}\n{text}");
    }
}

/// Without the dearest point the rest would look flat.
fn check_growth() {
    let point = |connections: u64, is_merged: bool| {
        // 100,000 sends a second at every point.
        let (frames, seconds) = (1_000_000, 10.0);
        let (bursts, ticks) = (frames / connections, 50 * frames);
        let frames = if is_merged { frames / 2 } else { frames };
        let one = Figures { ticks, frames, bursts, seconds, ..figures(0.1, 20_000.0) };
        let runs = vec![run_of(FLOOR_SEND, 0, one.clone()), run_of(TAPECAST, 0, one)];
        results_of(&format!("G1 connections={connections}"), runs)
    };
    let flat = |is_merged| {
        let results = all(vec![point(500, false), point(1_000, false), point(2_000, is_merged)]);
        let aim = aim(&results, "G1", "by connections");
        (aim.is_met().is_some(), aim.found.used, aim.found.rounds)
    };
    assert_eq!((flat(false), flat(true)), ((true, 3, 3), (false, 2, 3)));
    let by_cohorts = |costs: [f64; 3]| {
        let point = |cohorts: usize, cpu_s| {
            let (frames, seconds) = (500_000, 10.0);
            let one = Figures { ticks: 50 * frames, frames, seconds, ..figures(cpu_s, 20_000.0) };
            let runs = vec![run_of(FLOOR_SEND, 0, one.clone()), run_of(TAPECAST, 0, one)];
            results_of(&format!("G1 cohorts={cohorts}"), runs)
        };
        let points = [1, 100, 1_000].into_iter().zip(costs);
        let results = all(points.map(|(cohorts, cpu_s)| point(cohorts, cpu_s)).collect());
        let aim = aim(&results, "G1", "cohort");
        (aim.is_met(), aim.undecided)
    };
    assert_eq!(by_cohorts([1.0, 1.1, 2.0]), (Some(true), false));
    assert_eq!(by_cohorts([1.0, 1.1, 3.0]), (Some(false), false));
    assert_eq!(by_cohorts([1.0, 1.0, 1.3]), (None, true), "no growth to 100");
    assert_eq!(by_cohorts([1.0, 0.9, 1.1]), (Some(true), false), "flat");
}

/// S1 costs a tenth more than W2 of the same round, and 1.3 of it is how late it is; what the
/// rounds differ does not matter.
fn check_troubles() {
    let told = |began: &str| {
        let mut results = sample();
        results.cells[0].session.began = "one day".into();
        let of_s1 = |cpu_s: f64, p99| {
            let w2 = figures(cpu_s, p99);
            Figures { ticks: w2.ticks * 4 / 5, frames: w2.frames * 4 / 5, ..w2 }
        };
        let runs = vec![
            run_of(FLOOR_SEND, 0, of_s1(0.1, 26_000.0)),
            run_of(TAPECAST, 0, of_s1(0.105 * 0.88, 20_500.0 * 1.3)),
            run_of(FLOOR_SEND, 1, of_s1(0.2, 26_000.0)),
            run_of(TAPECAST, 1, of_s1(0.216 * 0.88, 21_000.0 * 1.3)),
        ];
        let mut s1 = results_of("S1", runs);
        s1.session.began = began.into();
        results.cells.push(s1);
        ["CPU an update over W2's", "p99 over W2's"].map(|text| aim(&results, "S1", text))
    };
    let [cost, late] = told("one day").map(|aim| (aim.found.value, aim.found.used));
    assert!(matches!(cost, (Some(cost), 2) if (cost - 1.1).abs() < 1e-9), "{cost:?}");
    assert!(matches!(late, (Some(late), 2) if (late - 1.3).abs() < 1e-9), "{late:?}");
    let [cost, _] = told("another");
    assert!(cost.text.contains("(not of one session: S1 0123456789ab, "), "{cost:?}");
    assert_eq!(cost.found.value, None, "of rounds that are not of one session none pairs");
}

fn check_peers() {
    let results = sample();
    let missing = aim(&results, "W2", "peers not measured");
    assert!(missing.text.ends_with(": ws, ws-frames, tungstenite, fastwebsockets, nats, nchan"));
    assert!(aim(&results, "S1", "peers not measured: bun").is_met().is_none());
    // Of the peer one round counts, and has none to agree with.
    let cost = aim(&results, "W2", "CPU an update over bun's (noise 0.029)");
    assert!(cost.undecided && cost.is_met().is_none(), "{cost:?}");
    assert!(report::markdown(&results).contains("| 1 of 2 rounds | undecided |"));
    let w4: Vec<_> = [FLOOR_SEND, TAPECAST, "bun"]
        .iter()
        .flat_map(|server| {
            [0, 1].map(|round| {
                run_of(server, round, {
                    let ticks = 10_000_000;
                    let p99 = if *server == "bun" { 18_000.0 } else { 20_000.0 };
                    Figures {
                        ticks,
                        frames: ticks / 10,
                        reads: ticks / 10,
                        bursts: 1_000,
                        ..figures(0.1, p99)
                    }
                })
            })
        })
        .collect();
    let results = all(vec![results_of("W4", w4)]);
    assert_eq!(aim(&results, "W4", "p99 over bun's").is_met(), Some(false), "bun is ahead");
    assert_eq!(aim(&results, "W4", "p50 over bun's").is_met(), Some(true));
    assert_eq!(aim(&results, "W4", "CPU an update over bun's").is_met(), Some(true));
}

fn check_idle() {
    let at_rest = |connect_cpu_us| Figures { connect_cpu_us, ..figures(0.0, 1.0) };
    let runs = vec![run_of(TAPECAST, 0, at_rest(20.0)), run_of("bun", 0, at_rest(10.0))];
    let results = all(vec![results_of("W3", runs)]);
    let text = report::markdown(&results);
    assert!(text.contains("| 20.00 | – | 0 | 50000 | 1/1 |"), "{text}");
    let connect = aim(&results, "W3", "CPU a connect over bun's (noise unknown");
    assert!(connect.is_met().is_none() && connect.undecided, "{connect:?}");
}

fn check_floorless() {
    let mut results = sample();
    let says = |results: &Results| report::markdown(results).contains("**No floor was measured");
    assert!(!says(&results));
    results.cells[0].runs.retain(|run| run.server != FLOOR_SEND);
    assert!(says(&results));
}

fn check_publishing() -> Result<(), Box<dyn Error>> {
    let mut results = sample();
    assert_eq!(publishing_note(&results, false)?, "");
    results.cells[0].session.commit = "0123456789ab with changes".into();
    let refused = publishing_note(&results, false);
    assert!(refused.is_err_and(|why| why.contains("W2") && why.contains("--force")));
    assert!(publishing_note(&results, true)?.contains("that no commit has: W2."));
    results.cells[0].session.plan.tapecast_flags = "--sends 3".into();
    let text = report::markdown(&results);
    assert!(text.contains("| W2 | 0123456789ab with changes | "), "{text}");
    assert!(text.contains("| `--sends 3` | "), "{text}");
    Ok(())
}

/// What was published is read whatever has come since.
fn check_old() -> Result<(), Box<dyn Error>> {
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
    let results = Results::read(&published)?;
    assert!(report::markdown(&results).contains("## Aims"));
    let mut json = serde_json::to_value(sample())?;
    let cell = &mut json["cells"][0];
    let gone = [
        cell["cell"].as_object_mut().and_then(|cell| cell.remove("part")),
        cell["session"].as_object_mut().and_then(|session| session.remove("began")),
        cell["session"]["plan"].as_object_mut().and_then(|plan| plan.remove("quick")),
        cell["runs"][0]["outcome"]["figures"].as_object_mut().and_then(|f| f.remove("restless")),
    ];
    assert!(gone.iter().all(Option::is_some), "{gone:?}");
    let _: Results = serde_json::from_value(json)?;
    Ok(())
}
