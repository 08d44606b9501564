//! Draws a page into a buffer of any size.
//!
//! Must not know a terminal, a clock or the network: what it needs is in its arguments. A section
//! that has no room is left out, the less telling ones first ([`plan`]); nothing is told by colour
//! alone. The entries are [`draw`], for a screen, and [`text`], for all that there is.

mod feeds;
mod head;
mod help;
mod lagging;
mod latency;
mod paint;
mod plan;
mod shards;

pub use paint::Paint;

use super::page::{Page, Pane, Rows};
use plan::{Heights, Section, Wants};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph, Widget, Wrap};
use std::time::Instant;

/// Draws what there is room for, and tells how many rows of each table that was.
pub fn draw(page: &Page, buffer: &mut Buffer, paint: Paint, now: Instant) -> Rows {
    let area = *buffer.area();
    let top = Top::of(page, area.width, paint, now);
    let heights = Heights::plan(area.height, top.wants(page));
    let visible = compose(page, top, buffer, heights, paint);
    if page.has_help {
        help::draw(buffer, paint);
    }
    visible
}

/// All of it as plain text, without what is of use on a screen only.
pub fn text(page: &Page, columns: u16, now: Instant) -> String {
    let paint = Paint { has_colours: false, has_keys: false };
    let top = Top::of(page, columns, paint, now);
    let heights = Heights::whole(top.wants(page));
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, heights.sum()));
    compose(page, top, &mut buffer, heights, paint);
    let mut text = String::new();
    for row in 0..buffer.area().height {
        let symbols = (0..columns).map(|column| buffer[(column, row)].symbol());
        text.push_str(symbols.collect::<String>().trim_end());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What stands above the tables, and takes as many rows as its text needs.
struct Top {
    trouble: Option<String>,
    trouble_rows: usize,
    head: Vec<Line<'static>>,
}

impl Top {
    fn of(page: &Page, columns: u16, paint: Paint, now: Instant) -> Top {
        let trouble = head::trouble(page, now);
        let trouble_rows = trouble_rows(trouble.as_deref(), columns);
        Top { trouble, trouble_rows, head: head::lines(page, columns, paint) }
    }

    fn wants(&self, page: &Page) -> Wants {
        let [lagging, shards, feeds] = page.rows();
        // An error takes a few lines.
        let lagging = if page.shown.lagging.is_err() { 3 } else { lagging };
        Wants { trouble: self.trouble_rows, head: self.head.len(), lagging, shards, feeds }
    }
}

fn trouble_rows(trouble: Option<&str>, columns: u16) -> usize {
    let Some(trouble) = trouble else { return 0 };
    // Wrapped at blanks, so a little less than all columns of a row are used.
    (trouble.chars().count() / usize::from(columns.saturating_sub(8).max(1)) + 1).min(3)
}

fn compose(page: &Page, top: Top, buffer: &mut Buffer, heights: Heights, paint: Paint) -> Rows {
    let area = *buffer.area();
    let mut row = area.y;
    let mut next = |section: Section| {
        let height = heights.of(section);
        row += height;
        Rect { y: row - height, height, ..area }
    };
    let first = next(Section::Trouble);
    Paragraph::new(top.head).render(next(Section::Head), buffer);
    let shards = shards::draw(page, next(Section::Shards), buffer, paint);
    let feeds = feeds::draw(page, next(Section::Feeds), buffer, paint);
    latency::draw(page, next(Section::Latency), buffer, paint);
    let lagging = lagging::draw(page, next(Section::Lagging), buffer, paint);
    head::keys(page).render(next(Section::Keys), buffer);
    if let Some(trouble) = top.trouble {
        buffer.set_style(area, paint.old());
        buffer.set_style(first, paint.fresh());
        let text = Paragraph::new(trouble).wrap(Wrap { trim: true }).style(paint.alarm());
        text.render(first, buffer);
    }
    [lagging, shards, feeds]
}

/// A rule with a title; gives what is below it. Marks what the arrow keys move.
fn section(
    title: String,
    pane: Option<Pane>,
    page: &Page,
    area: Rect,
    buffer: &mut Buffer,
    paint: Paint,
) -> Rect {
    let mark = if paint.has_keys && pane == Some(page.focus) { "▸" } else { "" };
    let title = Line::from(format!(" {mark}{title} ")).style(paint.title());
    let block = Block::new().borders(Borders::TOP).title(title);
    let inside = block.inner(area);
    block.render(area, buffer);
    inside
}

/// What of a table is shown, where that is not all: `, 3 to 9 of 40`.
fn part(first: usize, visible: usize, count: usize) -> String {
    match visible < count && visible > 0 {
        true => format!(", {} to {} of {count}", first + 1, first + visible),
        false => String::new(),
    }
}
