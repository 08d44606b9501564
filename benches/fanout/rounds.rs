//! The order of the runs: in every round each server once, in turning order, so that a machine
//! whose speed drifts drifts for all.

use crate::measure::{self, Figures, Plan, RunError};
use crate::results::{CellResults, Outcome, Run, Session};
use crate::search;
use crate::servers::Server;
use crate::workload::Cell;

/// Measures one cell with all servers that can do it.
pub fn measure_cell(cell: &Cell, servers: &[Server], rounds: usize, plan: &Plan) -> CellResults {
    let session = Session::now(plan);
    let (cell, search) = match &cell.published {
        Some(published) => search::users(cell, published, plan),
        None => (cell.clone(), Vec::new()),
    };
    let servers: Vec<&Server> = servers.iter().filter(|server| server.can(&cell)).collect();
    let mut results = CellResults { cell, session, runs: Vec::new(), search };
    for round in 0..rounds {
        for place in 0..servers.len() {
            let server = servers[(place + round) % servers.len()];
            let outcome = measure::run(&results.cell, server, plan, round as u64 + 1);
            tell(&results.cell, server, round, &outcome);
            let outcome = match outcome {
                Ok(figures) => Outcome::Figures(Box::new(figures)),
                Err(error) => Outcome::Failed(error.to_string()),
            };
            results.runs.push(Run { server: server.name.clone(), round, outcome });
        }
    }
    results
}

/// One line a run, so that a session of hours can be watched.
fn tell(cell: &Cell, server: &Server, round: usize, outcome: &Result<Figures, RunError>) {
    let what = format!("{:<22} round {round} {:<14}", cell.name, server.name);
    match outcome {
        Err(error) => eprintln!("{what} failed: {error}"),
        Ok(figures) => {
            let latency = figures.latency_us.unwrap_or_default();
            eprintln!(
                "{what} {:8.0} updates/s, {:7.3} µs each, server {:3.0} %, load {:3.0} %, \
                 p50 {:.2} ms, p99 {:.2} ms, {} missing, {} late bursts",
                figures.ticks_per_s(),
                figures.cpu_us_per_tick().unwrap_or(0.0),
                100.0 * figures.server_share(),
                100.0 * figures.load_share(),
                latency.p50 / 1e3,
                latency.p99 / 1e3,
                figures.missing + figures.violations,
                figures.bursts_late,
            );
        }
    }
}
