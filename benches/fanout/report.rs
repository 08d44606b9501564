//! `results.md`: the tables that people read.

mod notes;
mod rows;

use crate::aims;
use crate::load::{Classes, StartEnd};
use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Results};
use crate::stats::Spread;
use crate::verdict::{Summary, connect_ratio, floor_of, summaries};
use crate::workload::{NAMES, Troubles};
use std::fmt::Write;

const READING: &str = "CPU is user and system time of the server's process tree, and of its core's \
ksoftirqd, to which the kernel leaves a part of each send, over the counting window, by update \
delivered and by send (of peers of single messages: by message). \"Over the floor\" is the median \
of the ratios to the floor of the same round, with the least and the most of them: that is the \
noise. A round counts only where every client got every `sq`, in as many sends as the floor's, \
where every burst is for everyone in one for each, and at no more than 1.1 times the floor's p99; \
where nobody else took more than 5 % of the core, of the server or of its floor; and where the \
floor of that round is sound itself, its p99 at most 1.5 times what it usually is. What does not \
count stands apart. Rounds that others disturbed were run again. Latencies are from the scheduled \
instant of the tick to the client's read, in ms, and are told over the late rounds as well. \
\"Last\" is from that instant until the last client had it.\n";

const IN_TURNS: &str = "In turns: both stand side by side, each with as many clients, and their \
bursts alternate, some every tenth of a second. What the machine does for longer than a turn it \
does to both; so this is what the ratios to the floor are told by. Rates and shares are of the \
time that each one's market had.\n\n";

/// The whole text.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from("# Fan-out, measured\n\n");
    machine(&mut text, results);
    let _ = writeln!(text, "\n{READING}");
    for name in NAMES {
        let cells: Vec<&CellResults> = results.of(name).collect();
        let Some(first) = cells.first() else { continue };
        let is_row = first.cell.published.is_some();
        match name {
            "W3" => idle(&mut text, first),
            "G1" => growth(&mut text, &cells),
            _ if is_row => {}
            _ => cells.iter().for_each(|cell| flow(&mut text, cell)),
        }
    }
    rows::add(&mut text, results);
    notes::not_counted(&mut text, results);
    notes::remarks(&mut text, results);
    text.push_str(&aims::markdown(results));
    text
}

fn machine(text: &mut String, results: &Results) {
    let machine = &results.machine;
    let _ = writeln!(
        text,
        "{}, {} cores, {} MiB, Linux {}, governor {}, {} descriptors a process. Servers run on one \
         core, feed and load on the other.\n",
        machine.cpu,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.governor,
        machine.descriptors
    );
    notes::sessions(text, results);
}

fn title(text: &mut String, results: &CellResults) {
    let cell = &results.cell;
    let market = cell.market;
    let _ =
        write!(text, "\n## {}: {}\n\n{} connections, ", cell.name, cell.shows, cell.connections);
    let _ = match market.is_quiet() {
        true => writeln!(text, "{}, no ticks.\n", cell.symbols_text()),
        false => writeln!(
            text,
            "{}, {} ticks every {} ms.\n",
            cell.symbols_text(),
            market.burst * market.repeats,
            market.every_us as f64 / 1e3
        ),
    };
    if cell.in_turns {
        text.push_str(IN_TURNS);
    }
}

/// Servers by their cost: those that count, or those that got everything to everyone but do not.
fn ordered<'a>(
    results: &'a CellResults,
    counted: bool,
    by: impl Fn(&Figures) -> Option<f64>,
) -> Vec<Summary<'a>> {
    let mut all = summaries(results);
    all.retain(|summary| summary.is_complete() && summary.counts() == counted);
    let key = |summary: &Summary| summary.spread(&by).map_or(f64::MAX, |spread| spread.median);
    all.sort_by(|a, b| key(a).total_cmp(&key(b)));
    all
}

/// Numbers that stand alone must not look like the others.
fn without_floor(text: &mut String, cells: &[&CellResults]) {
    let without = cells.iter().filter(|cell| floor_of(cell).is_none());
    let names: Vec<&str> = without.map(|cell| cell.cell.name.as_str()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        let _ = writeln!(
            text,
            "**No floor was measured: nothing of {names} was compared with one, \
                                and nothing of it counts.**\n"
        );
    }
}

