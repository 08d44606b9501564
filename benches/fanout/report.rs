//! `results.md`: the tables that people read.

use crate::aims;
use crate::load::{Classes, StartEnd};
use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Results, Run};
use crate::stats::Spread;
use crate::verdict::{Summary, connect_ratio, floor_of, summaries};
use crate::workload::{NAMES, Troubles};
use std::fmt::Write;

const READING: &str = "CPU is user and system time of the server's process tree, and of its core's \
ksoftirqd, to which the kernel leaves a part of what a send is, over the counting window, by update \
delivered. \"Over the floor\" is the median of the ratios to the floor of the \
same round, with the least and the most of them: that is the noise. A round counts only where \
every client got every `sq`, in as many sends as the floor's and at no more than 1.1 times its \
p99; what does not count stands apart. Latencies are from the scheduled instant of the tick to the \
client's read, in ms. \"Last\" is from that instant until the last client had it.\n";

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
            _ => flow(&mut text, first),
        }
    }
    rows(&mut text, results);
    not_counted(&mut text, results);
    remarks(&mut text, results);
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
    text.push_str("| workloads | commit | date | command | rounds of |\n|---|---|---|---|---|\n");
    let mut sessions: Vec<(String, Vec<&str>)> = Vec::new();
    for cell in &results.cells {
        let session = &cell.session;
        let window = session.plan.window.as_secs_f64();
        let line =
            format!("{} | {} | `{}` | {window} s", session.commit, session.date, session.command);
        let workload = cell.cell.workload.as_str();
        match sessions.iter_mut().find(|(other, _)| *other == line) {
            Some((_, names)) if names.contains(&workload) => {}
            Some((_, names)) => names.push(workload),
            None => sessions.push((line, vec![workload])),
        }
    }
    for (line, names) in sessions {
        let _ = writeln!(text, "| {} | {line} |", names.join(", "));
    }
}

fn title(text: &mut String, results: &CellResults) {
    let cell = &results.cell;
    let market = cell.market;
    let _ = write!(
        text,
        "\n## {}: {}\n\n{} connections, ",
        cell.workload, cell.shows, cell.connections
    );
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

fn flow(text: &mut String, results: &CellResults) {
    title(text, results);
    let floor = floor_of(results).unwrap_or("floor");
    let head = format!(
        "| server | CPU µs an update | over {floor} | updates/s | of its core | p50 | p99 | \
         p99.9 | last p50 | last p99 | rounds |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
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
        short(summary.spread(|figures| figures.latency_us.as_ref().map(of)), 1e-3)
    };
    let last = |of: fn(&Latency) -> f64| {
        short(summary.spread(|figures| figures.last_us.as_ref().map(of)), 1e-3)
    };
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} % | {} | {} | {} | {} | {} | {}/{} |",
        summary.server,
        long(summary.spread(Figures::cpu_us_per_tick)),
        long(summary.ratio(Figures::cpu_us_per_tick)),
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
         connect ratio is to a bare loop of accept, receive and answer.\n\n\
         | server | process bytes | slab bytes | TCP buffers | at rest, of a core | CPU µs a \
         connect | over the bare loop | connects/s | rounds |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for summary in ordered(results, true, |figures| Some(figures.process_bytes)) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} % | {} | {} | {} | {}/{} |",
            summary.server,
            whole(summary.spread(|figures| Some(figures.process_bytes))),
            whole(summary.spread(|figures| Some(figures.slab_bytes))),
            whole(summary.spread(|figures| Some(figures.tcp_bytes))),
            short(summary.spread(|figures| Some(100.0 * figures.server_share())), 1.0),
            short(summary.spread(|figures| Some(figures.connect_cpu_us)), 1.0),
            long(connect_ratio(results, summary.server)),
            whole(summary.spread(|figures| Some(figures.connects_per_s))),
            summary.valid_count(),
            summary.rounds
        );
    }
}

fn growth(text: &mut String, cells: &[&CellResults]) {
    let _ = writeln!(
        text,
        "\n## G1: how cost grows\n\nW2 with one number changed at a time: CPU µs an update.\n"
    );
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
            let _ = write!(text, " {} |", long(cost.flatten()));
        }
        text.push('\n');
    }
}

