//! CPU of the sending thread per send of one frame to many loopback sockets, by several ways.
//! Another thread, on another core, reads what is sent. Every round goes through all ways in
//! turn, since a machine's speed drifts; what counts is the ratio to send(2) of the same round.
//!
//! `cargo bench --bench send`, with `flush` or `copies` after `--` for one half of it; without
//! `--bench` it runs a small mode.

mod clock;
mod plain;
mod plan;
mod ring;
mod sockets;

use plan::Plan;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let small = !words.iter().any(|word| word == "--bench");
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.first().map(|core| core_affinity::set_for_current(*core));
    for plan in plan::all(small) {
        if wanted.is_empty() || wanted.iter().any(|name| *name == plan.name) {
            run(&plan, cores.last().copied());
        }
    }
}

/// Prints a Markdown table: medians over the rounds, and the noise of send(2) itself.
fn run(plan: &Plan, core: Option<core_affinity::CoreId>) {
    let mut audience = sockets::Audience::connect(plan, core);
    let mut ways = (plan.ways)(&audience.fds(), plan.payload_bytes);
    for way in &mut ways {
        // The first sends to a socket find its buffers and its window small.
        audience.measure(plan.sweeps, &mut *way.send);
    }
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push(ways.iter_mut().map(|w| audience.measure(plan.sweeps, &mut *w.send)).collect());
    }
    println!(
        "\n{}: {} bytes to {} sockets, {} rounds of {} sweeps",
        plan.name, plan.payload_bytes, plan.sockets, plan.rounds, plan.sweeps
    );
    println!("| way | ns a send | of send(2) | least | most |\n| --- | --- | --- | --- | --- |");
    for (at, way) in ways.iter().enumerate() {
        let times = rounds.iter().map(|round| round[at]).collect();
        let ratios = sorted(rounds.iter().map(|round| round[at] / round[0]).collect());
        let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
        let (time, ratio) = (median(&sorted(times)), median(&ratios));
        println!("| {} | {time:.0} | {ratio:.3} | {least:.3} | {most:.3} |", way.name);
        way.remark.iter().for_each(|remark| println!("| … {} | | | | |", remark()));
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}
