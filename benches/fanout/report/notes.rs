//! Whence the numbers are, and what is to be known beside them.

use crate::measure::Figures;
use crate::results::{Results, Run, Session};
use crate::verdict::summaries;
use std::fmt::Write;

/// A line for cells of the same commit, day and settings.
pub fn sessions(text: &mut String, results: &Results) {
    text.push_str(
        "| cells | commit | date | flags of Tapecast | command | warm-up, window |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut sessions: Vec<(String, Vec<&str>)> = Vec::new();
    for cell in &results.cells {
        let line = session(&cell.session);
        match sessions.iter_mut().find(|(other, _)| *other == line) {
            Some((_, names)) => names.push(&cell.cell.name),
            None => sessions.push((line, vec![&cell.cell.name])),
        }
    }
    for (line, names) in sessions {
        let _ = writeln!(text, "| {} | {line} |", names.join(", "));
    }
}

fn session(session: &Session) -> String {
    let Session { commit, date, command, plan, .. } = session;
    let flags = match plan.tapecast_flags.as_str() {
        "" => "–".to_string(),
        flags => format!("`{flags}`"),
    };
    let day = date.split_once(' ').map_or(date.as_str(), |(day, _)| day);
    let (warmup, window) = (plan.warmup.as_secs_f64(), plan.window.as_secs_f64());
    format!("{commit} | {day} | {flags} | `{command}` | {warmup} s, {window} s")
}

pub fn not_counted(text: &mut String, results: &Results) {
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

pub fn remarks(text: &mut String, results: &Results) {
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
