//! What happened to connections over a run.

use super::connection::{Class, Ending};
use super::cpu::CpuSeconds;
use super::tally::new_histogram;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Distinct texts of failures that are told apart.
const FAILURE_TEXTS_MAX: usize = 32;

#[derive(Debug)]
pub struct Census {
    pub opened_count: usize,
    /// Open when the counting window began, and when it ended.
    pub open_at_start: OpenCounts,
    pub open_at_end: OpenCounts,
    pub refused: BTreeMap<u16, u64>,
    pub closed: BTreeMap<u16, u64>,
    pub failed: BTreeMap<String, u64>,
    /// µs from the dial to the upgrade's answer.
    pub connect_latency: Histogram<u64>,
    pub opening_time: Duration,
    pub counting_time: Duration,
    pub counting_cpu: CpuSeconds,
    pub churn: ChurnCounts,
}

/// Open connections by class; those of the churn are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OpenCounts {
    pub reading: usize,
    pub slow: usize,
    pub stalled: usize,
}

/// Connections that came and went within the counting window.
#[derive(Debug)]
pub struct ChurnCounts {
    /// Opened, stayed and left.
    pub done_count: u64,
    /// Refused, closed by the server or broken before they left.
    pub failed_count: u64,
    /// Not dialled, since as many as may be were open.
    pub skipped_count: u64,
    pub connect_latency: Histogram<u64>,
}

impl Census {
    pub fn new() -> Census {
        Census {
            opened_count: 0,
            open_at_start: OpenCounts::default(),
            open_at_end: OpenCounts::default(),
            refused: BTreeMap::new(),
            closed: BTreeMap::new(),
            failed: BTreeMap::new(),
            connect_latency: new_histogram(),
            opening_time: Duration::ZERO,
            counting_time: Duration::ZERO,
            counting_cpu: CpuSeconds::default(),
            churn: ChurnCounts {
                done_count: 0,
                failed_count: 0,
                skipped_count: 0,
                connect_latency: new_histogram(),
            },
        }
    }

    pub fn end(&mut self, class: Class, ending: Ending) {
        match (class, ending) {
            (Class::Passing, Ending::Left) => self.churn.done_count += 1,
            (Class::Passing, ending) => {
                self.churn.failed_count += 1;
                self.fail(match ending {
                    Ending::Refused(status) => format!("churn: refused with HTTP {status}"),
                    Ending::Closed(code) => format!("churn: closed with code {code}"),
                    Ending::Failed(text) => format!("churn: {text}"),
                    Ending::Left => unreachable!("that is the arm before"),
                });
            }
            (_, Ending::Left) => {}
            (_, Ending::Refused(status)) => *self.refused.entry(status).or_default() += 1,
            (_, Ending::Closed(code)) => *self.closed.entry(code).or_default() += 1,
            (_, Ending::Failed(text)) => self.fail(text),
        }
    }

    fn fail(&mut self, text: String) {
        let is_room = self.failed.len() < FAILURE_TEXTS_MAX;
        let known = is_room || self.failed.contains_key(&text);
        let text = if known { text } else { "other".to_string() };
        *self.failed.entry(text).or_default() += 1;
    }
}

impl OpenCounts {
    pub fn total(self) -> usize {
        self.reading + self.slow + self.stalled
    }

    /// `None` for connections that are not counted.
    pub fn of(&mut self, class: Class) -> Option<&mut usize> {
        match class {
            Class::Reading => Some(&mut self.reading),
            Class::Slow => Some(&mut self.slow),
            Class::Stalled => Some(&mut self.stalled),
            Class::Passing => None,
        }
    }
}
