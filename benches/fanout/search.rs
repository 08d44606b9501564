//! How many users one core carries at a published mean latency.
//!
//! By bisection over the users; where the most that descriptors allow are carried, over the rate
//! per client instead, which is raised in whole factors.

use crate::measure::{self, Plan};
use crate::results::Step;
use crate::servers::{Server, TAPECAST};
use crate::workload::{Cell, Published};
use std::time::Duration;

/// Windows of the search; the number that it gives is measured by the rounds.
const WINDOW_MAX: Duration = Duration::from_secs(4);
const WARMUP: Duration = Duration::from_secs(3);

/// Users are found to a fortieth of the most.
const STEPS_PER_RANGE: usize = 40;

/// No factor above is tried.
const RAISED_MAX: usize = 64;

/// The cell with the users, or the rate, that Tapecast carries; and all that was tried.
pub fn users(cell: &Cell, published: &Published, plan: &Plan) -> (Cell, Vec<Step>) {
    let plan = Plan { window: plan.window.min(WINDOW_MAX), warmup: WARMUP, ..plan.clone() };
    let mut steps = Vec::new();
    let mut carries = |cell: &Cell| {
        let step = probe(cell, published, &plan);
        let carried = step.carried;
        steps.push(step);
        carried
    };
    if carries(cell) {
        let raised = |factor: &usize| cell.clone().raised(*factor);
        let factor = last_good(1, RAISED_MAX, 1, |factor| carries(&raised(&factor)));
        return (raised(&factor), steps);
    }
    let most = cell.connections;
    let grain = (most / STEPS_PER_RANGE).max(1);
    let at = |connections| Cell { connections, ..cell.clone() };
    let found = last_good(0, most, grain, |users| carries(&at(users)));
    (at(found.max(grain)), steps)
}

/// The largest number known to be good when what is left between it and one that is not is at
/// most `grain`. `good` is taken to be good; `end` is not tried.
fn last_good(
    mut good: usize,
    end: usize,
    grain: usize,
    mut is_good: impl FnMut(usize) -> bool,
) -> usize {
    let mut bad = end;
    // From a factor of one upwards by doubling: most ends are far away.
    while good > 0 && grain == 1 && 2 * good < bad {
        match is_good(2 * good) {
            true => good *= 2,
            false => bad = 2 * good,
        }
    }
    while bad - good > grain {
        let middle = good + (bad - good) / 2;
        match is_good(middle) {
            true => good = middle,
            false => bad = middle,
        }
    }
    good
}

fn probe(cell: &Cell, published: &Published, plan: &Plan) -> Step {
    let server = Server::named(TAPECAST).expect("it is one of the names");
    let raised = cell.published.as_ref().map_or(1, |published| published.raised);
    let mut step = Step {
        users: cell.connections,
        raised,
        mean_ms: 0.0,
        server_share: 0.0,
        carried: false,
        why: String::new(),
    };
    match measure::run(cell, &server, plan, 1) {
        Err(error) => step.why = error.to_string(),
        Ok(figures) => {
            step.mean_ms = figures.latency_us.unwrap_or_default().mean / 1e3;
            step.server_share = figures.server_share();
            let each = cell.market.updates_per_second(cell.symbols_each());
            let expected = cell.connections as f64 * each * figures.seconds;
            step.why = match () {
                () if figures.missing + figures.violations > 0 => "updates were merged".into(),
                () if figures.closed() > 0 => "connections were closed".into(),
                () if (figures.ticks as f64) < 0.95 * expected => "it fell behind".into(),
                () if step.mean_ms > published.mean_ms => "above the published latency".into(),
                () => String::new(),
            };
            step.carried = step.why.is_empty();
        }
    }
    eprintln!(
        "{:<22} {} users at {} times the rate: mean {:.2} ms, server {:.0} % {}",
        cell.name,
        step.users,
        step.raised,
        step.mean_ms,
        100.0 * step.server_share,
        if step.carried { "carried" } else { &step.why }
    );
    step
}

/// Of the small mode.
pub fn check() {
    assert!((324..=333).contains(&last_good(0, 1_000, 10, |n| n <= 333)));
    assert_eq!(last_good(1, 64, 1, |n| n <= 23), 23);
    assert_eq!(last_good(1, 64, 1, |_| false), 1);
}
