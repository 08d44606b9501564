//! What the checker found: violations, and what is allowed but worth a number.

use serde::Serialize;
use std::collections::BTreeMap;

/// Violations that are kept as text; the rest is counted.
const TEXTS_MAX: usize = 20;

/// Distinct error codes that are told apart; more than the protocol has.
const ERROR_CODES_MAX: usize = 32;

/// A rule that a stream broke. The names stand in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// Bytes that are no frame of a server.
    Frame,
    /// A frame that is no array of events, or an event that lacks a member.
    Format,
    /// The first event is not the greeting.
    Greeting,
    /// A sequence number that did not grow.
    Order,
    /// Trades are missing and no gap was announced; from other servers than ours, anything is.
    Loss,
    /// A gap that does not begin where the stream stands.
    Gap,
    /// A snapshot item too late, missing, or of trades.
    Snapshot,
    /// A symbol or channel that was not asked for.
    NotAsked,
    /// A heartbeat's number of items is not what came.
    Count,
}

/// Numbers over all connections and the whole run.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Findings {
    pub violations: BTreeMap<Violation, u64>,
    /// The first of them, with connection, symbol and channel.
    pub texts: Vec<String>,
    /// Sequence numbers that were lost and not announced, as [`Violation::Loss`] found them.
    pub unannounced_count: u64,
    pub gap_count: u64,
    /// Sequence numbers that gaps named as lost, as far as their beginning is known.
    pub gap_lost_count: u64,
    /// Jumps of `sq` on quotes and bars, and the updates that they swallowed.
    pub jump_count: u64,
    pub merged_count: u64,
    pub heartbeat_count: u64,
    pub shutdown_count: u64,
    /// `error` events by code.
    pub errors: BTreeMap<u64, u64>,
    /// Message of the first one.
    pub first_error: Option<String>,
}

impl Findings {
    pub fn report(&mut self, violation: Violation, connection: usize, what: String) {
        *self.violations.entry(violation).or_default() += 1;
        if self.texts.len() < TEXTS_MAX {
            self.texts.push(format!("connection {connection}: {what}"));
        }
    }

    /// Sequence numbers that did not come, for whatever reason.
    pub fn missing_count(&self) -> u64 {
        self.merged_count + self.gap_lost_count + self.unannounced_count
    }

    pub fn violation_count(&self) -> u64 {
        self.violations.values().sum()
    }

    pub fn merged(&mut self, updates: u64) {
        self.jump_count += 1;
        self.merged_count += updates;
    }

    pub fn gap(&mut self, lost: u64) {
        self.gap_count += 1;
        self.gap_lost_count += lost;
    }

    pub fn error(&mut self, code: u64, message: &str) {
        if self.errors.len() < ERROR_CODES_MAX || self.errors.contains_key(&code) {
            *self.errors.entry(code).or_default() += 1;
        }
        self.first_error.get_or_insert_with(|| message.to_string());
    }
}
