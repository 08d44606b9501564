//! What a run measured, as rows: on stderr, and as a table where `TAPECAST_FAULTS_RESULTS` names a
//! file.

use super::healthy::Latencies;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

/// One fault.
pub struct Row {
    pub fault: &'static str,
    /// Hostile clients of one round.
    pub clients: usize,
    /// How their sessions ended, and how many of all rounds.
    pub ends: String,
    /// From the fault to the last end, the longest of the rounds; `None` where the peers read it.
    pub detected: Option<Duration>,
    pub deadline: String,
    /// Of each round: quiet, then with the fault.
    pub latencies: Vec<(Latencies, Latencies)>,
}

static ROWS: Mutex<Vec<String>> = Mutex::new(Vec::new());

const HEAD: &str = "| fault | clients | sessions ended by | time to detect | deadline set | \
    p50 quiet → during | p99 quiet → during | p99 ratio |\n\
    | --- | --- | --- | --- | --- | --- | --- | --- |\n";

const ABOUT: &str = "# Faults: results of one full run\n\n\
    Made by `TAPECAST_FAULTS_RESULTS=tests/faults/RESULTS.md cargo test --release --test faults`.\n\
    During each fault 1,000 healthy clients on the same shard got every trade and every quote and\n\
    none was closed; the tests fail otherwise. Latencies are theirs, from the event's time to the\n\
    read, in ms: medians of the rounds, which alternate between quiet and fault. Server, feed,\n\
    healthy and hostile clients share the machine's cores, so a ratio contains what the hostile\n\
    clients themselves take; nothing here asserts it.\n\n";

impl Row {
    pub fn report(&self) {
        let row = self.line();
        eprint!("{HEAD}{row}");
        let mut rows = ROWS.lock().expect("no panic holds it");
        rows.push(row);
        if let Some(path) = std::env::var_os("TAPECAST_FAULTS_RESULTS") {
            rows.sort();
            // Not `available_parallelism`, which tells of this thread, and that keeps off a core.
            let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            let cores = info.lines().filter(|line| line.starts_with("processor")).count();
            let rows = rows.concat();
            let profile = if cfg!(debug_assertions) { "debug assertions on" } else { "release" };
            let text = format!("{ABOUT}This run: {cores} cores, {profile}.\n\n{HEAD}{rows}");
            std::fs::write(&path, text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        }
    }

    fn line(&self) -> String {
        let median = |of: &dyn Fn(&(Latencies, Latencies)) -> f64| {
            let mut values: Vec<f64> = self.latencies.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let ms = |latencies: &Latencies, quantile: f64| {
            latencies.value_at_quantile(quantile) as f64 / 1000.0
        };
        let mut row = format!("| {} | {} | {} | ", self.fault, self.clients, self.ends);
        match self.detected {
            Some(time) => write!(row, "{:.2} s | ", time.as_secs_f64()),
            None => write!(row, "seen by each | "),
        }
        .expect("a String takes every text");
        write!(row, "{} | ", self.deadline).expect("a String takes every text");
        for quantile in [0.5, 0.99] {
            let (quiet, during) =
                (median(&|pair| ms(&pair.0, quantile)), median(&|pair| ms(&pair.1, quantile)));
            write!(row, "{quiet:.2} → {during:.2} | ").expect("a String takes every text");
        }
        let ratio = median(&|pair| ms(&pair.1, 0.99) / ms(&pair.0, 0.99));
        let verdict = if ratio <= 2.0 { "" } else { " (over 2)" };
        row + &format!("{ratio:.2}{verdict} |\n")
    }
}
