//! What a shard publishes of its memory and its lag.

use crate::hub::{Hub, Pressure};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Written by the shard alone, once a turn, beside its counters.
#[derive(Debug, Default)]
pub struct OverloadGauges {
    used_bytes: AtomicU64,
    leaving_bytes: AtomicU64,
    buffer_bytes: AtomicU64,
    budget_bytes: AtomicU64,
    pressure: AtomicU8,
    shed: AtomicU64,
    turn_us: AtomicU64,
    tick_us: AtomicU64,
    window_ms: AtomicU64,
    lag_refuses: AtomicBool,
}

impl OverloadGauges {
    pub(super) fn publish(&self, hub: &Hub) {
        let set = |to: &AtomicU64, value: u64| to.store(value, Ordering::Relaxed);
        let (used, pacing) = (hub.used(), hub.pacing());
        set(&self.used_bytes, used.total());
        set(&self.leaving_bytes, used.leaving);
        set(&self.buffer_bytes, used.buffers);
        set(&self.budget_bytes, hub.breaker().budget_bytes());
        self.pressure.store(hub.breaker().pressure() as u8, Ordering::Relaxed);
        set(&self.shed, hub.counters().shed);
        set(&self.turn_us, pacing.reading().turn_us);
        set(&self.tick_us, pacing.reading().tick_us);
        set(&self.window_ms, pacing.window_ms());
        self.lag_refuses.store(pacing.refuses(), Ordering::Relaxed);
    }

    /// What clients cost, in the process and in the kernel.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Of it, what belongs to sessions that are closing.
    pub fn leaving_bytes(&self) -> u64 {
        self.leaving_bytes.load(Ordering::Relaxed)
    }

    /// Of it, what is estimated to be in the buffers of sockets.
    pub fn buffer_bytes(&self) -> u64 {
        self.buffer_bytes.load(Ordering::Relaxed)
    }

    pub fn budget_bytes(&self) -> u64 {
        self.budget_bytes.load(Ordering::Relaxed)
    }

    pub fn pressure(&self) -> Pressure {
        let value = self.pressure.load(Ordering::Relaxed);
        Pressure::ALL.into_iter().find(|pressure| *pressure as u8 == value).unwrap_or_default()
    }

    /// Sessions closed for want of memory.
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// p99 of how late turns began, in us.
    pub fn turn_lag_us(&self) -> u64 {
        self.turn_us.load(Ordering::Relaxed)
    }

    /// p99 of the age of the oldest tick of a flush beyond the batching window, in us.
    pub fn tick_lag_us(&self) -> u64 {
        self.tick_us.load(Ordering::Relaxed)
    }

    /// The batching window in force.
    pub fn window_ms(&self) -> u64 {
        self.window_ms.load(Ordering::Relaxed)
    }

    /// New connections are refused for the shard's lag.
    pub fn lag_refuses(&self) -> bool {
        self.lag_refuses.load(Ordering::Relaxed)
    }
}
