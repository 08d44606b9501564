//! The order of the runs: in every round each server once, in turning order and every other time
//! backwards, so that a machine whose speed drifts drifts for all.

use crate::measure::{self, Figures, Plan, RunError};
use crate::results::{CellResults, Outcome, Run, Session};
use crate::search;
use crate::servers::Server;
use crate::verdict;
use crate::workload::{self, Cell};

/// Measures one cell with all servers that can do it; where its users are searched for, also with
/// a part of them.
pub fn measure_cell(
    cell: &Cell,
    servers: &[Server],
    rounds: usize,
    plan: &Plan,
) -> Vec<CellResults> {
    let plan = plan.settled(cell);
    let Some(published) = &cell.published else {
        return vec![run_rounds(cell, servers, rounds, &plan)];
    };
    let (found, search) = search::users(cell, published, &plan);
    let row = CellResults { search, ..run_rounds(&found, servers, rounds, &plan) };
    vec![row, run_rounds(&found.at_part(workload::PART), servers, rounds, &plan)]
}

fn run_rounds(cell: &Cell, servers: &[Server], wanted: usize, plan: &Plan) -> CellResults {
    let session = Session::now(plan);
    let servers: Vec<&Server> = servers.iter().filter(|server| server.can(cell)).collect();
    let mut results =
        CellResults { cell: cell.clone(), session, runs: Vec::new(), search: Vec::new() };
    let mut round = 0;
    while needs_another(&results, round, wanted) {
        for place in order(servers.len(), round) {
            let server = servers[place];
            let outcome = measure::run(cell, server, plan, round as u64 + 1);
            tell(cell, server, round, &outcome);
            let outcome = match outcome {
                Ok(figures) => Outcome::Figures(Box::new(figures)),
                Err(error) => Outcome::Failed(error.to_string()),
            };
            results.runs.push(Run { server: server.name.clone(), round, outcome });
        }
        round += 1;
    }
    results
}

/// A round that others disturbed is run again, as long as there are no more than twice as many as
/// were asked for.
pub fn needs_another(results: &CellResults, done: usize, wanted: usize) -> bool {
    done < wanted || (done < 2 * wanted && verdict::undisturbed_rounds(results) < wanted)
}

/// Everyone begins some round, and runs behind the one as often as behind the other neighbour.
pub fn order(servers: usize, round: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..servers).map(|place| (place + round) % servers).collect();
    if round % 2 == 1 {
        places.reverse();
    }
    places
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
                 others {:.0} %, \
                 p50 {:.2} ms, p99 {:.2} ms, {} missing, {} late bursts",
                figures.ticks_per_s(),
                figures.cpu_us_per_tick().unwrap_or(0.0),
                100.0 * figures.server_share(),
                100.0 * figures.load_share(),
                100.0 * figures.others_share,
                latency.p50 / 1e3,
                latency.p99 / 1e3,
                figures.missing + figures.violations,
                figures.bursts_late,
            );
        }
    }
}
