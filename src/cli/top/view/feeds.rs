//! What comes in.

use super::super::amounts::{count, millis};
use super::super::page::{Page, Pane};
use super::paint::Paint;
use super::{part, section};
use crate::control::report::Feed;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table, Widget};

/// Gives how many feeds there is room for.
pub fn draw(page: &Page, area: Rect, buffer: &mut Buffer, paint: Paint) -> usize {
    if area.height == 0 {
        return 0;
    }
    let room = usize::from(area.height.saturating_sub(2));
    let feeds = &page.shown.status.feeds;
    let first = page.first_row(Pane::Feeds, room);
    let title = format!("feeds{}", part(first, room, feeds.len()));
    let inside = section(title, Some(Pane::Feeds), page, area, buffer, paint);
    let right = |text: &str| Cell::from(Line::from(text.to_string()).right_aligned());
    let names = ["ticks/s", "age", "ticks", "bad lines", "reconnects"].map(right);
    let header = [Cell::from("feed"), Cell::from("state")].into_iter().chain(names);
    let rows = feeds.iter().skip(first).take(room).map(|feed| row(feed, paint));
    let widths = [16, 9, 9, 9, 9, 9, 10].map(Constraint::Length);
    let table = Table::new(rows, widths).header(Row::new(header).style(paint.names()));
    table.render(inside, buffer);
    room
}

fn row(feed: &Feed, paint: Paint) -> Row<'_> {
    let right = |text: String| Cell::from(Line::from(text).right_aligned());
    let state = match &*feed.state {
        good @ ("live" | "ended") => Cell::from(good),
        other => Cell::from(Span::styled(other.to_uppercase(), paint.alarm())),
    };
    Row::new([
        Cell::from(feed.feed.as_str()),
        state,
        right(count(feed.rate.round() as u64)),
        right(feed.age_ms.map_or("-".into(), millis)),
        right(count(feed.ticks)),
        right(count(feed.bad_lines)),
        right(count(feed.reconnects)),
    ])
}
