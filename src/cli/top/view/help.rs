//! What keys do and what columns mean, above the page.

use super::paint::Paint;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

const TEXT: [&str; 20] = [
    "q Esc Ctrl-C  quit",
    "p             pause: ask no more, keep the numbers",
    "Tab           which table the next keys move (▸)",
    "↑ ↓ j k       scroll by a row",
    "PgUp PgDn     by what fits;  Home End",
    "s             sort who lags by another column",
    "",
    "bars     used of the limit; ! from 70 %, !! 85 %, !!! 95 %",
    "breaker  what memory does: normal, alert, refuse, shed",
    "turn     how late the shard's turns begin (p99)",
    "tick     age of ticks that it sends (p99); LATE: it is too",
    "         late and refuses new clients",
    "p50 max  tick to socket, of about the last minute",
    "behind   ticks that a client is owed",
    "stalled  since its socket took bytes at last",
    "unsent   bytes that wait, here and in the kernel",
    "updates  trades, quotes, bars, for one client each",
    "",
    "The README has the reasons of refusals and closes.",
    "Any key closes this.",
];

const COLUMNS: u16 = 64;

pub fn draw(buffer: &mut Buffer, paint: Paint) {
    let area = *buffer.area();
    let rows = TEXT.len() as u16 + 2;
    let middle: Rect = area.centered(Constraint::Length(COLUMNS), Constraint::Length(rows));
    let inside = middle.intersection(area);
    Clear.render(inside, buffer);
    let block = Block::bordered().title(Line::from(" help ").style(paint.title()));
    Paragraph::new(TEXT.map(Line::from).to_vec()).block(block).render(inside, buffer);
}
