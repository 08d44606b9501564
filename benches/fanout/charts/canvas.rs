//! A drawing surface with a few words: lines, boxes and text, in the colours that mean something.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;
use std::path::Path;

pub const PAPER: RGBColor = RGBColor(250, 249, 246);
pub const TEXT: RGBColor = RGBColor(33, 37, 41);
pub const FAINT: RGBColor = RGBColor(105, 112, 120);
pub const RULE: RGBColor = RGBColor(222, 220, 214);

/// Height of a footnote.
pub const NOTE: i32 = 18;

/// Who it is that something belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ink {
    Ours,
    Floor,
    Peer,
}

impl Ink {
    /// Pale where it does not count.
    pub fn color(self, counts: bool) -> RGBColor {
        match (self, counts) {
            (Ink::Ours, true) => RGBColor(200, 80, 20),
            (Ink::Ours, false) => RGBColor(232, 180, 152),
            (Ink::Floor, true) => RGBColor(90, 96, 105),
            (Ink::Floor, false) => RGBColor(184, 188, 194),
            (Ink::Peer, true) => RGBColor(60, 120, 180),
            (Ink::Peer, false) => RGBColor(160, 184, 208),
        }
    }
}

/// Where a text is held.
#[derive(Debug, Clone, Copy)]
pub enum Hold {
    Left,
    Middle,
    Right,
}

pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl<'a> Canvas<'a> {
    /// With its background, its title and a line below that says what is shown.
    pub fn new(
        path: &'a Path,
        (width, height): (u32, u32),
        title: &str,
        subtitle: &str,
    ) -> io::Result<Canvas<'a>> {
        let area = SVGBackend::new(path, (width, height)).into_drawing_area();
        area.fill(&PAPER).map_err(io::Error::other)?;
        let canvas = Canvas { area };
        canvas.text((20, 26), title, 18, TEXT, Hold::Left)?;
        canvas.text((20, 49), subtitle, 13, FAINT, Hold::Left)?;
        Ok(canvas)
    }

    /// Its middle is at the height of the place.
    pub fn text(
        &self,
        at: (i32, i32),
        text: &str,
        size: i32,
        color: RGBColor,
        hold: Hold,
    ) -> io::Result<()> {
        let side = match hold {
            Hold::Left => HPos::Left,
            Hold::Middle => HPos::Center,
            Hold::Right => HPos::Right,
        };
        let font = ("sans-serif", size).into_font();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(side, VPos::Center));
        self.area.draw(&Text::new(text.to_string(), at, style)).map_err(io::Error::other)
    }

    pub fn line(&self, points: &[(i32, i32)], color: RGBColor, width: u32) -> io::Result<()> {
        let path = PathElement::new(points.to_vec(), color.stroke_width(width));
        self.area.draw(&path).map_err(io::Error::other)
    }

    /// Downwards, in dashes.
    pub fn dashed(&self, x: i32, (top, bottom): (i32, i32), color: RGBColor) -> io::Result<()> {
        (top..bottom)
            .step_by(8)
            .try_for_each(|y| self.line(&[(x, y), (x, (y + 4).min(bottom))], color, 1))
    }

    pub fn filled(&self, corners: [(i32, i32); 2], color: RGBColor) -> io::Result<()> {
        self.area.draw(&Rectangle::new(corners, color.filled())).map_err(io::Error::other)
    }

    pub fn dot(&self, at: (i32, i32), radius: i32, color: RGBColor) -> io::Result<()> {
        self.area.draw(&Circle::new(at, radius, color.filled())).map_err(io::Error::other)
    }

    /// From the least to the most of the rounds, both with a stroke across.
    pub fn whisker(&self, [from, to]: [(i32, i32); 2], color: RGBColor) -> io::Result<()> {
        self.line(&[from, to], color, 1)?;
        let (wide, high) = if from.1 == to.1 { (0, 4) } else { (3, 0) };
        [from, to].into_iter().try_for_each(|(x, y)| {
            self.line(&[(x - wide, y - high), (x + wide, y + high)], color, 1)
        })
    }

    /// Footnotes, a line each.
    pub fn notes(&self, top: i32, notes: &[String]) -> io::Result<()> {
        (top..)
            .step_by(NOTE as usize)
            .zip(notes)
            .try_for_each(|(y, note)| self.text((20, y), note, 12, FAINT, Hold::Left))
    }

    pub fn finish(self) -> io::Result<()> {
        self.area.present().map_err(io::Error::other)
    }
}