/// L1 to L6 and M1: users at a published latency.
fn rows(text: &mut String, results: &Results) {
    let cells: Vec<_> = results.cells.iter().filter(|c| c.cell.published.is_some()).collect();
    if cells.is_empty() {
        return;
    }
    text.push_str(
        "\n## Users at a published latency\n\n\
         The number of users is what Tapecast carries on one core at the published mean latency, \
         at most what descriptors allow; where that binds, the rate for each is raised by whole \
         factors instead. A message of M1 is a frame of four quotes of one symbol, 512 bytes \
         together; updates are quotes, and what was published are messages. A star: everything to \
         everyone, but later than 1.1 times the floor's p99, or merged.\n\n\
         | | server | users | updates/s each | updates/s | mean ms | p99 ms | CPU µs an update | \
         over the floor | published | there, a second and core | here to there | rounds |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|\n",
    );
    for results in cells {
        let Some(published) = &results.cell.published else { continue };
        // Where several updates make one message, messages are what was published.
        let there = aims::published_updates_per_core(published);
        let a_message = results.cell.market.repeats as f64;
        let each = results.cell.market.updates_per_second(results.cell.symbols_each());
        let mut servers = ordered(results, true, Figures::cpu_us_per_tick);
        servers.extend(ordered(results, false, Figures::cpu_us_per_tick));
        for summary in servers {
            let mark = if summary.counts() { "" } else { " *" };
            let updates = summary.spread(|figures| Some(figures.ticks_per_s()));
            let latency = |of: fn(&Latency) -> f64| {
                short(summary.spread(|figures| figures.latency_us.as_ref().map(of)), 1e-3)
            };
            let _ = writeln!(
                text,
                "| {} | {}{mark} | {} | {each:.0} | {} | {} | {} | {} | {} | {}: {} users, {} ms | \
                 {there:.0} | {} | {}/{} |",
                results.cell.name,
                summary.server,
                results.cell.connections,
                whole(updates),
                latency(|l| l.mean),
                latency(|l| l.p99),
                long(summary.spread(Figures::cpu_us_per_tick)),
                long(summary.ratio(Figures::cpu_us_per_tick)),
                published.by,
                published.users,
                published.mean_ms,
                updates.map_or("–".into(), |u| format!("{:.1}", u.median / a_message / there)),
                summary.valid_count(),
                summary.rounds
            );
        }
    }
}

fn not_counted(text: &mut String, results: &Results) {
    let mut lines = String::new();
    for cell in &results.cells {
        for summary in summaries(cell) {
            for (round, why) in &summary.invalid {
                let run =
                    cell.runs.iter().find(|r| r.round == *round && r.server == summary.server);
                let got = run.map_or(String::new(), cost);
                let server = summary.server;
                let why = why.replace('|', "/");
                let _ =
                    writeln!(lines, "| {} | {server} | {round} | {why} | {got} |", cell.cell.name);
            }
        }
    }
    if !lines.is_empty() {
        text.push_str("\n## Rounds that do not count\n\n");
        text.push_str("| | server | round | why | CPU µs an update |\n|---|---|---:|---|---:|\n");
        text.push_str(&lines);
    }
}

fn cost(run: &Run) -> String {
    let figures = run.figures().and_then(Figures::cpu_us_per_tick);
    figures.map_or("–".into(), |cost| format!("{cost:.3}"))
}

fn remarks(text: &mut String, results: &Results) {
    let mut lines = String::new();
    for cell in &results.cells {
        for summary in summaries(cell) {
            for remark in summary.remarks() {
                let _ = writeln!(lines, "* {}, {}, {remark}", cell.cell.name, summary.server);
            }
        }
        for step in cell.search.iter().filter(|step| !step.carried) {
            let (users, raised) = (step.users, step.raised);
            let (mean, why) = (step.mean_ms, &step.why);
            let _ = writeln!(
                lines,
                "* {}: {users} users at {raised} times the rate were not carried: {why}, mean \
                 {mean:.2} ms",
                cell.cell.name
            );
        }
    }
    if !lines.is_empty() {
        let _ = write!(text, "\n## Remarks\n\n{lines}");
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
