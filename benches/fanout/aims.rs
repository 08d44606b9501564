//! Where it must get to, beside what was measured.

use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Results};
use crate::servers::{FLOOR_CONNECT, FLOOR_RING, FLOOR_SEND, TAPECAST};
use crate::stats::Spread;
use crate::verdict::{Summary, connect_ratio};
use crate::workload::Published;
use std::fmt::Write;

/// One aim: what it is of, what was found, and the bound.
#[derive(Debug, PartialEq)]
pub struct Aim {
    pub workload: String,
    pub text: String,
    pub measured: Option<f64>,
    pub bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    /// `None` where nothing was measured.
    pub fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.bound {
            Bound::AtMost(bound) => measured <= bound,
            Bound::AtLeast(bound) => measured >= bound,
        })
    }
}

/// The table at the end of the results.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(
        "\n## Aims\n\nOf Tapecast, by medians of the rounds that count.\n\n\
         | | aim | bound | measured | met |\n|---|---|---:|---:|---|\n",
    );
    for aim in aims(results) {
        let bound = match aim.bound {
            Bound::AtMost(bound) => format!("≤ {bound:.2}"),
            Bound::AtLeast(bound) => format!("≥ {bound:.2}"),
        };
        let measured = aim.measured.map_or("–".into(), |measured| format!("{measured:.3}"));
        let met = match aim.is_met() {
            None => "not measured",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        let _ =
            writeln!(text, "| {} | {} | {bound} | {measured} | {met} |", aim.workload, aim.text);
    }
    text
}

/// All that have a number, measured or not.
pub fn aims(results: &Results) -> Vec<Aim> {
    let mut aims = Vec::new();
    flow_aims(results, &mut aims);
    idle_aims(results, &mut aims);
    row_aims(results, &mut aims);
    trouble_aims(results, &mut aims);
    growth_aims(results, &mut aims);
    peer_aims(results, &mut aims);
    aims
}

fn add(aims: &mut Vec<Aim>, workload: &str, text: &str, measured: Option<f64>, bound: Bound) {
    aims.push(Aim { workload: workload.into(), text: text.into(), measured, bound });
}

fn median(spread: Option<Spread>) -> Option<f64> {
    spread.map(|spread| spread.median)
}

/// Of Tapecast in the cell of that name; `None` where its rounds do not count.
fn ours<'a>(results: &'a Results, name: &str) -> Option<(&'a CellResults, Summary<'a>)> {
    let cell = results.cells.iter().find(|results| results.cell.name == name)?;
    let summary = Summary::new(cell, TAPECAST);
    summary.counts().then_some((cell, summary))
}

fn ratio(results: &Results, name: &str, of: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
    median(ours(results, name)?.1.ratio(of))
}

fn p50(latency: Option<Latency>) -> Option<f64> {
    latency.map(|latency| latency.p50)
}

fn p99(latency: Option<Latency>) -> Option<f64> {
    latency.map(|latency| latency.p99)
}

fn flow_aims(results: &Results, aims: &mut Vec<Aim>) {
    let cost = Figures::cpu_us_per_tick;
    for (workload, bound) in [("W1", 1.05), ("W2", 1.10)] {
        let measured = ratio(results, workload, cost);
        add(aims, workload, "CPU an update over the floor's", measured, Bound::AtMost(bound));
    }
    let most = Bound::AtMost(1.03);
    let measured = ratio(results, "W4", |figures| p50(figures.latency_us));
    add(aims, "W4", "p50 over the floor's", measured, most);
    let measured = ratio(results, "W4", |figures| p99(figures.latency_us));
    add(aims, "W4", "p99 over the floor's", measured, most);
    let measured = ratio(results, "W5", |figures| p50(figures.last_us));
    add(aims, "W5", "last subscriber (p50) over the floor's", measured, Bound::AtMost(1.02));
}

fn idle_aims(results: &Results, aims: &mut Vec<Aim>) {
    let found = ours(results, "W3");
    let of = |figure: fn(&Figures) -> f64| {
        median(found.as_ref()?.1.spread(|figures| Some(figure(figures))))
    };
    let bytes = of(|figures| figures.process_bytes);
    add(aims, "W3", "process bytes a subscriber of 50", bytes, Bound::AtMost(400.0));
    let rest = of(|figures| 100.0 * figures.server_share());
    add(aims, "W3", "% of a core at rest", rest, Bound::AtMost(0.5));
    let connect = found.as_ref().and_then(|(cell, _)| median(connect_ratio(cell, TAPECAST)));
    add(aims, "W3", "CPU a connect over a bare loop's", connect, Bound::AtMost(1.2));
}

pub fn published_updates_per_core(published: &Published) -> f64 {
    published.users as f64 * published.updates_per_user / published.cores as f64
}

