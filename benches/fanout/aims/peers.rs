//! No peer is ahead by more than the noise, which is what two rounds of the same server differ.

use super::{Aim, Bound, COST, Figure, Found, LAST, P50, P99, cell};
use crate::results::{CellResults, Results};
use crate::servers::{PEERS, TAPECAST};
use crate::stats::Spread;
use crate::verdict::{Over, Summary, floor_of};

/// Where every peer that can be installed is to be measured.
const WORKLOADS: [&str; 6] = ["W1", "W2", "W3", "W4", "W5", "S1"];

/// What a workload is about, beside the CPU.
const BYTES: (&str, Over, Figure) =
    ("process bytes", Over::Counted, |figures| Some(figures.process_bytes));
const CONNECT: (&str, Over, Figure) =
    ("CPU a connect", Over::Counted, |figures| Some(figures.connect_cpu_us));
const UPDATE: (&str, Over, Figure) = ("CPU an update", Over::Counted, COST);

pub fn add(results: &Results, aims: &mut Vec<Aim>) {
    for measured in &results.cells {
        compare_cell(measured, aims);
    }
    for workload in WORKLOADS {
        let there = cell(results, workload).map(CellResults::servers).unwrap_or_default();
        let missing: Vec<&str> = PEERS.into_iter().filter(|peer| !there.contains(peer)).collect();
        if !missing.is_empty() {
            let text = format!("peers not measured: {}", missing.join(", "));
            aims.push(Aim::new(workload, &text, Found::default(), Bound::Unknown));
        }
    }
}

fn compare_cell(results: &CellResults, aims: &mut Vec<Aim>) {
    let name = results.cell.name.as_str();
    let mut figures = match results.cell.market.is_quiet() {
        true => vec![BYTES, CONNECT],
        false => vec![UPDATE],
    };
    match name {
        "W4" => figures.extend([("p50", Over::Complete, P50), ("p99", Over::Complete, P99)]),
        "W5" => figures.push(("last subscriber (p50)", Over::Complete, LAST)),
        _ => {}
    }
    let ours = Summary::new(results, TAPECAST);
    let mut to_peers = Vec::new();
    for peer in results.servers().into_iter().filter(|server| PEERS.contains(server)) {
        let theirs = Summary::new(results, peer);
        for figure in &figures {
            let aim = compare(results, &ours, &theirs, figure);
            if figure.0 == UPDATE.0 {
                to_peers.push(aim.found);
            }
            aims.push(aim);
        }
    }
    if name == "W2" {
        let compared = to_peers.iter().filter_map(|found| Some((found.value?, found)));
        let count = compared.clone().count();
        let best = compared.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, found)| *found);
        let text = format!("CPU an update over the best of {count} measured peers'");
        let best = best.unwrap_or(Found { rounds: ours.rounds, ..Found::default() });
        aims.push(Aim::new("W2", &text, best, Bound::AtMost(0.82)));
    }
}

/// Peers that got everything to everyone are taken for it, however late they were.
fn compare(
    results: &CellResults,
    ours: &Summary,
    theirs: &Summary,
    (what, over, figure): &(&str, Over, Figure),
) -> Aim {
    let mut ratios = ours.ratios_to(theirs, *over, figure);
    ratios.retain(|_| ours.is_told(*over) && theirs.is_complete());
    let noise = noise(&ours.floor_ratios(*over, figure));
    let found = Found::of(ours, Spread::of(ratios.iter().copied()), 0);
    let peer = theirs.server;
    let noise_text = match (noise, floor_of(results)) {
        (Some(noise), _) => format!("noise {noise:.3}"),
        (None, None) => "noise unknown, without a floor".into(),
        (None, Some(_)) => "noise unknown, of less than two rounds".into(),
    };
    let text = format!("{what} over {peer}'s ({noise_text})");
    let bound = noise.map_or(Bound::Unknown, |noise| Bound::AtMost(1.0 + noise));
    let undecided = !ratios.is_empty() && noise.is_none_or(|noise| is_undecided(&ratios, noise));
    Aim { undecided, ..Aim::new(&results.cell.name, &text, found, bound) }
}

/// Who is ahead by less than noise that is larger than this is not known to be alike.
const NOISE_MAX: f64 = 0.1;

/// What two rounds of one server differ, in the middle of all pairs, of two the lesser: one bad
/// round of four must not make every bound wide.
pub fn noise(rounds: &[f64]) -> Option<f64> {
    let pairs = rounds.iter().enumerate().flat_map(|(at, one)| {
        rounds[at + 1..].iter().map(move |other| one.max(*other) / one.min(*other) - 1.0)
    });
    let mut pairs: Vec<f64> = pairs.filter(|noise| noise.is_finite()).collect();
    pairs.sort_by(f64::total_cmp);
    pairs.get(pairs.len().saturating_sub(1) / 2).copied()
}

/// Neither is it clear that the peer is ahead, in the median and in most rounds, nor that it is
/// not: some rounds say the one and others the other.
pub fn is_undecided(ratios: &[f64], noise: f64) -> bool {
    let Some(spread) = Spread::of(ratios.iter().copied()) else { return true };
    let ahead = ratios.iter().filter(|ratio| **ratio > 1.0 + noise).count();
    let behind = ratios.iter().any(|ratio| *ratio < 1.0 - noise);
    let is_ahead = spread.median > 1.0 + noise && 2 * ahead > ratios.len();
    let is_half_ahead = spread.median > 1.0 + noise || 2 * ahead >= ratios.len();
    let is_torn = ahead > 0 && behind && spread.median > 1.0 - noise;
    let is_hidden = noise > NOISE_MAX && spread.median > 1.0;
    ratios.len() < 2 || !is_ahead && (is_half_ahead || is_torn || is_hidden)
}

/// Of the small mode.
pub fn check() {
    let near = |noise: Option<f64>, to: f64| noise.is_some_and(|noise| (noise - to).abs() < 1e-9);
    assert_eq!(noise(&[1.0]), None);
    assert!(near(noise(&[1.0, 1.1]), 0.1));
    assert!(near(noise(&[1.0, 1.0, 1.02, 2.0]), 0.02), "one bad round of four");
    assert!(!is_undecided(&[1.2, 1.1, 1.3], 0.05), "ahead");
    assert!(!is_undecided(&[0.7, 0.72, 0.71, 1.06], 0.05), "one round of four");
    assert!(!is_undecided(&[1.01, 0.99, 1.0], 0.05), "alike");
    assert!(is_undecided(&[1.2, 0.9, 1.0], 0.05), "the rounds disagree");
    assert!(is_undecided(&[1.3, 1.2, 0.9, 0.95], 0.05), "half of them");
    assert!(is_undecided(&[1.2, 1.2, 1.2], 0.3), "the noise may hide a fifth");
    assert!(is_undecided(&[0.5], 0.05), "a single round has none to agree with");
}
