//! Charts of the results, as SVG with a background of their own: readable on a light page and on
//! a dark one.

mod bars;
mod canvas;
mod curves;

use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Results};
use crate::servers::{FLOOR_CONNECT, FLOOR_RING, FLOOR_SEND, TAPECAST};
use crate::verdict::{Summary, floor_of, summaries};
use bars::{Bar, Bars};
use canvas::Ink;
use curves::{Axis, Curves, Series};
use std::io;
use std::path::Path;

/// Percentiles of the latency curve, each with its share above: the axis is the logarithm of it.
type Percentile = (&'static str, f64, fn(&Latency) -> f64);

const PERCENTILES: [Percentile; 4] = [
    ("p50", 0.5, |latency| latency.p50),
    ("p90", 0.1, |latency| latency.p90),
    ("p99", 0.01, |latency| latency.p99),
    ("p99.9", 0.001, |latency| latency.p999),
];

/// Draws what there are results for, and gives the names of the files.
pub fn draw(results: &Results, directory: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for cell in &results.cells {
        if cell.cell.point.is_some() {
            continue;
        }
        let workload = cell.cell.name.to_lowercase().replace([' ', '.', '='], "-");
        if cell.cell.market.is_quiet() {
            let file = format!("{workload}-memory.svg");
            memory(cell).draw(&directory.join(&file))?;
            files.push(file);
            continue;
        }
        let file = format!("{workload}-cpu.svg");
        cost(cell).draw(&directory.join(&file))?;
        files.push(file);
        if cell.cell.workload == "W4" {
            let file = format!("{workload}-latency.svg");
            latency(cell).draw(&directory.join(&file))?;
            files.push(file);
        }
    }
    for axis in ["connections", "symbols", "cohorts"] {
        let points: Vec<&CellResults> = results.of("G1").filter(|c| is_on(c, axis)).collect();
        if points.len() > 1 {
            let file = format!("g1-{axis}.svg");
            growth(&points, axis).draw(&directory.join(&file))?;
            files.push(file);
        }
    }
    Ok(files)
}

fn is_on(results: &CellResults, axis: &str) -> bool {
    results.cell.point.as_ref().is_some_and(|point| point.axis == axis)
}

fn ink(summary: &Summary) -> Ink {
    match summary.server {
        TAPECAST => Ink::Ours,
        FLOOR_SEND | FLOOR_RING | FLOOR_CONNECT => Ink::Floor,
        _ if summary.counts() => Ink::Peer,
        _ => Ink::Uncounted,
    }
}

/// CPU an update by server, the floor as a line.
fn cost(results: &CellResults) -> Bars {
    let cell = &results.cell;
    let floor = floor_of(results).map(|floor| Summary::new(results, floor));
    let line = floor.and_then(|floor| floor.spread(Figures::cpu_us_per_tick));
    Bars {
        title: format!("{}: {}", cell.name, cell.shows),
        subtitle: format!(
            "server CPU in µs for each delivered update; {} connections, {}",
            cell.connections,
            cell.symbols_text()
        ),
        bars: bars_of(results, Figures::cpu_us_per_tick, "µs", true),
        line: line.map(|spread| (spread.median, "floor".to_string())),
    }
}

fn memory(results: &CellResults) -> Bars {
    let cell = &results.cell;
    Bars {
        title: format!("{}: memory of an idle subscriber", cell.workload),
        subtitle: format!(
            "bytes of process memory for each of {} connections with {} symbols",
            cell.connections,
            cell.symbols_each()
        ),
        bars: bars_of(results, |figures| Some(figures.process_bytes), "bytes", false),
        line: None,
    }
}

fn bars_of(
    results: &CellResults,
    of: impl Fn(&Figures) -> Option<f64>,
    unit: &str,
    with_ratio: bool,
) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for summary in summaries(results).iter().filter(|summary| summary.is_complete()) {
        let Some(spread) = summary.spread(&of) else { continue };
        let digits = if with_ratio { 3 } else { 0 };
        let mut text = format!("{:.digits$} {unit}", spread.median);
        if let Some(ratio) = summary.ratio(&of).filter(|_| with_ratio) {
            text += &format!(", {:.2} × the floor", ratio.median);
        }
        if !summary.counts() {
            text += " *";
        }
        bars.push(Bar { label: summary.server.into(), spread, text, ink: ink(summary) });
    }
    bars.sort_by(|a, b| a.spread.median.total_cmp(&b.spread.median));
    bars
}

/// Latency by percentile, each server a line.
fn latency(results: &CellResults) -> Curves {
    let mut series = Vec::new();
    for summary in summaries(results).iter().filter(|summary| summary.is_complete()) {
        let at = |(_, above, of): &Percentile| {
            let spread = summary.spread(|figures| figures.latency_us.as_ref().map(of));
            spread.map(|spread| (1.0 / above, spread.median / 1e3))
        };
        let points: Vec<(f64, f64)> = PERCENTILES.iter().filter_map(at).collect();
        series.push(Series { name: summary.server.into(), points, ink: ink(summary) });
    }
    let ticks = PERCENTILES.iter().map(|(name, above, _)| (1.0 / above, name.to_string()));
    Curves {
        title: format!("{}: latency", results.cell.workload),
        subtitle: "ms from the scheduled instant of a tick to the client's read".into(),
        x: Axis { ticks: ticks.collect() },
        series,
    }
}

/// CPU an update along one axis of the sweep.
fn growth(points: &[&CellResults], axis: &str) -> Curves {
    let value = |cell: &CellResults| cell.cell.point.as_ref().map_or(1, |point| point.value);
    let mut series: Vec<Series> = Vec::new();
    for cell in points {
        for summary in summaries(cell).iter().filter(|summary| summary.is_complete()) {
            let Some(spread) = summary.spread(Figures::cpu_us_per_tick) else { continue };
            let point = (value(cell) as f64, spread.median);
            match series.iter_mut().find(|series| series.name == summary.server) {
                Some(series) => series.points.push(point),
                None => series.push(Series {
                    name: summary.server.into(),
                    points: vec![point],
                    ink: ink(summary),
                }),
            }
        }
    }
    let ticks = points.iter().map(|cell| (value(cell) as f64, value(cell).to_string()));
    Curves {
        title: format!("G1: cost by {axis}"),
        subtitle: "server CPU in µs for each delivered update; W2 but for this".into(),
        x: Axis { ticks: ticks.collect() },
        series,
    }
}
