//! Each shard against its limits, and how it keeps up.

use super::super::amounts::{count, micros, percent};
use super::super::page::{Page, Pane};
use super::paint::{Level, Paint};
use super::{part, section};
use crate::control::report::{Shard, Used};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table, Widget};

const LIMITS: [&str; 5] = ["sessions", "half-open", "descriptors", "inlet", "memory"];

/// Of shard and core: `127 on 127`.
const NAME_COLUMNS: u16 = 10;

/// Of `100%!!!`.
const PERCENT_COLUMNS: usize = 7;

/// A bar longer than this tells no more.
const BAR_COLUMNS_MAX: usize = 20;

/// Draws two tables of the same shards, one below the other; gives how many there is room for.
pub fn draw(page: &Page, area: Rect, buffer: &mut Buffer, paint: Paint) -> usize {
    if area.height == 0 {
        return 0;
    }
    // A rule, and two lines with names.
    let room = usize::from(area.height.saturating_sub(3) / 2);
    let shards = &page.shown.status.shards;
    let first = page.first_row(Pane::Shards, room);
    let title = format!("shards{}", part(first, room, shards.len()));
    let inside = section(title, Some(Pane::Shards), page, area, buffer, paint);
    let shown: Vec<&Shard> = shards.iter().skip(first).take(room).collect();
    let height = shown.len() as u16 + 1;
    let upper = Rect { height, ..inside }.intersection(inside);
    let lower = Rect { y: inside.y.saturating_add(height), height, ..inside };
    limits(&shown, area.width, paint).render(upper, buffer);
    progress(&shown, paint).render(lower.intersection(inside), buffer);
    room
}

fn limits<'a>(shards: &[&'a Shard], columns: u16, paint: Paint) -> Table<'a> {
    // A blank stands between columns.
    let each = (columns.saturating_sub(NAME_COLUMNS) / 5).saturating_sub(1);
    let bar = usize::from(each).saturating_sub(PERCENT_COLUMNS + 1).min(BAR_COLUMNS_MAX);
    let rows = shards.iter().map(|shard| {
        let limits = &shard.limits;
        let all = [
            limits.sessions,
            limits.half_open,
            limits.descriptors,
            limits.inlet,
            limits.memory_bytes,
        ];
        let name = Cell::from(format!("{} on {}", shard.shard, shard.core));
        Row::new([name].into_iter().chain(all.map(|used| gauge(used, bar, paint))))
    });
    let names = ["# on core"].into_iter().chain(LIMITS);
    let widths = [NAME_COLUMNS].into_iter().chain([each; 5]).map(Constraint::Length);
    Table::new(rows, widths).header(Row::new(names).style(paint.names()))
}

/// `███····  42%`, with marks behind it near the limit.
fn gauge(used: Used, columns: usize, paint: Paint) -> Cell<'static> {
    let Some(percent) = percent(used) else { return Cell::from("no limit") };
    let level = Level::of_percent(percent);
    let full = (percent.min(100) as usize * columns).div_ceil(100);
    let bar = "█".repeat(full) + &"·".repeat(columns - full);
    let told = format!(" {:>4}{}", format!("{}%", percent.min(999)), level.mark());
    let told_style = if level == Level::Calm { Style::new() } else { paint.level(level) };
    Cell::from(Line::from(vec![
        Span::styled(bar, paint.level(level)),
        Span::styled(told, told_style),
    ]))
}

fn progress<'a>(shards: &[&'a Shard], paint: Paint) -> Table<'a> {
    let right = |text: String| Cell::from(Line::from(text).right_aligned());
    let rows = shards.iter().map(|shard| {
        let latency = shard.latency_us;
        let times = [
            shard.turn_lag_us,
            shard.tick_lag_us,
            latency.p50,
            latency.p90,
            latency.p99,
            latency.max,
        ];
        let cells = [
            right(shard.shard.to_string()),
            alarming(&shard.state, &["turning", "sleeping"], paint),
            alarming(&shard.breaker, &["normal"], paint),
        ];
        let cells = cells.into_iter().chain(times.map(|time| right(micros(time))));
        let last = [right(count(shard.lagging)), notes(shard, paint)];
        Row::new(cells.chain(last))
    });
    let names =
        ["#", "state", "breaker", "turn", "tick", "p50", "p90", "p99", "max", "lagging", "notes"];
    let is_number = |at: usize| at == 0 || (3..=9).contains(&at);
    let names = names.into_iter().enumerate().map(|(at, name)| match is_number(at) {
        true => Cell::from(Line::from(name).right_aligned()),
        false => Cell::from(name),
    });
    let widths = [3, 8, 7, 5, 5, 5, 5, 5, 5, 7].map(Constraint::Length);
    let widths = widths.into_iter().chain([Constraint::Fill(1)]);
    Table::new(rows, widths).header(Row::new(names).style(paint.names()))
}

/// A word that is one of the good ones, or stands out.
fn alarming<'a>(word: &'a str, good: &[&str], paint: Paint) -> Cell<'a> {
    match good.contains(&word) {
        true => Cell::from(word),
        false => Cell::from(Span::styled(word.to_uppercase(), paint.alarm())),
    }
}

/// What is seldom so.
fn notes(shard: &Shard, paint: Paint) -> Cell<'static> {
    let mut notes = Vec::new();
    if shard.lag_refuses {
        notes.push("LATE".to_string());
    }
    if shard.restarts > 0 {
        notes.push(format!("{} restarts", shard.restarts));
    }
    if shard.window_ms > 0 {
        notes.push(format!("batches of {} ms", shard.window_ms));
    }
    Cell::from(Span::styled(notes.join(", "), paint.alarm()))
}
