//! What a late shard does: it takes no more clients, and it sends less often.
//!
//! Above the lower limit of lag new connections are refused. Above the higher one the batching
//! window is doubled, for everyone, and again after a while where that was not enough: the same
//! updates in fewer sends. It is halved again when the shard has so much time left that twice the
//! sends would fit; where that proves wrong, the next try waits twice as long.

use super::lag_meter::{LagMeter, LagReading};

/// The first window beyond the configured one: five flushes' worth of a busy shard's turns.
const WINDOW_MS_FIRST: u64 = 5;

/// The widest. A quarter of a second of delay is seen on a screen; beyond it, sends are so few
/// that the kernel's part is small, and what is still late is late for other reasons.
pub const WINDOW_MS_MAX: u64 = 250;

/// How often the window of measurements is looked at.
const LOOK_MS: u64 = 250;

/// How long a change is given to show its effect before the next one.
const SETTLE_MS: u64 = 1_000;

/// Before the window is narrowed: at first, and at most.
const NARROW_MS_FIRST: u64 = 2_000;
const NARROW_MS_MAX: u64 = 60_000;

/// A return to a narrower window has held when it was not undone for so long.
const HELD_MS: u64 = 60_000;

/// Fewer late samples are an accident (a stolen core, a page fault), not an overload.
const LATE_SAMPLES_MIN: u64 = 3;

/// Below this share of its time in turns a shard can afford twice the sends.
const BUSY_PERCENT_MAX: u64 = 40;

/// The limits of lag, in ms; 0 turns one off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagSettings {
    pub refuse_ms: u64,
    pub widen_ms: u64,
}

impl Default for LagSettings {
    fn default() -> LagSettings {
        LagSettings {
            // A flush to a full shard of 20,000 clients takes 92 ms (4.6 us each), so a healthy
            // one stays below 200. Half a second is what one sees, and more clients make it more.
            refuse_ms: 500,
            // Refusing had its chance; a ticker that is a second late is better with fewer sends.
            widen_ms: 1_000,
        }
    }
}

/// What operators are told, once for each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceChange {
    pub refuses: bool,
    /// The batching window in force.
    pub window_ms: u64,
    pub reading: LagReading,
}

/// See the module's text.
#[derive(Debug)]
pub struct Pacing {
    settings: LagSettings,
    /// The window that is configured.
    flush_ms: u64,
    window_ms: u64,
    refuses: bool,
    meter: LagMeter,
    reading: LagReading,
    looked_at_ms: u64,
    changed_at_ms: u64,
    narrowed_at_ms: Option<u64>,
    /// How long a window is kept at least before it is narrowed.
    narrow_after_ms: u64,
}

impl Pacing {
    pub fn new(settings: LagSettings, flush_ms: u64, now_ms: u64) -> Pacing {
        Pacing {
            settings,
            flush_ms,
            window_ms: flush_ms,
            refuses: false,
            meter: LagMeter::new(now_ms),
            reading: LagReading::default(),
            looked_at_ms: now_ms,
            changed_at_ms: now_ms,
            narrowed_at_ms: None,
            narrow_after_ms: NARROW_MS_FIRST,
        }
    }

    /// Goes on with other limits and another window. What was widened stays so while lag is
    /// watched at all, and is narrowed as ever, but never below what is configured.
    pub fn configure(&mut self, settings: LagSettings, flush_ms: u64, now_ms: u64) {
        let is_widened = self.window_ms > self.flush_ms;
        (self.settings, self.flush_ms) = (settings, flush_ms);
        self.refuses &= settings.refuse_ms > 0;
        let keeps_wide = is_widened && settings.widen_ms > 0;
        let window_ms = if keeps_wide { self.window_ms.max(flush_ms) } else { flush_ms };
        if window_ms != self.window_ms {
            self.window_ms = window_ms;
            self.meter.clear(now_ms);
            self.changed_at_ms = now_ms;
        }
    }

    /// The batching window in force, in ms.
    pub fn window_ms(&self) -> u64 {
        self.window_ms
    }

    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// As of the last look.
    pub fn reading(&self) -> LagReading {
        self.reading
    }

