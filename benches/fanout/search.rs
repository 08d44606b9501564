//! How many users one core carries at a published mean latency, with something to spare: a probe
//! is one run, and the rounds behind it have to carry them as well.
//!
//! By bisection over the users; where the most that descriptors allow are carried, over the rate
//! per client instead, which is raised in whole factors. A machine that is slower during the rounds
//! than during the search carries fewer: then there are rounds with fewer.

use crate::measure::{self, Figures, Latency, Plan};
use crate::results::{CellResults, Step};
use crate::servers::{Server, TAPECAST};
use crate::verdict::{self, Summary};
use crate::workload::{self, Cell, Published};
use std::time::Duration;

/// Windows of the search; the number that it gives is measured by the rounds.
const WINDOW_MAX: Duration = Duration::from_secs(4);
const WARMUP: Duration = Duration::from_secs(3);

/// The most that the mean of a probe may be, in what was published: of the part that is not the
/// wait for the batching window, half of it in the mean, which is there with any load.
const MEAN_SHARE_MAX: f64 = 0.9;

/// A probe that others disturbed is made again, at most so many times in all.
const TRIES: usize = 3;

/// Users are found to a fortieth of the most.
const STEPS_PER_RANGE: usize = 40;

/// What is left of the users found, to be measured: where a core is full the latency rises so
/// steeply that one run carries what the next does not.
const USERS_SHARE: f64 = 0.95;

/// Of the users of rounds that were later than published, so many get rounds of their own.
const FEWER_SHARE: f64 = 0.9;

/// How often.
pub const RETREATS_MAX: usize = 3;

/// No factor above is tried.
const RAISED_MAX: usize = 64;

/// The cell with the users, or the rate, that Tapecast carries; and all that was tried.
pub fn users(cell: &Cell, published: &Published, plan: &Plan) -> (Cell, Vec<Step>) {
    let plan = Plan { window: plan.window.min(WINDOW_MAX), warmup: WARMUP, ..plan.clone() };
    let plan = plan.settled(cell);
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
    (at(((found as f64 * USERS_SHARE) as usize).max(grain)), steps)
}

/// The cell with fewer users, and why; `None` where the rounds carried them.
pub fn fewer(results: &CellResults, published: &Published) -> Option<(Cell, Step)> {
    let ours = Summary::new(results, TAPECAST);
    let mean = ours.late_spread(|figures| Some(figures.latency_us?.mean / 1e3))?;
    let share = ours.late_spread(|figures| Some(figures.server_share()))?;
    let cell = &results.cell;
    let connections = ((FEWER_SHARE * cell.connections as f64) as usize).max(1);
    (mean.median > published.mean_ms).then(|| {
        let step = Step {
            users: cell.connections,
            raised: cell.published.as_ref().map_or(1, |published| published.raised),
            mean_ms: mean.median,
            server_share: share.median,
            carried: false,
            why: format!("later than published by the median of {} rounds", mean.count),
        };
        (Cell { connections, ..cell.clone() }, step)
    })
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

/// Why the users of a probe are too many.
fn refusal(cell: &Cell, published: &Published, figures: &Figures) -> Option<String> {
    let mean_ms = figures.latency_us.unwrap_or_default().mean / 1e3;
    let wait_ms = cell.flush_ms as f64 / 2.0;
    let most_ms = wait_ms + MEAN_SHARE_MAX * (published.mean_ms - wait_ms);
    let late = || format!("mean above {most_ms:.2} ms, too near to the published latency");
    verdict::incomplete(cell, TAPECAST, figures).or_else(|| (mean_ms > most_ms).then(late))
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
    for _ in 0..TRIES {
        match measure::run(cell, &server, plan, 1) {
            Err(error) => step.why = error.to_string(),
            Ok(figures) => {
                step.mean_ms = figures.latency_us.unwrap_or_default().mean / 1e3;
                step.server_share = figures.server_share();
                let why = refusal(cell, published, &figures);
                step.carried = why.is_none();
                step.why = why.unwrap_or_default();
                // What is carried though others took from the core is carried.
                if !step.carried && !verdict::is_undisturbed(&figures) {
                    continue;
                }
            }
        }
        break;
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
    let cell = workload::cells("L6", 18_000, 90).remove(0);
    let published = cell.published.clone().expect("it is a row");
    let all = 18_000 * 100 * 4;
    let found = |mean_ms: f64, ticks: u64| {
        let latency = Latency { mean: 1e3 * mean_ms, ..Latency::default() };
        let latency_us = Some(latency);
        refusal(
            &cell,
            &published,
            &Figures { seconds: 4.0, ticks, latency_us, ..Figures::default() },
        )
    };
    // Half of 90 ms, and nine tenths of the other 10.
    assert_eq!(found(53.9, all), None);
    assert!(found(54.1, all).is_some_and(|why| why.contains("mean above 54.00 ms")));
    assert!(found(10.0, all * 97 / 100).is_some_and(|why| why.contains("delivered 97.0 %")));
}
