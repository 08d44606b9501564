//! The rows that others published beside ours, and the sweeps: what is drawn of several cells.

use super::bars::{Bar, Bars, Scale};
use super::canvas::Ink;
use super::cells::measured_rate;
use super::curves::{Axis, Curves, Point, Series};
use super::{ink, thousands};
use crate::aims::{carried_per_s, published_updates_per_core};
use crate::measure::Figures;
use crate::results::CellResults;
use crate::servers::TAPECAST;
use crate::stats::Spread;
use crate::verdict::{Summary, summaries};
use crate::workload::Published;

/// Updates a second of one core: ours, and what was published for each of theirs.
pub fn updates(cells: &[&CellResults]) -> Bars {
    let pairs = cells.iter().filter_map(|results| {
        let published = results.cell.published.as_ref()?;
        Some([ours(results, published)?, theirs(published)])
    });
    Bars {
        title: "L and M rows: updates a second of one core".into(),
        subtitle: "Tapecast beside what was published, for each of its cores: users × updates a \
                   second to each, mean latency"
            .into(),
        bars: pairs.flatten().collect(),
        line: None,
        scale: Scale::Linear,
        notes: vec![
            "published: L rows by Caplin (Liberator 6.1, 8 cores), M1 by MigratoryData (12 cores)"
                .into(),
            "M1: an update is a message of 512 bytes".into(),
        ],
    }
}

fn ours(results: &CellResults, published: &Published) -> Option<Bar> {
    let summary = Summary::new(results, TAPECAST);
    let repeats = results.cell.market.repeats as f64;
    let spread = summary.spread(|figures| Some(carried_per_s(&results.cell, figures) / repeats))?;
    let mean = summary.late_spread(|figures| Some(figures.latency_us?.mean / 1e3))?;
    let (rate, users) = (measured_rate(published), results.cell.connections as f64);
    Some(Bar {
        label: results.cell.name.clone(),
        spread,
        text: text(spread.median, users, rate, &told_ms(mean.median)),
        ink: Ink::Ours,
        counts: summary.counts(),
        begins_group: true,
    })
}

fn theirs(published: &Published) -> Bar {
    let value = published_updates_per_core(published);
    let users = published.users as f64;
    Bar {
        label: "published".into(),
        spread: Spread { median: value, min: value, max: value, count: 1 },
        text: text(value, users, published.updates_per_user, &published.mean_ms.to_string()),
        ink: Ink::Peer,
        counts: true,
        begins_group: false,
    }
}

/// Two digits that count.
fn told_ms(ms: f64) -> String {
    if ms < 9.95 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

fn text(updates: f64, users: f64, rate: f64, mean_ms: &str) -> String {
    let updates = match updates {
        many if many >= 1e6 => format!("{:.2} M", many / 1e6),
        some if some >= 99_500.0 => format!("{:.0} k", some / 1e3),
        few => format!("{:.1} k", few / 1e3),
    };
    format!("{updates}: {} × {}/s, {mean_ms} ms", thousands(users), thousands(rate))
}

const COST: &str = "server CPU in µs for each delivered update";

/// CPU an update along one axis of the sweep.
pub fn growth(points: &[&CellResults], axis: &str) -> Curves {
    let value = |cell: &CellResults| cell.cell.point.as_ref().map_or(1, |point| point.value);
    let mut series: Vec<Series> = Vec::new();
    for cell in points {
        for summary in summaries(cell).iter().filter(|summary| summary.is_complete()) {
            let Some(y) = summary.spread(Figures::cpu_us_per_tick) else { continue };
            let (x, counts) = (value(cell) as f64, summary.counts());
            let point = Point { x, y, counts, has_whisker: true };
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
    let ticks = points.iter().map(|cell| value(cell) as f64);
    Curves {
        title: format!("G1: cost by {axis}"),
        subtitle: match axis {
            "connections" => format!("{COST}; 100,000 sends a second at every point"),
            _ => format!("{COST}; W2 but for this"),
        },
        x: Axis { ticks: ticks.map(|value| (value, thousands(value))).collect() },
        series,
    }
}
