//! Lines over a logarithmic axis, each named at its end.

use super::canvas::{Canvas, FAINT, Hold, Ink, NOTE, PAPER, RULE};
use super::{UNCOUNTED, WHISKERS};
use crate::stats::Spread;
use std::io;
use std::path::Path;

const WIDTH: u32 = 860;
const LEFT: i32 = 70;
const RIGHT: i32 = 700;
const TOP: i32 = 80;
const BOTTOM: i32 = 370;

/// Names at the lines' ends keep so much apart.
const NAME_GAP: i32 = 15;

/// A scale that spans more than this is logarithmic too.
const LINEAR_SPAN_MAX: f64 = 20.0;

pub struct Curves {
    pub title: String,
    pub subtitle: String,
    pub x: Axis,
    pub series: Vec<Series>,
}

/// Where it has marks, and what they say.
pub struct Axis {
    pub ticks: Vec<(f64, String)>,
}

pub struct Series {
    pub name: String,
    pub points: Vec<Point>,
    pub ink: Ink,
}

pub struct Point {
    pub x: f64,
    pub y: Spread,
    /// `false`: all got everything, but not as the floor does it. Drawn hollow.
    pub counts: bool,
    pub has_whisker: bool,
}

/// From values to heights.
struct Height {
    least: f64,
    most: f64,
    is_log: bool,
}

impl Curves {
    pub fn draw(&self, path: &Path) -> io::Result<()> {
        let notes = self.footnotes();
        let size = (WIDTH, (BOTTOM + 34) as u32 + (NOTE * notes.len() as i32) as u32);
        let canvas = Canvas::new(path, size, &self.title, &self.subtitle)?;
        let height = self.height();
        for value in height.marks() {
            let y = height.of(value);
            canvas.line(&[(LEFT, y), (RIGHT, y)], RULE, 1)?;
            canvas.text((LEFT - 8, y), &short(value), 12, FAINT, Hold::Right)?;
        }
        for (value, text) in &self.x.ticks {
            let x = self.across(*value);
            canvas.line(&[(x, BOTTOM), (x, BOTTOM + 5)], FAINT, 1)?;
            canvas.text((x, BOTTOM + 18), text, 12, FAINT, Hold::Middle)?;
        }
        canvas.line(&[(LEFT, BOTTOM), (RIGHT, BOTTOM)], FAINT, 1)?;
        // Ours on top of the others.
        let mut order: Vec<&Series> = self.series.iter().collect();
        order.sort_by_key(|series| series.ink == Ink::Ours);
        for series in &order {
            self.line(&canvas, &height, series)?;
        }
        self.names(&canvas, &height)?;
        canvas.notes(BOTTOM + 38, &notes)?;
        canvas.finish()
    }

    fn line(&self, canvas: &Canvas, height: &Height, series: &Series) -> io::Result<()> {
        let place = |point: &Point| (self.across(point.x), height.of(point.y.median));
        let points: Vec<(i32, i32)> = series.points.iter().map(place).collect();
        let (width, color) = (if series.ink == Ink::Ours { 3 } else { 2 }, series.ink.color(true));
        canvas.line(&points, color, width)?;
        for (point, at) in series.points.iter().zip(points) {
            if point.is_whiskered() {
                let ends = [point.y.min, point.y.max].map(|value| (at.0, height.of(value)));
                canvas.whisker(ends, color)?;
            }
            canvas.dot(at, 4, color)?;
            if !point.counts {
                canvas.dot(at, 2, PAPER)?;
            }
        }
        Ok(())
    }

    fn footnotes(&self) -> Vec<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let mut notes = Vec::new();
        if points().any(|point| !point.counts) {
            notes.push(format!("hollow, and * where all of a line are: {UNCOUNTED}"));
        }
        if points().any(Point::is_whiskered) {
            notes.push(WHISKERS.into());
        }
        notes
    }

    /// From the top downwards, pushed apart where lines end close together.
    fn names(&self, canvas: &Canvas, height: &Height) -> io::Result<()> {
        let end = |series: &Series| series.points.last().map(|point| height.of(point.y.median));
        let mut ends: Vec<(i32, &Series)> =
            self.series.iter().filter_map(|series| Some((end(series)?, series))).collect();
        ends.sort_by_key(|(y, _)| *y);
        let (mut next, mut left) = (TOP, ends.len() as i32);
        for (y, series) in ends {
            let lowest = BOTTOM + NAME_GAP - left * NAME_GAP;
            let at = y.min(lowest).max(next);
            let star = if series.points.iter().any(|point| point.counts) { "" } else { " *" };
            let (name, color) = (format!("{}{star}", series.name), series.ink.color(true));
            canvas.line(&[(RIGHT + 4, y), (RIGHT + 18, at)], RULE, 1)?;
            canvas.text((RIGHT + 22, at), &name, 13, color, Hold::Left)?;
            (next, left) = (at + NAME_GAP, left - 1);
        }
        Ok(())
    }

    fn across(&self, value: f64) -> i32 {
        let values = || self.x.ticks.iter().map(|(value, _)| value.max(1.0).ln());
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        let share = (value.max(1.0).ln() - least) / (most - least).max(1e-9);
        LEFT + 20 + (share * (RIGHT - LEFT - 30) as f64) as i32
    }

    fn height(&self) -> Height {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let least = points().map(|point| point.least().max(1e-6)).fold(f64::MAX, f64::min);
        let most = points().map(Point::most).fold(1e-6, f64::max);
        match most / least > LINEAR_SPAN_MAX {
            true => Height { least: least * 0.8, most: most * 1.25, is_log: true },
            false => Height { least: 0.0, most: most * 1.1, is_log: false },
        }
    }
}

impl Point {
    fn is_whiskered(&self) -> bool {
        self.has_whisker && self.y.count > 1
    }

    fn least(&self) -> f64 {
        if self.is_whiskered() { self.y.min } else { self.y.median }
    }

    fn most(&self) -> f64 {
        if self.is_whiskered() { self.y.max } else { self.y.median }
    }
}

impl Height {
    fn of(&self, value: f64) -> i32 {
        let share = match self.is_log {
            true => (value / self.least).ln() / (self.most / self.least).ln(),
            false => (value - self.least) / (self.most - self.least),
        };
        BOTTOM - (share.clamp(0.0, 1.0) * (BOTTOM - TOP) as f64) as i32
    }

    /// Round values: 1, 2, 5 of each power of ten, or some four equal steps.
    fn marks(&self) -> Vec<f64> {
        if self.is_log {
            let powers = (self.least.log10().floor() as i32)..=(self.most.log10().ceil() as i32);
            let marks = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10f64.powi(power)));
            return marks.filter(|mark| (self.least..=self.most).contains(mark)).collect();
        }
        let raw = self.most / 4.0;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * power);
        let step = step.into_iter().find(|step| *step >= raw).unwrap_or(raw);
        (0..).map(|n| f64::from(n) * step).take_while(|mark| *mark <= self.most).collect()
    }
}

/// Three digits are enough on an axis.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
