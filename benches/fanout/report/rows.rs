//! L1 to L6 and M1: users at a published latency, and what they cost where the core has some rest.

use super::{long, ordered, short, whole, without_floor};
use crate::aims;
use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Results};
use crate::verdict::Summary;
use crate::workload::{PART, Published};
use std::fmt::Write;

const HEAD: &str = "| | server | users | updates/s each | updates/s | sends/s | of its core | \
mean ms | published ms | p99 ms | CPU µs an update | over the floor | µs a send | over the floor \
| published | there, a second and core | here to there | rounds |\n\
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|\n";

pub fn add(text: &mut String, results: &Results) {
    let cells: Vec<_> = results.cells.iter().filter(|c| c.cell.published.is_some()).collect();
    if cells.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n## Users at a published latency\n\n\
         The number of users is what Tapecast carries on one core at nine tenths of the published \
         mean latency (where updates are batched: half of the batch and nine tenths of the rest), \
         less a twentieth, and at most what descriptors allow; where that binds, the rate for \
         each is raised by whole factors instead, and nothing is taken off. \"Here to there\" is \
         of updates that came, at most of those sent in the window. With {:.0} % of the users each \
         row is measured once more: the CPU of a full core says nothing of what a send costs. \
         Of L1, L3 and L5 that is \
         measured in turns, see above: in the others a pause would change what a send is. A \
         message of M1 is a frame of four quotes of one symbol, 512 bytes together; updates are \
         quotes, and what was published are messages. A star: everything to everyone, but later \
         than 1.1 times the floor's p99, or merged, or without a floor.\n",
        100.0 * PART
    );
    without_floor(text, &cells);
    text.push_str(HEAD);
    for results in cells {
        let Some(published) = &results.cell.published else { continue };
        let mut servers = ordered(results, true, Figures::cpu_us_per_tick);
        servers.extend(ordered(results, false, Figures::cpu_us_per_tick));
        for summary in servers {
            row(text, results, published, &summary);
        }
    }
}

fn row(text: &mut String, results: &CellResults, published: &Published, summary: &Summary) {
    // Where several updates make one message, messages are what was published.
    let there = aims::published_updates_per_core(published);
    let a_message = results.cell.market.repeats as f64;
    let each = results.cell.market.updates_per_second(results.cell.symbols_each());
    let mark = if summary.counts() { "" } else { " *" };
    let updates = summary.spread(|figures| Some(figures.ticks_per_s()));
    let carried = summary.spread(|figures| Some(aims::carried_per_s(&results.cell, figures)));
    let latency = |of: fn(&Latency) -> f64| {
        short(summary.late_spread(|figures| figures.latency_us.as_ref().map(of)), 1e-3)
    };
    let over = |of: fn(&Figures) -> Option<f64>| match summary.is_saturated() {
        true => "saturated: the ratio says nothing".to_string(),
        false => long(summary.ratio(of)),
    };
    let cells = [
        results.cell.name.clone(),
        format!("{}{mark}", summary.server),
        results.cell.connections.to_string(),
        format!("{each:.0}"),
        whole(updates),
        whole(summary.spread(|figures| Some(figures.sends_per_s()))),
        format!("{} %", whole(summary.spread(|figures| Some(100.0 * figures.server_share())))),
        latency(|l| l.mean),
        published.mean_ms.to_string(),
        latency(|l| l.p99),
        long(summary.spread(Figures::cpu_us_per_tick)),
        over(Figures::cpu_us_per_tick),
        long(summary.spread(Figures::cpu_us_per_send)),
        over(Figures::cpu_us_per_send),
        format!("{}: {} users", published.by, published.users),
        format!("{there:.0}"),
        carried.map_or("–".into(), |u| format!("{:.1}", u.median / a_message / there)),
        format!("{}/{}", summary.valid_count(), summary.rounds),
    ];
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}