fn flow(text: &mut String, results: &CellResults) {
    title(text, results);
    without_floor(text, &[results]);
    let floor = floor_of(results).unwrap_or("floor");
    let head = format!(
        "| server | CPU µs an update | over {floor} | µs a send | updates/s | of its core | p50 | \
         p99 | p99.9 | last p50 | last p99 | rounds |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    text.push_str(&head);
    for summary in ordered(results, true, Figures::cpu_us_per_tick) {
        flow_row(text, &summary);
    }
    let others = ordered(results, false, Figures::cpu_us_per_tick);
    if !others.is_empty() {
        let _ = write!(text, "\nEverything to everyone, but not as the floor does it:\n\n{head}");
        others.iter().for_each(|summary| flow_row(text, summary));
    }
    classes(text, results);
}

fn flow_row(text: &mut String, summary: &Summary) {
    let latency = |of: fn(&Latency) -> f64| {
        short(summary.late_spread(|figures| figures.latency_us.as_ref().map(of)), 1e-3)
    };
    let last = |of: fn(&Latency) -> f64| {
        short(summary.late_spread(|figures| figures.last_us.as_ref().map(of)), 1e-3)
    };
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} % | {} | {} | {} | {} | {} | {}/{} |",
        summary.server,
        long(summary.spread(Figures::cpu_us_per_tick)),
        long(summary.ratio(Figures::cpu_us_per_tick)),
        short(summary.spread(Figures::cpu_us_per_send), 1.0),
        whole(summary.spread(|figures| Some(figures.ticks_per_s()))),
        whole(summary.spread(|figures| Some(100.0 * figures.server_share()))),
        latency(|l| l.p50),
        latency(|l| l.p99),
        latency(|l| l.p999),
        last(|l| l.p50),
        last(|l| l.p99),
        summary.valid_count(),
        summary.rounds
    );
}

/// Clients of each kind at the window's start and its end, of the last round.
fn classes(text: &mut String, results: &CellResults) {
    if results.cell.troubles == Troubles::default() {
        return;
    }
    text.push_str("\n| clients, start → end | reading | slow | stalled | came and went |\n");
    text.push_str("|---|---:|---:|---:|---:|\n");
    for server in results.servers() {
        let Some((_, figures)) = results.figures(server).last() else { continue };
        let Classes { reading, slow, stalled } = figures.classes;
        let pair = |class: StartEnd| format!("{} → {}", class.start, class.end);
        let (reading, slow, stalled) = (pair(reading), pair(slow), pair(stalled));
        let churned = figures.churned;
        let _ = writeln!(text, "| {server} | {reading} | {slow} | {stalled} | {churned} |");
    }
}

fn idle(text: &mut String, results: &CellResults) {
    title(text, results);
    text.push_str(
        "Memory is what it grew by for each connection; of the kernel, both ends together. The \
         connect ratio is to a bare loop of accept, receive and answer. Connects/s is what the \
         load asked for at its pace, and beside it what the CPU of one core would do.\n\n\
         | server | process bytes | slab bytes | TCP buffers | at rest, of a core | CPU µs a \
         connect | over the bare loop | connects/s | connects/s of one core | rounds |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for summary in ordered(results, true, |figures| Some(figures.process_bytes)) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} % | {} | {} | {} | {} | {}/{} |",
            summary.server,
            whole(summary.spread(|figures| Some(figures.process_bytes))),
            whole(summary.spread(|figures| Some(figures.slab_bytes))),
            whole(summary.spread(|figures| Some(figures.tcp_bytes))),
            short(summary.spread(|figures| Some(100.0 * figures.server_share())), 1.0),
            short(summary.spread(|figures| Some(figures.connect_cpu_us)), 1.0),
            long(connect_ratio(results, summary.server)),
            whole(summary.spread(|figures| Some(figures.connects_per_s))),
            whole(summary.spread(Figures::connects_per_s_of_a_core)),
            summary.valid_count(),
            summary.rounds
        );
    }
}

fn growth(text: &mut String, cells: &[&CellResults]) {
    let _ = writeln!(
        text,
        "\n## G1: how cost grows\n\nW2 with one number changed at a time, by connections with \
         bursts so far apart that each point has 100,000 sends a second: CPU µs an update. A \
         star: too few rounds count.\n"
    );
    without_floor(text, cells);
    let mut servers: Vec<&str> = Vec::new();
    for server in cells.iter().flat_map(|cell| cell.servers()) {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    let rule = "---:|".repeat(servers.len());
    let _ = writeln!(text, "| | {} |\n|---|{rule}", servers.join(" | "));
    for cell in cells {
        let _ = write!(text, "| {} |", cell.cell.name.trim_start_matches("G1 "));
        for server in &servers {
            let summary = Summary::new(cell, server);
            let cost = summary.is_complete().then(|| summary.spread(Figures::cpu_us_per_tick));
            let is_told = cost.flatten().is_some() && !summary.counts();
            let mark = if is_told { " *" } else { "" };
            let _ = write!(text, " {}{mark} |", long(cost.flatten()));
        }
        text.push('\n');
    }
}

/// The median, with the least and the most behind it.
pub fn long(spread: Option<Spread>) -> String {
    match spread {
        None => "–".into(),
        Some(Spread { median, min, max, count: 2.. }) => {
            format!("{median:.3} ({min:.3}–{max:.3})")
        }
        Some(spread) => format!("{:.3}", spread.median),
    }
}

fn short(spread: Option<Spread>, unit: f64) -> String {
    spread.map_or("–".into(), |spread| format!("{:.2}", spread.median * unit))
}

fn whole(spread: Option<Spread>) -> String {
    spread.map_or("–".into(), |spread| format!("{:.0}", spread.median))
}