    /// Takes in one turn: how late it began, how long it took, and how old the oldest tick was
    /// that it sent, where it ended a flush.
    pub fn measured(&mut self, turn: Turn, now_ms: u64) {
        self.meter.turn(turn.late_us, turn.busy_us, now_ms);
        if let Some(age_us) = turn.tick_age_us {
            self.meter.flush(age_us.saturating_sub(self.window_ms * 1_000), now_ms);
        }
    }

    /// When it wants to look again although nothing happens: while it is not at rest.
    pub fn next_ms(&self) -> Option<u64> {
        self.is_strained().then_some(self.looked_at_ms + LOOK_MS)
    }

    fn is_strained(&self) -> bool {
        self.refuses || self.window_ms != self.flush_ms
    }

    /// Looks at what was measured, at most every so often.
    pub fn look(&mut self, now_ms: u64) -> Option<PaceChange> {
        if now_ms < self.looked_at_ms + LOOK_MS {
            return None;
        }
        self.looked_at_ms = now_ms;
        let before = (self.refuses, self.window_ms);
        let LagSettings { refuse_ms, widen_ms } = self.settings;
        let lower_ms = [refuse_ms, widen_ms].into_iter().filter(|ms| *ms > 0).min();
        self.reading = self.meter.read(lower_ms.unwrap_or(0) * 1_000, now_ms);
        // What was measured just after a change says little: no news is no change.
        if now_ms >= self.changed_at_ms + SETTLE_MS || !self.is_strained() {
            self.judge(now_ms);
        }
        if before.1 != self.window_ms {
            self.meter.clear(now_ms);
            self.changed_at_ms = now_ms;
        }
        let changed = before != (self.refuses, self.window_ms);
        changed.then_some(PaceChange {
            refuses: self.refuses,
            window_ms: self.window_ms,
            reading: self.reading,
        })
    }

    fn judge(&mut self, now_ms: u64) {
        let LagSettings { refuse_ms, widen_ms } = self.settings;
        let lag_us = self.reading.worst_us();
        let late = self.reading.over >= LATE_SAMPLES_MIN;
        let over = |limit_ms: u64| limit_ms > 0 && late && lag_us >= limit_ms * 1_000;
        self.refuses = match self.refuses {
            false => over(refuse_ms),
            true => lag_us >= refuse_ms * 500,
        };
        if over(widen_ms) {
            self.widen(now_ms);
        } else if lag_us < widen_ms * 500 && self.reading.busy_percent < BUSY_PERCENT_MAX {
            self.narrow(now_ms);
        }
    }

    fn widen(&mut self, now_ms: u64) {
        let wider_ms = (self.window_ms * 2).clamp(WINDOW_MS_FIRST, WINDOW_MS_MAX);
        if wider_ms <= self.window_ms {
            return; // it is configured wider, or cannot be widened more
        }
        // Once for each return that did not hold, however many steps it takes to undo it.
        if self.narrowed_at_ms.take().is_some_and(|at_ms| now_ms < at_ms + HELD_MS) {
            self.narrow_after_ms = (self.narrow_after_ms * 2).min(NARROW_MS_MAX);
        }
        self.window_ms = wider_ms;
    }

    fn narrow(&mut self, now_ms: u64) {
        if now_ms < self.changed_at_ms + self.narrow_after_ms {
            return;
        }
        if self.window_ms == self.flush_ms {
            if self.narrowed_at_ms.is_some_and(|at_ms| now_ms >= at_ms + HELD_MS) {
                (self.narrowed_at_ms, self.narrow_after_ms) = (None, NARROW_MS_FIRST);
            }
            return;
        }
        let narrower_ms = self.window_ms / 2;
        let floor = if narrower_ms < WINDOW_MS_FIRST { 0 } else { narrower_ms };
        self.window_ms = floor.max(self.flush_ms);
        self.narrowed_at_ms = Some(now_ms);
    }
}

/// What a shard measures of one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    pub late_us: u64,
    pub busy_us: u64,
    pub tick_age_us: Option<u64>,
}

#[cfg(test)]
mod tests;
