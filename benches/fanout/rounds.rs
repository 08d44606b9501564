//! The order of the runs: in every round each server once, in turning order and every other time
//! backwards, so that a machine whose speed drifts drifts for all.

use crate::measure::{self, Figures, Plan};
use crate::results::{CellResults, Outcome, Run, Session};
use crate::search;
use crate::servers::{FLOOR_RING, FLOOR_SEND, Server, TAPECAST};
use crate::verdict;
use crate::workload::{self, Cell, Published};

/// Cells that are measured together: S1 is told by W2, so their rounds take turns.
pub fn groups(cells: Vec<Cell>) -> Vec<Vec<Cell>> {
    let (told, others): (Vec<_>, Vec<_>) = cells.into_iter().partition(|c| c.workload == "S1");
    let mut groups: Vec<Vec<Cell>> = others.into_iter().map(|cell| vec![cell]).collect();
    match groups.iter_mut().find(|group| group[0].name == "W2") {
        Some(group) => group.extend(told),
        None => groups.extend(told.into_iter().map(|cell| vec![cell])),
    }
    groups
}

/// Measures a group with all servers that can do it; a cell whose users are searched for is alone
/// in its group, and measured with a part of them as well.
pub fn measure_group(
    cells: &[Cell],
    servers: &[Server],
    rounds: usize,
    plan: &Plan,
) -> Vec<CellResults> {
    let [Cell { published: Some(published @ Published { given: false, .. }), .. }] = cells else {
        return run_rounds(cells, servers, rounds, plan);
    };
    let (found, mut search) = search::users(&cells[0], published, &plan.settled(&cells[0]));
    let run = |cell: Cell| run_rounds(&[cell], servers, rounds, plan);
    let mut measured = run(found);
    for _ in 0..search::RETREATS_MAX {
        let Some((fewer, step)) = search::fewer(&measured[0], published) else { break };
        search.push(step);
        measured = run(fewer);
    }
    let part = measured[0].cell.at_part(workload::PART);
    measured[0].search = search;
    measured.extend(run(part));
    measured
}

/// In every round each cell with each server.
fn run_rounds(cells: &[Cell], servers: &[Server], wanted: usize, plan: &Plan) -> Vec<CellResults> {
    let mut all: Vec<CellResults> = cells
        .iter()
        .map(|cell| CellResults {
            cell: cell.clone(),
            session: Session::now(&plan.settled(cell)),
            runs: Vec::new(),
            search: Vec::new(),
        })
        .collect();
    let mut round = 0;
    while all.iter().any(|results| needs_another(results, round, wanted)) {
        all.iter_mut().for_each(|results| run_round(results, servers, round));
        round += 1;
    }
    all
}

fn run_round(results: &mut CellResults, servers: &[Server], round: usize) {
    let (cell, plan) = (results.cell.clone(), results.session.plan.clone());
    let servers = taking_part(&cell, servers);
    let places = order(servers.len(), round);
    if let ([_, _], true) = (&servers[..], cell.in_turns) {
        return run_in_turns(results, [servers[places[0]], servers[places[1]]], round);
    }
    for place in places {
        let outcome = measure::run(&cell, servers[place], &plan, round as u64 + 1);
        take(results, servers[place], round, outcome.map_err(|error| error.to_string()));
    }
}

/// All that can; of a cell in turns Tapecast and one floor.
pub fn taking_part<'a>(cell: &Cell, servers: &'a [Server]) -> Vec<&'a Server> {
    if !cell.in_turns {
        return servers.iter().filter(|server| server.can(cell)).collect();
    }
    let named = |name| servers.iter().find(|server| server.name == name);
    let floor = named(FLOOR_SEND).or_else(|| named(FLOOR_RING));
    named(TAPECAST).into_iter().chain(floor).collect()
}

/// An error is told of both: neither can be measured without the other.
fn run_in_turns(results: &mut CellResults, pair: [&Server; 2], round: usize) {
    let plan = &results.session.plan;
    match measure::run_in_turns(&results.cell, pair, plan, round as u64 + 1) {
        Ok(figures) => {
            let both = pair.into_iter().zip(figures);
            both.for_each(|(server, figures)| take(results, server, round, Ok(figures)));
        }
        Err(error) => {
            let why = format!("{} and {} in turns: {error}", pair[0].name, pair[1].name);
            pair.iter().for_each(|server| take(results, server, round, Err(why.clone())));
        }
    }
}

fn take(
    results: &mut CellResults,
    server: &Server,
    round: usize,
    outcome: Result<Figures, String>,
) {
    tell(&results.cell, server, round, &outcome);
    let outcome = match outcome {
        Ok(figures) => Outcome::Figures(Box::new(figures)),
        Err(error) => Outcome::Failed(error),
    };
    results.runs.push(Run { server: server.name.clone(), round, outcome });
}

/// A round that others disturbed is run again, as long as there are no more than twice as many as
/// were asked for.
pub fn needs_another(results: &CellResults, done: usize, wanted: usize) -> bool {
    done < wanted || (done < 2 * wanted && verdict::undisturbed_rounds(results) < wanted)
}

/// Everyone begins some round, and runs behind the one as often as behind the other neighbour.
pub fn order(servers: usize, round: usize) -> Vec<usize> {
    let first = round / 2; // else turning would undo, of two, what going backwards does
    let mut places: Vec<usize> = (0..servers).map(|place| (place + first) % servers).collect();
    if round % 2 == 1 {
        places.reverse();
    }
    places
}

/// One line a run, so that a session of hours can be watched.
fn tell(cell: &Cell, server: &Server, round: usize, outcome: &Result<Figures, String>) {
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
