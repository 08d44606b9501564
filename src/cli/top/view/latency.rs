//! Tick to socket over the last minutes: the median, and one in a hundred.

use super::super::amounts::{micros, seconds};
use super::super::page::Page;
use super::paint::Paint;
use super::section;
use crate::control::report::{HISTORY_POINTS_MAX, Past};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Sparkline, Widget};

/// Of `max 1.2ms` and a blank on each side.
const NAME_COLUMNS: u16 = 11;

pub fn draw(page: &Page, area: Rect, buffer: &mut Buffer, paint: Paint) {
    if area.height == 0 {
        return;
    }
    let history = &page.shown.status.history;
    let span = history.first().map_or(0.0, |oldest| -oldest.t_s);
    let title = match history.is_empty() {
        true => "latency, tick to socket: known after some seconds".to_string(),
        false => format!("latency, tick to socket, of the last {}", seconds(span)),
    };
    let inside = section(title, None, page, area, buffer, paint);
    let upper = Rect { height: inside.height / 2, ..inside };
    let lower = Rect { y: inside.y + upper.height, ..upper };
    chart("p50", history, |past| past.p50_us, upper, buffer, paint);
    chart("p99", history, |past| past.p99_us, lower, buffer, paint);
}

/// The newest on the right; its scale ends at its largest value, which stands beside it.
fn chart(
    name: &str,
    history: &[Past],
    of: impl Fn(&Past) -> u64,
    area: Rect,
    buffer: &mut Buffer,
    paint: Paint,
) {
    let values: Vec<u64> = history.iter().map(of).collect();
    let (Some(last), Some(max)) = (values.last(), values.iter().max()) else { return };
    let told = [
        Line::from(format!("{name} {}", micros(*last))),
        Line::from(format!("max {}", micros(*max))),
    ];
    Paragraph::new(told.to_vec()).render(area, buffer);
    let columns = area.width.saturating_sub(NAME_COLUMNS);
    let each = usize::from(columns) / HISTORY_POINTS_MAX;
    let bars = values.iter().flat_map(|value| std::iter::repeat_n(*value, each.max(1)));
    let bars: Vec<u64> = bars.collect();
    let newest = &bars[bars.len().saturating_sub(usize::from(columns))..];
    let chart = Rect { x: area.x + NAME_COLUMNS, width: columns, ..area }.intersection(area);
    let sparkline = Sparkline::default().data(newest.iter().copied()).max((*max).max(1));
    sparkline.style(paint.names()).render(chart, buffer);
}