fn row_aims(results: &Results, aims: &mut Vec<Aim>) {
    for workload in ["L1", "L2", "L3", "L4", "L4 at 200 Hz", "L5", "L6", "L6 at 200 Hz"] {
        let is_batched = workload.starts_with("L4") || workload.starts_with("L6");
        let bound = if is_batched { 1.5 } else { 1.3 };
        let measured = ratio(results, workload, Figures::cpu_us_per_tick);
        add(aims, workload, "CPU an update over the floor's", measured, Bound::AtMost(bound));
        if !is_batched {
            continue;
        }
        let found = ours(results, workload);
        let there =
            |cell: &CellResults| cell.cell.published.as_ref().map(published_updates_per_core);
        let here = found.as_ref().and_then(|(cell, summary)| {
            let updates = median(summary.spread(|figures| Some(figures.ticks_per_s())))?;
            Some(updates / there(cell)?)
        });
        add(aims, workload, "updates a core over Liberator's", here, Bound::AtLeast(8.0));
        let mean = found.as_ref().and_then(|(_, summary)| {
            median(summary.spread(|figures| Some(figures.latency_us?.mean / 1e3)))
        });
        add(aims, workload, "mean latency, ms", mean, Bound::AtMost(55.0));
    }
}

/// S1 beside W2, which are not of the same rounds: medians over medians.
fn trouble_aims(results: &Results, aims: &mut Vec<Aim>) {
    let (troubled, calm) = (ours(results, "S1"), ours(results, "W2"));
    let over = |of: fn(&Figures) -> Option<f64>| {
        let troubled = median(troubled.as_ref()?.1.spread(of))?;
        Some(troubled / median(calm.as_ref()?.1.spread(of))?)
    };
    let cost = over(Figures::cpu_us_per_tick);
    add(aims, "S1", "CPU an update over W2's", cost, Bound::AtMost(1.1));
    let late = over(|figures| p99(figures.latency_us));
    add(aims, "S1", "p99 over W2's", late, Bound::AtMost(1.5));
}

fn growth_aims(results: &Results, aims: &mut Vec<Aim>) {
    let cost = |axis: &str| -> Vec<(usize, f64)> {
        let points = results.of("G1").filter_map(|cell| {
            let point = cell.cell.point.as_ref().filter(|point| point.axis == axis)?;
            let cost = Summary::new(cell, TAPECAST).spread(Figures::cpu_us_per_tick)?;
            Some((point.value, cost.median))
        });
        points.collect()
    };
    let flat = Spread::of(cost("connections").into_iter().map(|(_, cost)| cost));
    let flat = flat.filter(|spread| spread.count > 1).map(|spread| spread.max / spread.min);
    add(
        aims,
        "G1",
        "CPU an update, dearest over cheapest by connections",
        flat,
        Bound::AtMost(1.1),
    );
    // Linear by cohorts: what a cohort more costs does not grow with the number of cohorts.
    let cohorts = cost("cohorts");
    let slope = |from: (usize, f64), to: (usize, f64)| (to.1 - from.1) / (to.0 - from.0) as f64;
    let linear = match cohorts[..] {
        [one, .., some, many] if slope(one, some) > 0.0 => {
            Some(slope(one, many) / slope(one, some))
        }
        _ => None,
    };
    add(aims, "G1", "cost of a cohort at 1,000 over that at 100", linear, Bound::AtMost(1.1));
}

/// No peer is ahead by more than the noise, which is what the paired rounds differ among
/// themselves. Peers that got everything to everyone are taken for it, however late they were.
fn peer_aims(results: &Results, aims: &mut Vec<Aim>) {
    let floors = [TAPECAST, FLOOR_SEND, FLOOR_RING, FLOOR_CONNECT];
    for cell in &results.cells {
        let summary = Summary::new(cell, TAPECAST);
        let (what, of): (&str, fn(&Figures) -> Option<f64>) = match cell.cell.market.is_quiet() {
            true => ("process bytes", |figures| Some(figures.process_bytes)),
            false => ("CPU an update", Figures::cpu_us_per_tick),
        };
        let mut ratios = Vec::new();
        for peer in cell.servers().into_iter().filter(|server| !floors.contains(server)) {
            let other = Summary::new(cell, peer);
            let both = summary.counts() && other.is_complete();
            let Some(ratio) = summary.ratio_to(&other, of).filter(|_| both) else { continue };
            let noise = ratio.max - ratio.min;
            let text = format!("{what} over {peer}'s (noise {noise:.2})");
            add(aims, &cell.cell.name, &text, Some(ratio.median), Bound::AtMost(1.0 + noise));
            ratios.push(ratio.median);
        }
        if cell.cell.workload == "W2" {
            let best = ratios.into_iter().reduce(f64::max);
            add(aims, "W2", "CPU an update over the best peer's", best, Bound::AtMost(0.82));
        }
    }
}
