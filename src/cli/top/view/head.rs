//! The first lines: what runs, how it is, and what goes through it; and the last one, about keys.

use super::super::amounts::{bytes, count, percent, reasons, seconds};
use super::super::page::Page;
use super::paint::{Level, Paint};
use crate::control::report::Used;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::time::Instant;

/// Parts in as many lines as they need.
pub fn lines(page: &Page, columns: u16, paint: Paint) -> Vec<Line<'static>> {
    let mut parts = who(page, paint);
    parts.extend(how_much(page, paint));
    flow(parts, columns)
}

/// What runs, and whether it is well.
fn who(page: &Page, paint: Paint) -> Vec<Span<'static>> {
    let status = &page.shown.status;
    let plain = |text: String| Span::raw(text);
    let state = match &*status.state {
        "serving" => plain("serving".into()),
        other => Span::styled(other.to_uppercase(), paint.alarm()),
    };
    let ready = match status.ready {
        true => plain("ready".into()),
        false => {
            let text = format!("NOT READY: {}", status.reasons.join("; "));
            Span::styled(text, paint.alarm())
        }
    };
    let mut parts = vec![
        Span::styled(format!("tapecast {}", status.version), paint.title()),
        state,
        ready,
        plain(format!("up {}", seconds(status.uptime_s))),
    ];
    if page.is_paused {
        parts.push(Span::styled("PAUSED", paint.alarm()));
    }
    parts.push(plain(page.url.clone()));
    parts.push(plain(format!("ws://{}{}", status.stream.listen, status.stream.path)));
    parts
}

/// What goes through it.
fn how_much(page: &Page, paint: Paint) -> Vec<Span<'static>> {
    let totals = &page.shown.status.totals;
    let used = Used { used: totals.sessions, limit: totals.sessions_max };
    let share = percent(used).unwrap_or(0);
    let level = Level::of_percent(share);
    let of_limit = format!(
        "sessions {} of {} ({share}%{})",
        count(used.used),
        count(used.limit),
        level.mark()
    );
    let a_second = |rate: Option<f64>| rate.map_or("-".into(), |rate| count(rate.round() as u64));
    let rates = &page.rates;
    let mut out = format!("out {} updates/s", a_second(rates.items_out));
    if let Some(rate) = rates.bytes_out {
        out += &format!(" ({}/s)", bytes(rate as u64));
    }
    let mut refused = format!("refused {}", reasons(&totals.refused));
    let refuses = rates.refused.is_some_and(|rate| rate > 0.0);
    if refuses {
        refused += &format!(", {}/s now", a_second(rates.refused.map(f64::ceil)));
    }
    let warned = |is_warning: bool| if is_warning { paint.alarm() } else { Style::new() };
    vec![
        Span::styled(
            of_limit,
            if level == Level::Calm { Style::new() } else { paint.level(level) },
        ),
        Span::raw(format!("in {} ticks/s", a_second(rates.ticks_in))),
        Span::raw(out),
        Span::styled(refused, warned(refuses)),
        Span::raw(format!("closed {}", reasons(&totals.closed))),
        Span::raw(format!("lagging {}", count(totals.lagging))),
    ]
}

/// As many parts a line as fit, with two blanks between them.
fn flow(parts: Vec<Span<'static>>, columns: u16) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    for part in parts {
        let line = lines.last_mut().expect("it begins with one and none is taken away");
        let is_first = line.spans.is_empty();
        if is_first {
            line.push_span(part);
        } else if line.width() + 2 + part.width() <= usize::from(columns) {
            line.push_span("  ");
            line.push_span(part);
        } else {
            lines.push(Line::from(part));
        }
    }
    lines
}

/// That the server does not answer, since when, why, and how old the numbers are.
pub fn trouble(page: &Page, now: Instant) -> Option<String> {
    let trouble = page.trouble.as_ref()?;
    let since = seconds(now.duration_since(trouble.since).as_secs_f64());
    let age = seconds(now.duration_since(page.shown.at).as_secs_f64());
    Some(format!("NO ANSWER for {since}: {}. The numbers are {age} old.", trouble.why))
}

pub fn keys(page: &Page) -> Line<'static> {
    let pause = if page.is_paused { "p go on" } else { "p pause" };
    Line::from(format!("q quit  ? help  {pause}  s sort  Tab table  ↑ ↓ PgUp PgDn scroll"))
}
