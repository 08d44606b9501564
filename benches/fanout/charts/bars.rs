//! Lying bars, the shortest on top.

use super::canvas::{Canvas, FAINT, Hold, Ink, TEXT};
use crate::stats::Spread;
use std::io;
use std::path::Path;

const WIDTH: i32 = 860;
const ROW: i32 = 30;
const TOP: i32 = 84;

/// Where bars begin, and where the longest ends: beyond it is room for its numbers.
const LEFT: i32 = 140;
const RIGHT: i32 = 620;

/// A bar this many times as long as the shortest that is no floor's is cut off: the others would
/// vanish.
const CUT: f64 = 8.0;

pub struct Bars {
    pub title: String,
    pub subtitle: String,
    pub bars: Vec<Bar>,
    /// A value that goes through all of them, and its name.
    pub line: Option<(f64, String)>,
}

pub struct Bar {
    pub label: String,
    pub spread: Spread,
    pub text: String,
    pub ink: Ink,
}

impl Bars {
    pub fn draw(&self, path: &Path) -> io::Result<()> {
        let has_uncounted = self.bars.iter().any(|bar| bar.ink == Ink::Uncounted);
        let bottom = TOP + ROW * self.bars.len() as i32;
        let height = bottom + if has_uncounted { 40 } else { 16 };
        let size = (WIDTH as u32, height as u32);
        let canvas = Canvas::new(path, size, &self.title, &self.subtitle)?;
        let longest = self.longest();
        let at = |value: f64| LEFT + ((RIGHT - LEFT) as f64 * (value / longest).min(1.0)) as i32;
        for (row, bar) in self.bars.iter().enumerate() {
            let middle = TOP + ROW * row as i32 + ROW / 2;
            let line = self.line.as_ref().map_or(LEFT, |(value, _)| at(*value));
            bar.draw(&canvas, middle, (line, &at), bar.spread.median > longest)?;
        }
        if let Some((value, name)) = &self.line {
            canvas.dashed(at(*value), (TOP - 6, bottom), TEXT)?;
            canvas.text((at(*value), TOP - 14), name, 12, FAINT, Hold::Middle)?;
        }
        if has_uncounted {
            let note = "* all got everything, but later than 1.1 times the floor's p99, or merged";
            canvas.text((20, bottom + 20), note, 12, FAINT, Hold::Left)?;
        }
        canvas.finish()
    }

    /// What the whole width stands for; never nothing.
    fn longest(&self) -> f64 {
        let values = || self.bars.iter().map(|bar| bar.spread.median);
        let shortest = self.bars.iter().find(|bar| bar.ink != Ink::Floor);
        let cut = CUT * shortest.map_or(f64::MAX, |bar| bar.spread.median.max(1e-9));
        values().fold(1e-9, f64::max).min(cut)
    }
}

impl Bar {
    fn draw(
        &self,
        canvas: &Canvas,
        middle: i32,
        (line, at): (i32, &dyn Fn(f64) -> i32),
        is_cut: bool,
    ) -> io::Result<()> {
        let end = at(self.spread.median);
        canvas.text((LEFT - 10, middle), &self.label, 14, TEXT, Hold::Right)?;
        canvas.filled([(LEFT, middle - 9), (end, middle + 9)], self.ink.color())?;
        let mut text_at = end;
        if is_cut {
            canvas.text((end + 4, middle), "…", 14, TEXT, Hold::Left)?;
            text_at += 16;
        } else if self.spread.count > 1 {
            let (least, most) = (at(self.spread.min), at(self.spread.max));
            canvas.line(&[(least, middle), (most, middle)], TEXT, 1)?;
            for x in [least, most] {
                canvas.line(&[(x, middle - 4), (x, middle + 4)], TEXT, 1)?;
            }
            text_at = text_at.max(most);
        }
        // Not across the line that goes through all.
        canvas.text((text_at.max(line) + 8, middle), &self.text, 13, TEXT, Hold::Left)
    }
}
