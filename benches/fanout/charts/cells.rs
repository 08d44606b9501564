//! What is drawn of one cell: a bar or a line for each server.

use super::bars::{Bar, Bars, Scale};
use super::curves::{Axis, Curves, Point, Series};
use super::{PAIRED, ink, thousands};
use crate::measure::{Figures, Latency};
use crate::results::CellResults;
use crate::verdict::{Summary, floor_of, summaries};
use crate::workload::{Cell, Published};

/// Percentiles of the latency curve, each with its share above: the axis is the logarithm of it.
type Percentile = (&'static str, f64, fn(&Latency) -> f64);

const PERCENTILES: [Percentile; 4] = [
    ("p50", 0.5, |latency| latency.p50),
    ("p90", 0.1, |latency| latency.p90),
    ("p99", 0.01, |latency| latency.p99),
    ("p99.9", 0.001, |latency| latency.p999),
];

/// CPU an update by server, the floor as a line.
pub fn cost(results: &CellResults) -> Bars {
    let cell = &results.cell;
    let subtitle = format!(
        "server CPU in µs for each delivered update; {} connections, {}{}",
        thousands(cell.connections as f64),
        cell.symbols_text(),
        cell.published.as_ref().map_or(String::new(), rate_text),
    );
    let told = |value| format!("{value:.3} µs");
    beside_floor(results, (&shows(cell), subtitle), Figures::cpu_us_per_tick, told)
}

/// Time to the last subscriber by server, the floor as a line.
pub fn last(results: &CellResults) -> Bars {
    let cell = &results.cell;
    let subtitle = format!(
        "ms from the scheduled instant of a tick until the last of {} connections has it, p50",
        thousands(cell.connections as f64)
    );
    let of = |figures: &Figures| figures.last_us.map(|latency| latency.p50 / 1e3);
    beside_floor(results, (&cell.shows, subtitle), of, |value| format!("{value:.1} ms"))
}

fn beside_floor(
    results: &CellResults,
    (shows, subtitle): (&str, String),
    of: impl Fn(&Figures) -> Option<f64>,
    told: impl Fn(f64) -> String,
) -> Bars {
    Bars {
        title: format!("{}: {shows}", results.cell.name),
        subtitle,
        bars: bars_of(results, &of, told, true),
        line: floor_line(results, &of),
        scale: Scale::Linear,
        notes: vec![PAIRED.into()],
    }
}

pub fn memory(results: &CellResults) -> Bars {
    let cell = &results.cell;
    let of = |figures: &Figures| Some(figures.process_bytes);
    Bars {
        title: format!("{}: memory of an idle subscriber", cell.workload),
        subtitle: format!(
            "bytes of process memory for each of {} connections with {}; the axis is logarithmic",
            thousands(cell.connections as f64),
            cell.symbols_text()
        ),
        bars: bars_of(results, of, |value| format!("{} bytes", thousands(value)), false),
        line: None,
        scale: Scale::Log,
        notes: Vec::new(),
    }
}

/// What a cell shows, with the rate at which it was measured where that is another than the
/// published one.
fn shows(cell: &Cell) -> String {
    let Some(published) = cell.published.as_ref().filter(|published| published.raised > 1) else {
        return cell.shows.clone();
    };
    let each = |rate: f64| format!("{} a second each", thousands(rate));
    let (before, now) = (each(published.updates_per_user), each(measured_rate(published)));
    cell.shows.replace(&before, &now)
}

/// What each client got in a second, in the words of who published.
pub fn measured_rate(published: &Published) -> f64 {
    published.updates_per_user * published.raised as f64
}

fn rate_text(published: &Published) -> String {
    let rate = thousands(measured_rate(published));
    match published.raised {
        0 | 1 => format!(", {rate} a second each"),
        raised => format!(", {rate} a second each ({raised} × the published)"),
    }
}

fn floor_line(
    results: &CellResults,
    of: impl Fn(&Figures) -> Option<f64>,
) -> Option<(f64, String)> {
    let floor = Summary::new(results, floor_of(results)?);
    floor.spread(of).map(|spread| (spread.median, "floor".to_string()))
}

/// The shortest first.
fn bars_of(
    results: &CellResults,
    of: impl Fn(&Figures) -> Option<f64>,
    told: impl Fn(f64) -> String,
    has_ratio: bool,
) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for summary in summaries(results).iter().filter(|summary| summary.is_complete()) {
        let Some(spread) = summary.spread(&of) else { continue };
        let mut text = told(spread.median);
        // Where both fill the core it would be one, whatever they cost.
        let has_ratio = has_ratio && !summary.is_saturated();
        if let Some(ratio) = summary.ratio(&of).filter(|_| has_ratio) {
            text += &format!(", {:.2} × the floor", ratio.median);
        }
        let (label, ink) = (summary.server.to_string(), ink(summary));
        let (counts, begins_group) = (summary.counts(), false);
        bars.push(Bar { label, spread, text, ink, counts, begins_group });
    }
    bars.sort_by(|a, b| a.spread.median.total_cmp(&b.spread.median));
    bars
}

/// Latency by percentile, each server a line.
pub fn latency(results: &CellResults) -> Curves {
    let mut series = Vec::new();
    for summary in summaries(results).iter().filter(|summary| summary.is_complete()) {
        let at = |(_, above, of): &Percentile| {
            let ms = |figures: &Figures| Some(of(figures.latency_us.as_ref()?) / 1e3);
            let (x, counts) = (1.0 / above, summary.counts());
            Some(Point { x, y: summary.late_spread(ms)?, counts, has_whisker: false })
        };
        let points: Vec<Point> = PERCENTILES.iter().filter_map(at).collect();
        series.push(Series { name: summary.server.into(), points, ink: ink(summary) });
    }
    let ticks = PERCENTILES.iter().map(|(name, above, _)| (1.0 / above, name.to_string()));
    Curves {
        title: format!("{}: latency", results.cell.name),
        subtitle: "ms from the scheduled instant of a tick to the client's read".into(),
        x: Axis { ticks: ticks.collect() },
        series,
    }
}
