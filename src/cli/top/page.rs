//! Everything that is shown, and how answers and keys change it.

use super::fetch::{FetchError, Snapshot};
use super::input::Act;
use crate::control::report::{HISTORY_INTERVAL, Session, Status};
use std::cmp::Reverse;
use std::time::Instant;

/// A table that can be scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    Lagging,
    Shards,
    Feeds,
}

/// What the table of who lags is ordered by, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Ticks,
    Stalled,
    Unsent,
    Age,
    /// The smallest first.
    Address,
}

/// A second's worth; none where it is not known yet.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    pub ticks_in: Option<f64>,
    pub items_out: Option<f64>,
    pub bytes_out: Option<f64>,
    pub refused: Option<f64>,
}

/// The server does not answer.
#[derive(Debug)]
pub struct Trouble {
    pub since: Instant,
    pub why: String,
}

/// Rows by [`Pane`].
pub type Rows = [usize; 3];

#[derive(Debug)]
pub struct Page {
    pub url: String,
    /// The last good answer.
    pub shown: Snapshot,
    pub rates: Rates,
    pub trouble: Option<Trouble>,
    pub is_paused: bool,
    pub has_help: bool,
    pub sort: Sort,
    pub focus: Pane,
    /// Rows above the first that is shown.
    pub scrolled: Rows,
    /// Rows that the last frame had room for.
    visible: Rows,
}

impl Sort {
    pub fn words(self) -> &'static str {
        match self {
            Sort::Ticks => "ticks behind",
            Sort::Stalled => "time without progress",
            Sort::Unsent => "unsent bytes",
            Sort::Age => "age",
            Sort::Address => "address",
        }
    }

    fn next(self) -> Sort {
        match self {
            Sort::Ticks => Sort::Stalled,
            Sort::Stalled => Sort::Unsent,
            Sort::Unsent => Sort::Age,
            Sort::Age => Sort::Address,
            Sort::Address => Sort::Ticks,
        }
    }
}

impl Page {
    pub fn new(url: &str, first: Snapshot) -> Page {
        Page {
            url: url.to_string(),
            rates: of_history(&first.status),
            shown: first,
            trouble: None,
            is_paused: false,
            has_help: false,
            sort: Sort::Ticks,
            focus: Pane::Lagging,
            scrolled: Rows::default(),
            visible: Rows::default(),
        }
    }

    /// An answer has come, good or not.
    pub fn take(&mut self, answer: Result<Snapshot, FetchError>, now: Instant) {
        match answer {
            Ok(snapshot) => {
                self.rates = rates(&self.shown, &snapshot);
                self.shown = snapshot;
                self.trouble = None;
            }
            Err(error) => {
                let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
                self.trouble = Some(Trouble { since, why: error.to_string() });
            }
        }
    }

    /// False: it is to end.
    pub fn act(&mut self, act: Act) -> bool {
        let page = isize::try_from(self.visible[self.focus as usize].max(1)).unwrap_or(1);
        if self.has_help && !matches!(act, Act::Quit) {
            self.has_help = matches!(act, Act::Redraw);
            return true;
        }
        match act {
            Act::Quit => return false,
            Act::Help => self.has_help = true,
            Act::Pause => self.is_paused = !self.is_paused,
            Act::Sort => self.sort = self.sort.next(),
            Act::NextPane => {
                self.focus = match self.focus {
                    Pane::Lagging => Pane::Shards,
                    Pane::Shards => Pane::Feeds,
                    Pane::Feeds => Pane::Lagging,
                };
            }
            Act::Scroll(rows) => self.scroll(rows),
            Act::ScrollPage(pages) => self.scroll(pages * page),
            Act::Top => self.scroll(isize::MIN),
            Act::Bottom => self.scroll(isize::MAX),
            Act::Redraw | Act::Nothing => {}
        }
        true
    }

    fn scroll(&mut self, rows: isize) {
        let pane = self.focus as usize;
        let bottom = self.rows()[pane].saturating_sub(self.visible[pane]);
        self.scrolled[pane] = self.scrolled[pane].saturating_add_signed(rows).min(bottom);
    }

    /// A frame has had room for so many rows.
    pub fn see(&mut self, visible: Rows) {
        self.visible = visible;
    }

    /// Rows that there are.
    pub fn rows(&self) -> Rows {
        let lagging = self.shown.lagging.as_ref().map_or(0, |list| list.sessions.len());
        [lagging, self.shown.status.shards.len(), self.shown.status.feeds.len()]
    }

    /// The first row of a table that has room for `visible`: a table that has become shorter is
    /// not scrolled past its end.
    pub fn first_row(&self, pane: Pane, visible: usize) -> usize {
        self.scrolled[pane as usize].min(self.rows()[pane as usize].saturating_sub(visible))
    }

    /// Who lags, in the order that is asked for.
    pub fn lagging(&self) -> Vec<&Session> {
        let Ok(list) = &self.shown.lagging else { return Vec::new() };
        let mut sessions: Vec<&Session> = list.sessions.iter().collect();
        match self.sort {
            Sort::Ticks => sessions.sort_by_key(|session| Reverse(session.behind_ticks)),
            Sort::Stalled => sessions.sort_by_key(|session| Reverse(session.behind_ms)),
            Sort::Unsent => sessions.sort_by_key(|session| Reverse(session.unsent_bytes)),
            Sort::Age => sessions.sort_by_key(|session| Reverse(session.age_s)),
            Sort::Address => sessions.sort_by(|a, b| a.address.cmp(&b.address)),
        }
        sessions
    }
}

/// From the difference of two answers of one process; from its own history where there is none.
fn rates(before: &Snapshot, now: &Snapshot) -> Rates {
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    let (past, totals) = (&before.status.totals, &now.status.totals);
    let is_restarted = before.status.epoch != now.status.epoch;
    if is_restarted || seconds <= 0.0 {
        return of_history(&now.status);
    }
    let rate = |before: u64, now: u64| Some(now.saturating_sub(before) as f64 / seconds);
    let sum = |status: &Status| status.totals.refused.values().sum();
    Rates {
        ticks_in: rate(past.ticks_in, totals.ticks_in),
        items_out: rate(past.items_out, totals.items_out),
        bytes_out: rate(past.bytes_out, totals.bytes_out),
        refused: rate(sum(&before.status), sum(&now.status)),
    }
}

/// Over the last seconds that the server has noted.
fn of_history(status: &Status) -> Rates {
    let Some(last) = status.history.last() else { return Rates::default() };
    let rate = |count: u64| Some(count as f64 / HISTORY_INTERVAL.as_secs_f64());
    Rates {
        ticks_in: rate(last.ticks_in),
        items_out: rate(last.items_out),
        bytes_out: None,
        refused: rate(last.refused),
    }
}
