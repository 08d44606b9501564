//! Lying bars, one below the other.

use super::canvas::{Canvas, FAINT, Hold, Ink, NOTE, PAPER, RULE, TEXT};
use super::{UNCOUNTED, WHISKERS, thousands};
use crate::stats::Spread;
use std::io;
use std::path::Path;

const WIDTH: i32 = 860;
const ROW: i32 = 30;
const TOP: i32 = 84;

/// Above each group but the first.
const GAP: i32 = 10;

/// Where bars begin, and where the longest ends: beyond it is room for its numbers.
const LEFT: i32 = 140;
const RIGHT: i32 = 590;

/// On a linear axis, a bar this many times as long as the shortest that is no floor's is broken
/// off: the others would vanish.
const CUT: f64 = 8.0;

pub struct Bars {
    pub title: String,
    pub subtitle: String,
    pub bars: Vec<Bar>,
    /// A value that goes through all of them, and its name.
    pub line: Option<(f64, String)>,
    pub scale: Scale,
    /// Beside those that what is drawn asks for.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    Linear,
    /// Of values too far apart for one length. There are dots in place of bars, since a bar on
    /// such an axis has no length that means anything.
    Log,
}

pub struct Bar {
    pub label: String,
    pub spread: Spread,
    pub text: String,
    pub ink: Ink,
    /// `false`: all got everything, but not as the floor does it. Drawn pale, with a star.
    pub counts: bool,
    pub begins_group: bool,
}

/// From values to places.
struct Across {
    least: f64,
    most: f64,
    scale: Scale,
}

impl Bars {
    pub fn draw(&self, path: &Path) -> io::Result<()> {
        let across = self.across();
        let (middles, bottom) = self.places();
        let notes = self.footnotes(&across);
        let axis_bottom = if self.scale == Scale::Log { bottom + 24 } else { bottom };
        let height = axis_bottom + 16 + NOTE * notes.len() as i32;
        let size = (WIDTH as u32, height as u32);
        let canvas = Canvas::new(path, size, &self.title, &self.subtitle)?;
        if self.scale == Scale::Log {
            across.axis(&canvas, bottom)?;
        }
        let line = self.line.as_ref().map_or(LEFT, |(value, _)| across.of(*value));
        for (bar, middle) in self.bars.iter().zip(middles) {
            bar.draw(&canvas, middle, line, &across)?;
        }
        if let Some((value, name)) = &self.line {
            canvas.dashed(across.of(*value), (TOP - 6, bottom), TEXT)?;
            canvas.text((across.of(*value), TOP - 14), name, 12, FAINT, Hold::Middle)?;
        }
        canvas.notes(axis_bottom + 16, &notes)?;
        canvas.finish()
    }

    /// The middle of each bar, and where the last one ends.
    fn places(&self) -> (Vec<i32>, i32) {
        let (mut middles, mut top) = (Vec::new(), TOP);
        for (at, bar) in self.bars.iter().enumerate() {
            top += if bar.begins_group && at > 0 { GAP } else { 0 };
            middles.push(top + ROW / 2);
            top += ROW;
        }
        (middles, top)
    }

    fn footnotes(&self, across: &Across) -> Vec<String> {
        let mut notes = Vec::new();
        if self.bars.iter().any(|bar| !bar.counts) {
            notes.push(format!("* {UNCOUNTED}"));
        }
        if self.bars.iter().any(|bar| bar.spread.count > 1 && !across.cuts(bar.spread.max)) {
            notes.push(WHISKERS.into());
        }
        if self.bars.iter().any(|bar| across.cuts(bar.spread.median)) {
            notes.push("// broken off: as long as its number says, not as it is drawn".into());
        }
        notes.extend(self.notes.iter().cloned());
        notes
    }

    /// What the width stands for; never nothing.
    fn across(&self) -> Across {
        let (scale, values) = (self.scale, || self.bars.iter().map(|bar| bar.spread));
        let most = values().map(|spread| spread.max).fold(1e-9, f64::max);
        if scale == Scale::Log {
            let least = values().map(|spread| spread.min.max(1.0)).fold(most, f64::min);
            return Across { least: 10f64.powf(least.log10().floor()), most: most * 1.1, scale };
        }
        let other = self.bars.iter().filter(|bar| bar.ink != Ink::Floor);
        let shortest = other.map(|bar| bar.spread.median.max(1e-9)).reduce(f64::min);
        let cut = CUT * shortest.unwrap_or(f64::MAX);
        let is_grouped = self.bars.iter().any(|bar| bar.begins_group);
        Across { least: 0.0, most: if is_grouped { most } else { most.min(cut) }, scale }
    }
}

impl Across {
    fn of(&self, value: f64) -> i32 {
        let share = match self.scale {
            Scale::Linear => value / self.most,
            Scale::Log => (value.max(1e-9) / self.least).ln() / (self.most / self.least).ln(),
        };
        LEFT + ((RIGHT - LEFT) as f64 * share.clamp(0.0, 1.0)) as i32
    }

    fn cuts(&self, value: f64) -> bool {
        value > self.most * (1.0 + 1e-9)
    }

    /// Powers of ten, below all bars.
    fn axis(&self, canvas: &Canvas, bottom: i32) -> io::Result<()> {
        let powers = (self.least.log10().round() as i32)..=(self.most.log10().floor() as i32);
        for mark in powers.map(|power| 10f64.powi(power)) {
            let x = self.of(mark);
            canvas.line(&[(x, TOP - 6), (x, bottom)], RULE, 1)?;
            canvas.text((x, bottom + 12), &thousands(mark), 12, FAINT, Hold::Middle)?;
        }
        Ok(())
    }
}

impl Bar {
    fn draw(&self, canvas: &Canvas, middle: i32, line: i32, across: &Across) -> io::Result<()> {
        let (end, color) = (across.of(self.spread.median), self.ink.color(self.counts));
        canvas.text((LEFT - 10, middle), &self.label, 14, TEXT, Hold::Right)?;
        match across.scale {
            Scale::Linear => canvas.filled([(LEFT, middle - 9), (end, middle + 9)], color)?,
            Scale::Log => {
                canvas.line(&[(LEFT, middle), (end, middle)], color, 1)?;
                canvas.dot((end, middle), 6, color)?;
            }
        }
        let mut text_at = end;
        if across.cuts(self.spread.median) {
            let stroke = |x: i32| [(x - 4, middle + 13), (x + 4, middle - 13)];
            canvas.line(&stroke(end - 28), PAPER, 5)?;
            canvas.line(&stroke(end - 31), TEXT, 1)?;
            canvas.line(&stroke(end - 25), TEXT, 1)?;
        } else if self.spread.count > 1 {
            let (least, most) = (across.of(self.spread.min), across.of(self.spread.max));
            canvas.whisker([(least, middle), (most, middle)], TEXT)?;
            text_at = text_at.max(most);
        }
        let star = if self.counts { "" } else { " *" };
        let text = format!("{}{star}", self.text);
        // Not across the line that goes through all, nor over the dot.
        canvas.text((text_at.max(line) + 10, middle), &text, 13, TEXT, Hold::Left)
    }
}
