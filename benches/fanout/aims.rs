//! Where it must get to, beside what was measured.

mod peers;
mod rows;

use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Results};
use crate::servers::TAPECAST;
use crate::stats::Spread;
use crate::verdict::{Over, Summary, connect_ratio};
use crate::workload;
pub use peers::check;
pub use rows::{carried_per_s, published_updates_per_core};
use std::fmt::Write;

/// One aim: what it is of, what was found, and the bound.
#[derive(Debug, PartialEq)]
pub struct Aim {
    pub workload: String,
    pub text: String,
    pub found: Found,
    pub bound: Bound,
    /// The rounds disagree by more than the noise, or what is compared is lost in it.
    pub undecided: bool,
}

/// A median, and over how many of how many rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Found {
    /// `None` where nothing was measured, or too little of it counts.
    pub value: Option<f64>,
    pub used: usize,
    pub rounds: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// What there is nothing to compare with.
    Unknown,
}

impl Aim {
    fn new(workload: &str, text: &str, found: Found, bound: Bound) -> Aim {
        Aim { workload: workload.into(), text: text.into(), found, bound, undecided: false }
    }

    /// `None` where nothing was measured, or the rounds disagree.
    pub fn is_met(&self) -> Option<bool> {
        let measured = self.found.value.filter(|_| !self.undecided)?;
        match self.bound {
            Bound::AtMost(bound) => Some(measured <= bound),
            Bound::AtLeast(bound) => Some(measured >= bound),
            Bound::Unknown => None,
        }
    }

    fn met_text(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None if self.undecided => "undecided",
            None if self.found.rounds > 0 => "too few rounds count",
            None => "not measured",
        }
    }
}

impl Found {
    fn of(summary: &Summary, spread: Option<Spread>, used: usize) -> Found {
        let used = spread.map_or(used, |spread| spread.count);
        Found { value: spread.map(|spread| spread.median), used, rounds: summary.rounds }
    }

    fn map(self, change: impl Fn(f64) -> Option<f64>) -> Found {
        Found { value: self.value.and_then(change), ..self }
    }
}

/// The table at the end of the results.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(
        "\n## Aims\n\nOf Tapecast. What it costs is the median of the rounds that count; how late \
         it is, of all in which every client got everything and nobody else used the core, those \
         that were too late to count as well. Of the rounds that were run, so many are in it. A \
         peer is ahead where its median is better by more than the noise, which is what two \
         rounds of Tapecast differ, to the floor's of the same, and most rounds say so.\n\n\
         | | aim | bound | measured | rounds | met |\n|---|---|---:|---:|---:|---|\n",
    );
    for aim in aims(results) {
        let bound = match aim.bound {
            Bound::AtMost(bound) => format!("≤ {bound:.2}"),
            Bound::AtLeast(bound) => format!("≥ {bound:.2}"),
            Bound::Unknown => "–".into(),
        };
        let Found { value, used, rounds } = aim.found;
        let measured = value.map_or("–".into(), |measured| format!("{measured:.3}"));
        let rounds = match rounds {
            0 => "–".into(),
            rounds => format!("{used} of {rounds} rounds"),
        };
        let (workload, what, met) = (&aim.workload, &aim.text, aim.met_text());
        let _ = writeln!(text, "| {workload} | {what} | {bound} | {measured} | {rounds} | {met} |");
    }
    text
}

/// All that have a number, measured or not.
pub fn aims(results: &Results) -> Vec<Aim> {
    let mut aims = Vec::new();
    flow_aims(results, &mut aims);
    idle_aims(results, &mut aims);
    rows::add(results, &mut aims);
    trouble_aims(results, &mut aims);
    growth_aims(results, &mut aims);
    peers::add(results, &mut aims);
    aims
}

fn cell<'a>(results: &'a Results, name: &str) -> Option<&'a CellResults> {
    results.cells.iter().find(|results| results.cell.name == name)
}

type Figure = fn(&Figures) -> Option<f64>;

fn p50(latency: Option<Latency>) -> Option<f64> {
    latency.map(|latency| latency.p50)
}

fn p99(latency: Option<Latency>) -> Option<f64> {
    latency.map(|latency| latency.p99)
}

const COST: Figure = Figures::cpu_us_per_tick;
const P50: Figure = |figures| p50(figures.latency_us);
const P99: Figure = |figures| p99(figures.latency_us);
const LAST: Figure = |figures| p50(figures.last_us);

/// Of Tapecast in the cell of that name, by itself or over the floor.
fn ours(
    results: &Results,
    name: &str,
    over: Over,
    spread: impl Fn(&Summary) -> Option<Spread>,
) -> Found {
    let Some(cell) = cell(results, name) else { return Found::default() };
    let summary = Summary::new(cell, TAPECAST);
    let used = match over {
        Over::Counted => summary.valid_count(),
        Over::Complete => summary.complete_count(),
    };
    Found::of(&summary, spread(&summary).filter(|_| summary.is_told(over)), used)
}

/// Where the floor and we took turns, if that was measured: the noise between two rounds is larger
/// than what the aims ask.
fn finest(results: &Results, workload: &str) -> String {
    let in_turns = workload::in_turns(workload);
    if cell(results, &in_turns).is_some() { in_turns } else { workload.to_string() }
}

