//! Charts of the results, as SVG with a background of their own: readable on a light page and on
//! a dark one.

mod bars;
mod canvas;
mod cells;
mod curves;
mod rows;

use crate::results::{CellResults, Results};
use crate::servers::{FLOOR_CONNECT, FLOOR_RING, FLOOR_SEND, TAPECAST};
use crate::verdict::Summary;
use canvas::Ink;
use std::io;
use std::path::Path;

// Footnotes.
const UNCOUNTED: &str = "does not count: all got everything, but in fewer sends than the floor's \
                         clients, or with a p99 above 1.1 times theirs";
const WHISKERS: &str = "whiskers: the least and the most of the rounds; what is drawn and told is \
                        their median";
const PAIRED: &str = "× the floor: paired, the median of each round's ratio to the floor of the \
                      same round, and not the ratio of two bars";

/// Draws what there are results for, and gives the names of the files.
pub fn draw(results: &Results, directory: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut next = |file: String| {
        let path = directory.join(&file);
        files.push(file);
        path
    };
    for cell in results.cells.iter().filter(|results| results.cell.point.is_none()) {
        let workload =
            cell.cell.name.to_lowercase().replace([' ', '.', '='], "-").replace('%', "percent");
        if cell.cell.market.is_quiet() {
            cells::memory(cell).draw(&next(format!("{workload}-memory.svg")))?;
            continue;
        }
        cells::cost(cell).draw(&next(format!("{workload}-cpu.svg")))?;
        match cell.cell.workload.as_str() {
            "W4" => cells::latency(cell).draw(&next(format!("{workload}-latency.svg")))?,
            "W5" => cells::last(cell).draw(&next(format!("{workload}-last.svg")))?,
            _ => {}
        }
    }
    // A part of the users tells what an update costs, not how many a core carries.
    let is_row =
        |results: &&CellResults| results.cell.published.is_some() && results.cell.part.is_none();
    let mut published: Vec<&CellResults> = results.cells.iter().filter(is_row).collect();
    published.sort_by_key(|results| &results.cell.name);
    if !published.is_empty() {
        rows::updates(&published).draw(&next("rows-updates.svg".into()))?;
    }
    for axis in ["connections", "symbols", "cohorts"] {
        let points: Vec<&CellResults> = results.of("G1").filter(|c| is_on(c, axis)).collect();
        if points.len() > 1 {
            rows::growth(&points, axis).draw(&next(format!("g1-{axis}.svg")))?;
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
        _ => Ink::Peer,
    }
}

/// Whole, with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
