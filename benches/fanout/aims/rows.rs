//! Of the published rows: no later than published, and what an update costs where the core is not
//! full of them.

use super::{Aim, Bound, COST, Figure, Found, ours};
use crate::measure::Figures;
use crate::results::Results;
use crate::verdict::Over;
use crate::workload::{self, Cell, Published};

const CARRIED_TEXT: &str = "updates a core over Liberator's";
const CARRIED: Bound = Bound::AtLeast(8.0);

const MEAN_MS: Figure = |figures| figures.latency_us.map(|latency| latency.mean / 1e3);

pub fn published_updates_per_core(published: &Published) -> f64 {
    published.users as f64 * published.updates_per_user / published.cores as f64
}

pub fn add(results: &Results, aims: &mut Vec<Aim>) {
    // Names and what was published depend neither on the most connections nor on the batching.
    let all = workload::NAMES.iter().flat_map(|name| workload::cells(name, usize::MAX, 1));
    for row in all.filter(|cell| cell.published.is_some()) {
        row_aims(results, &row, aims);
    }
}

fn row_aims(results: &Results, row: &Cell, aims: &mut Vec<Aim>) {
    let Some(published) = &row.published else { return };
    let name = row.name.as_str();
    let is_batched = row.flush_ms > 0;
    let mean = ours(results, name, Over::Complete, |ours| ours.late_spread(MEAN_MS));
    let text = "mean latency, ms, as published";
    aims.push(Aim::new(name, text, mean, Bound::AtMost(published.mean_ms)));
    if published.given {
        return carried(results, row, published, aims);
    }
    // A full core costs what a core has, the floor's as well as ours.
    let part = row.at_part(workload::PART).name;
    let cost = ours(results, &part, Over::Counted, |ours| ours.ratio(COST));
    let bound = if is_batched { 1.5 } else { 1.3 };
    let text = "CPU an update over the floor's";
    aims.push(Aim::new(&part, text, cost, Bound::AtMost(bound)));
    if is_batched {
        carried(results, row, published, aims);
    }
}

/// Updates a second of one core. Where the users are given, so are the updates, of which every
/// client got all in a round that counts. Else those that came, at most what was sent in that time:
/// what came more was a backlog of the time before.
pub fn carried_per_s(cell: &Cell, figures: &Figures) -> f64 {
    let rate = cell.market.updates_per_second(cell.symbols_each());
    let sent = figures.connections as f64 * rate;
    match cell.published.as_ref().is_some_and(|published| published.given) {
        true => sent,
        false => sent.min(figures.ticks_per_s()),
    }
}

/// Updates of one core over those of one core there.
fn carried(results: &Results, row: &Cell, published: &Published, aims: &mut Vec<Aim>) {
    let Some(cell) = super::cell(results, &row.name).map(|measured| &measured.cell) else {
        return aims.push(Aim::new(&row.name, CARRIED_TEXT, Found::default(), CARRIED));
    };
    let updates = ours(results, &row.name, Over::Counted, |ours| {
        ours.spread(|figures| Some(carried_per_s(cell, figures)))
    });
    let here = updates.map(|updates| Some(updates / published_updates_per_core(published)));
    aims.push(Aim::new(&row.name, CARRIED_TEXT, here, CARRIED));
}
