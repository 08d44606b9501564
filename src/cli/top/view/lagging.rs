//! Who does not keep up.

use super::super::amounts::{bytes, count, millis, seconds};
use super::super::page::{Page, Pane};
use super::paint::Paint;
use super::{part, section};
use crate::control::report::Session;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table, Widget, Wrap};

/// From so many columns on there is room for what is less telling.
const WIDE_COLUMNS: u16 = 98;

/// Gives how many of them there is room for.
pub fn draw(page: &Page, area: Rect, buffer: &mut Buffer, paint: Paint) -> usize {
    if area.height == 0 {
        return 0;
    }
    let room = usize::from(area.height.saturating_sub(2));
    let first = page.first_row(Pane::Lagging, room);
    let inside = section(title(page, first, room), Some(Pane::Lagging), page, area, buffer, paint);
    if let Err(error) = &page.shown.lagging {
        let text = format!("not known: {error}");
        Paragraph::new(text).wrap(Wrap { trim: true }).style(paint.alarm()).render(inside, buffer);
        return room;
    }
    let sessions = page.lagging();
    if sessions.is_empty() {
        Line::from("nobody lags").render(inside, buffer);
        return room;
    }
    let is_wide = area.width >= WIDE_COLUMNS;
    let rows = sessions.into_iter().skip(first).take(room).map(|session| row(session, is_wide));
    let columns = columns(is_wide);
    let header = columns.iter().map(|(name, columns)| cell(name.to_string(), *columns));
    let header = Row::new(header).style(paint.names());
    let widths = columns.iter().map(|(_, columns)| Constraint::Length(columns.unsigned_abs()));
    Table::new(rows, widths).header(header).render(inside, buffer);
    room
}

fn title(page: &Page, first: usize, room: usize) -> String {
    let Ok(list) = &page.shown.lagging else { return "lagging".to_string() };
    let mut title = format!("lagging {}", count(list.total));
    if list.total > 0 {
        title += &format!(", by {}", page.sort.words());
        title += &part(first, room, list.sessions.len());
    }
    if !list.silent_shards.is_empty() {
        let silent: Vec<String> = list.silent_shards.iter().map(usize::to_string).collect();
        title += &format!("; NO ANSWER of shard {}", silent.join(", "));
    }
    if list.truncated {
        title += &format!("; the {} furthest behind", list.sessions.len());
    }
    title
}

/// Names and widths; negative where it is aligned to the right.
fn columns(is_wide: bool) -> Vec<(&'static str, i16)> {
    let mut columns = vec![
        ("session", 16),
        ("shard", -5),
        ("address", 21),
        ("age", -8),
        ("behind", -7),
        ("stalled", -8),
        ("unsent", -8),
    ];
    if is_wide {
        columns.extend([("symbols", -7), ("state", 10)]);
    }
    columns
}

fn row(session: &Session, is_wide: bool) -> Row<'static> {
    let texts = [
        session.session.clone(),
        session.shard.to_string(),
        session.address.clone().unwrap_or_else(|| "-".to_string()),
        seconds(session.age_s as f64),
        count(session.behind_ticks),
        session.behind_ms.map_or("-".to_string(), millis),
        bytes(session.unsent_bytes),
        count(session.symbols),
        session.state.to_string(),
    ];
    let columns = columns(is_wide);
    Row::new(columns.into_iter().zip(texts).map(|((_, columns), text)| cell(text, columns)))
}

fn cell(text: String, columns: i16) -> Cell<'static> {
    let line = Line::from(text);
    Cell::from(if columns < 0 { line.right_aligned() } else { line })
}
