//! Whose numbers count: the epoch and the term in force, and how their publisher is doing.
//!
//! Pure: times are arguments, in ms since any beginning.

use super::headers::Marks;
use super::meta::{Meta, PublisherState};
use crate::market::FeedState;
use std::collections::VecDeque;

/// A publisher that has not said for so long that it is there is not there: it does so every
/// 500 ms.
pub const SILENT_MS: u64 = 3_000;

/// What is read again after a loss was noticed begins where all was well so long before: a loss
/// is noticed later than the publisher's next word is heard, when much is waiting.
const MARGIN_MS: u64 = 2_000;

/// Positions that are kept: half a minute of them.
const POSITIONS_MAX: usize = 64;

/// Whether a message is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ours,
    /// Of a publisher that has been succeeded and does not know it.
    OldTerm,
    /// Of another epoch than the one in force.
    Foreign,
}

/// What a publisher's word led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Nothing,
    /// Another epoch is in force: everything begins anew.
    NewEpoch,
    /// Another publisher of the same epoch has taken over.
    NewTerm,
    /// Two publishers, each with its own epoch: these are the one in force and the other.
    Rivals(String, String),
}

/// Up to where the stream is known to have come here, and the term in force there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub stream_seq: u64,
    pub term: u64,
}

#[derive(Debug, Default)]
pub struct Reign {
    epoch: Option<String>,
    term: u64,
    /// Its name; `None` before it said it.
    instance: Option<String>,
    state: Option<PublisherState>,
    /// When it last said that it is there.
    heard_ms: u64,
    /// Oldest first.
    positions: VecDeque<(u64, Position)>,
    /// Whom the log has been told of.
    rival: Option<String>,
}

impl Reign {
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// Before anything is in force, the first that comes is.
    pub fn judge(&mut self, marks: Marks<'_>, now_ms: u64) -> Verdict {
        match self.epoch.as_deref() {
            None => self.begin(marks.epoch, marks.term, now_ms),
            Some(epoch) if epoch != marks.epoch => return Verdict::Foreign,
            Some(_) if marks.term < self.term => return Verdict::OldTerm,
            Some(_) => self.term = marks.term,
        }
        Verdict::Ours
    }

    /// A message of the stream, which is of before: `term` is the highest of those read so far.
    pub fn judge_history(&self, marks: Marks<'_>, term: &mut u64) -> Verdict {
        if self.epoch.as_deref() != Some(marks.epoch) {
            return Verdict::Foreign;
        }
        if marks.term < *term {
            return Verdict::OldTerm;
        }
        *term = marks.term;
        Verdict::Ours
    }

    /// What the stream ends with is in force until a publisher is heard, which may have another
    /// epoch at once.
    pub fn adopt(&mut self, marks: Marks<'_>) {
        self.begin(marks.epoch, marks.term, 0);
    }

    pub fn hear(&mut self, meta: &Meta, now_ms: u64) -> Heard {
        let is_same = self.instance.as_deref() == Some(meta.instance.as_str());
        match self.epoch.as_deref() {
            Some(epoch) if epoch == meta.epoch => {
                if meta.term < self.term {
                    return Heard::Nothing;
                }
                let succeeds = self.instance.is_some() && !is_same;
                self.learn(meta, now_ms);
                if succeeds { Heard::NewTerm } else { Heard::Nothing }
            }
            // Its own next epoch, or that of another after it fell silent.
            Some(_) if !is_same && !self.is_silent(now_ms) => {
                if self.rival.as_deref() == Some(meta.instance.as_str()) {
                    return Heard::Nothing;
                }
                self.rival = Some(meta.instance.clone());
                let ours = self.instance.clone().unwrap_or_else(|| "one without a name".into());
                Heard::Rivals(ours, meta.instance.clone())
            }
            _ => {
                self.begin(&meta.epoch, meta.term, now_ms);
                self.learn(meta, now_ms);
                Heard::NewEpoch
            }
        }
    }

    fn begin(&mut self, epoch: &str, term: u64, heard_ms: u64) {
        *self = Reign { epoch: Some(epoch.into()), term, heard_ms, ..Reign::default() };
    }

    fn learn(&mut self, meta: &Meta, now_ms: u64) {
        (self.term, self.heard_ms) = (meta.term, now_ms);
        self.instance = Some(meta.instance.clone());
        self.state = Some(meta.state);
        if let Some(stream_seq) = meta.stream_seq {
            self.reached(stream_seq, now_ms);
        }
    }

    /// All of the stream up to here has come.
    pub fn reached(&mut self, stream_seq: u64, now_ms: u64) {
        if self.positions.len() == POSITIONS_MAX {
            self.positions.pop_front();
        }
        self.positions.push_back((now_ms, Position { stream_seq, term: self.term }));
    }

    /// Where reading begins again after a loss that is noticed now; `None` where all was never
    /// well.
    pub fn safe(&self, now_ms: u64) -> Option<Position> {
        let early = |(at_ms, _): &&(u64, Position)| at_ms + MARGIN_MS <= now_ms;
        let newest = self.positions.iter().rev().find(early);
        newest.or(self.positions.front()).map(|(_, position)| *position)
    }

    pub fn is_silent(&self, now_ms: u64) -> bool {
        self.heard_ms + SILENT_MS <= now_ms
    }

    /// How the feed is doing where that is not seen from its ticks.
    pub fn state(&self, is_connected: bool, now_ms: u64) -> Option<FeedState> {
        // Who follows no publisher that says so knows nothing about one.
        let told = self.state?;
        Some(match told {
            _ if self.is_silent(now_ms) && !is_connected => FeedState::Down,
            _ if self.is_silent(now_ms) => FeedState::Stale,
            PublisherState::Ok => FeedState::Ok,
            PublisherState::Stale => FeedState::Stale,
            PublisherState::Down => FeedState::Down,
        })
    }
}

#[cfg(test)]
mod tests;
