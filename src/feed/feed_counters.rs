//! What is known of a feed from outside.

use super::intake::IntakeCounters;
use super::nats::NatsCounters;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

/// What a feed has done so far; written by the ingest thread alone, read by anyone.
#[derive(Debug, Default)]
pub struct FeedCounters {
    /// Records that became ticks.
    pub records: AtomicU64,
    /// Lines that were no records.
    pub bad_lines: AtomicU64,
    /// Records without a number: another feed's symbol, or one symbol too many.
    pub refused: AtomicU64,
    /// Records of symbols that the feed's options leave out.
    pub filtered: AtomicU64,
    /// Of its publishers, where it has any.
    pub intake: IntakeCounters,
    /// Records whose number had come before, from another line of the same sequence or twice.
    pub duplicates: AtomicU64,
    /// Of its connection to NATS, where it has one.
    pub nats: Option<Arc<NatsCounters>>,
    /// Trades in no bar, because they came after its close.
    pub late_trades: AtomicU64,
    /// How often it was started again after it had failed or panicked.
    pub restarts: AtomicU64,
    /// How often its source connected anew by itself.
    pub reconnects: AtomicU64,
    /// Ingest time of the newest record, ns since the Unix epoch; 0 before the first.
    pub(super) last_ns: AtomicI64,
    /// A [`FeedCondition`].
    pub(super) condition: AtomicU8,
}

/// How a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FeedCondition {
    /// Nothing has come for too long, or ever.
    Stale,
    Live,
    /// It failed and is started again after a while.
    Retrying,
    /// It gave all that it had, or cannot be started again.
    Ended,
}

impl FeedCondition {
    pub const ALL: [FeedCondition; 4] =
        [FeedCondition::Stale, FeedCondition::Live, FeedCondition::Retrying, FeedCondition::Ended];

    pub fn word(self) -> &'static str {
        match self {
            FeedCondition::Stale => "stale",
            FeedCondition::Live => "live",
            FeedCondition::Retrying => "retrying",
            FeedCondition::Ended => "ended",
        }
    }
}

impl FeedCounters {
    /// Ingest time of the newest record, ns since the Unix epoch.
    pub fn last_ns(&self) -> Option<i64> {
        Some(self.last_ns.load(Ordering::Relaxed)).filter(|last_ns| *last_ns > 0)
    }

    /// New connections and new starts.
    pub fn reconnects(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed) + self.reconnects.load(Ordering::Relaxed)
    }

    pub fn condition(&self) -> FeedCondition {
        let number = self.condition.load(Ordering::Relaxed);
        let all = FeedCondition::ALL;
        all.into_iter().find(|c| *c as u8 == number).unwrap_or(FeedCondition::Stale)
    }
}