fn flow_aims(results: &Results, aims: &mut Vec<Aim>) {
    for (workload, bound) in [("W1", 1.05), ("W2", 1.10)] {
        let name = finest(results, workload);
        let found = ours(results, &name, Over::Counted, |ours| ours.ratio(COST));
        let text = "CPU an update over the floor's";
        aims.push(Aim::new(&name, text, found, Bound::AtMost(bound)));
    }
    for (workload, text, figure, bound) in [
        ("W4", "p50 over the floor's", P50, 1.03),
        ("W4", "p99 over the floor's", P99, 1.03),
        ("W5", "last subscriber (p50) over the floor's", LAST, 1.02),
    ] {
        let name = finest(results, workload);
        let found = ours(results, &name, Over::Complete, |ours| ours.late_ratio(figure));
        aims.push(Aim::new(&name, text, found, Bound::AtMost(bound)));
    }
}

fn idle_aims(results: &Results, aims: &mut Vec<Aim>) {
    let of = |figure: Figure| ours(results, "W3", Over::Counted, |ours| ours.spread(figure));
    let mut add = |text: &str, found, bound| {
        aims.push(Aim::new("W3", text, found, Bound::AtMost(bound)));
    };
    let bytes = of(|figures| Some(figures.process_bytes));
    add("process bytes a subscriber of 50", bytes, 400.0);
    add("% of a core at rest", of(|figures| Some(100.0 * figures.server_share())), 0.5);
    let bare = |_: &Summary| connect_ratio(cell(results, "W3")?, TAPECAST);
    let connect = ours(results, "W3", Over::Counted, bare);
    add("CPU a connect over a bare loop's", connect, 1.2);
}

/// S1 over W2 of the same round.
fn trouble_aims(results: &Results, aims: &mut Vec<Aim>) {
    let cells = cell(results, "S1").zip(cell(results, "W2"));
    for (what, over, figure, bound) in [
        ("CPU an update over W2's", Over::Counted, COST, 1.1),
        ("p99 over W2's", Over::Complete, P99, 1.5),
    ] {
        let (mut text, mut found) = (what.to_string(), Found::default());
        if let Some((s1, w2)) = cells {
            let summaries = [s1, w2].map(|cell| Summary::new(cell, TAPECAST));
            let is_of_one = s1.session.is_of_one_with(&w2.session);
            if !is_of_one {
                let _ = write!(text, " (not of one session: {}, {})", origin(s1), origin(w2));
            }
            let ratio = Spread::of(summaries[0].ratios_to(&summaries[1], over, figure));
            let tells = is_of_one && summaries.iter().all(|summary| summary.is_told(over));
            found = Found::of(&summaries[0], ratio.filter(|_| tells), 0);
        }
        aims.push(Aim::new("S1", &text, found, Bound::AtMost(bound)));
    }
}

fn origin(cell: &CellResults) -> String {
    format!("{} {}, {}", cell.cell.name, cell.session.commit, cell.session.date)
}

const COHORT_TEXT: &str = "cost of a cohort at 1,000 over that at 100";

fn growth_aims(results: &Results, aims: &mut Vec<Aim>) {
    let text = "CPU an update, dearest over cheapest by connections";
    let (costs, found) = costs(results, "connections");
    let flat = Spread::of(costs.iter().map(|(_, cost)| *cost)).filter(|spread| spread.count > 1);
    let flat = found.map(|_| flat.map(|spread| spread.max / spread.min));
    aims.push(Aim::new("G1", text, flat, Bound::AtMost(1.1)));
    aims.push(cohorts_aim(results));
}

/// Linear by cohorts: what a cohort more costs does not grow with their number. Where a thousand
/// cost no more than one, but for a tenth, nothing grows.
fn cohorts_aim(results: &Results) -> Aim {
    let (costs, found) = costs(results, "cohorts");
    let [one, .., some, many] = costs[..] else {
        return Aim::new("G1", COHORT_TEXT, found.map(|_| None), Bound::AtMost(1.1));
    };
    let whole = many.1 / one.1;
    if whole <= 1.1 {
        let text = "CPU an update with 1,000 cohorts over that with one: flat";
        return Aim::new("G1", text, found.map(|_| Some(whole)), Bound::AtMost(1.1));
    }
    let slope = |from: (usize, f64), to: (usize, f64)| (to.1 - from.1) / (to.0 - from.0) as f64;
    let (near, far) = (slope(one, some), slope(one, many));
    let linear = (near > 0.0).then_some(far / near);
    let mut aim = Aim::new("G1", COHORT_TEXT, found.map(|_| linear), Bound::AtMost(1.1));
    // Where 100 cost no more than one, there is no growth to compare with.
    aim.undecided = found.value.is_some() && linear.is_none();
    aim
}

/// By point; without one of them there is no answer, since it may be the dearest.
fn costs(results: &Results, axis: &str) -> (Vec<(usize, f64)>, Found) {
    let mut costs = Vec::new();
    let mut found = Found { value: Some(1.0), used: 0, rounds: 0 };
    for cell in results.of("G1") {
        let Some(point) = cell.cell.point.as_ref().filter(|point| point.axis == axis) else {
            continue;
        };
        let summary = Summary::new(cell, TAPECAST);
        found.used += summary.valid_count();
        found.rounds += summary.rounds;
        match summary.spread(COST).filter(|_| summary.counts()) {
            Some(cost) => costs.push((point.value, cost.median)),
            None => found.value = None,
        }
    }
    (costs, found)
}
