//! What a shard publishes of what it sends, and how near it is to its limits.

use super::histogram::Histogram;
use super::tally::Tally;
use crate::hub::Hub;
use std::sync::atomic::{AtomicU64, Ordering};

/// Written by the shard alone: the numbers once a turn, the histograms once a batch or a flush.
#[derive(Debug, Default)]
pub struct FlowCounters {
    frames_out: AtomicU64,
    bytes_out: AtomicU64,
    conflated: AtomicU64,
    gaps: AtomicU64,
    lagging: AtomicU64,
    closing: AtomicU64,
    cohorts: AtomicU64,
    descriptors_used: AtomicU64,
    sessions_max: AtomicU64,
    half_open_max: AtomicU64,
    descriptors_max: AtomicU64,
    batch_sends: Histogram,
    flush_us: Histogram,
    latency_us: Histogram,
}

impl FlowCounters {
    pub(super) fn publish(&self, hub: &Hub, tally: &Tally, descriptors_used: usize) {
        let (counters, limits) = (hub.counters(), hub.admission().limits());
        let set = |to: &AtomicU64, value: u64| to.store(value, Ordering::Relaxed);
        set(&self.frames_out, counters.frames_out);
        set(&self.bytes_out, tally.bytes_out);
        set(&self.conflated, counters.conflated);
        set(&self.gaps, counters.gaps_out);
        set(&self.lagging, hub.stopped());
        set(&self.closing, hub.leaving());
        set(&self.cohorts, hub.cohorts() as u64);
        set(&self.descriptors_used, descriptors_used as u64);
        set(&self.sessions_max, limits.sessions_max as u64);
        set(&self.half_open_max, limits.half_open_max as u64);
        set(&self.descriptors_max, limits.descriptors_max as u64);
    }

    /// Frames with market events, one per client and frame.
    pub fn frames_out(&self) -> u64 {
        self.frames_out.load(Ordering::Relaxed)
    }

    /// Bytes that the sockets of sessions took.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Ordering::Relaxed)
    }

    /// Times that a client's quote or bar was replaced by a newer one before it was sent.
    pub fn conflated(&self) -> u64 {
        self.conflated.load(Ordering::Relaxed)
    }

    /// Gaps put into frames for clients.
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }

    /// Sessions whose socket does not take what they are owed.
    pub fn lagging(&self) -> u64 {
        self.lagging.load(Ordering::Relaxed)
    }

    pub fn closing(&self) -> u64 {
        self.closing.load(Ordering::Relaxed)
    }

    /// Different subscriptions.
    pub fn cohorts(&self) -> u64 {
        self.cohorts.load(Ordering::Relaxed)
    }

    /// Descriptors of clients, and the shard's part of those that there are.
    pub fn descriptors(&self) -> (u64, u64) {
        let used = self.descriptors_used.load(Ordering::Relaxed);
        (used, self.descriptors_max.load(Ordering::Relaxed))
    }

    /// The shard's part of the limits of sessions and of those half open.
    pub fn session_limits(&self) -> (u64, u64) {
        let sessions = self.sessions_max.load(Ordering::Relaxed);
        (sessions, self.half_open_max.load(Ordering::Relaxed))
    }

    /// Sends of each batch.
    pub fn batch_sends(&self) -> &Histogram {
        &self.batch_sends
    }

    /// How long each flush took, from its first batch to the last, in us.
    pub fn flush_us(&self) -> &Histogram {
        &self.flush_us
    }

    /// From the ingest of a tick until the sockets of all members of a cohort have it, in us: of
    /// the oldest tick among those that a turn sent, so the worst case of each turn.
    pub fn latency_us(&self) -> &Histogram {
        &self.latency_us
    }
}
