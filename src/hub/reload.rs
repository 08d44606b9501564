//! Settings that change while the shard serves.

use super::{Hub, HubSettings};
use crate::session::Now;

impl Hub {
    /// Goes on with other settings. What is let in, how fast, and every deadline hold from now on,
    /// for sessions that are here too; nobody who is in is displaced by a lower limit. Sizes that
    /// tables were made with stay what they are, and must come as they were.
    pub fn reload(&mut self, settings: HubSettings, now: Now) {
        debug_assert_eq!(self.settings.tape_ticks, settings.tape_ticks);
        debug_assert_eq!(self.settings.frame_bytes, settings.frame_bytes);
        self.admission.set_limits(settings.admission.clone());
        self.pacing.configure(settings.lag, settings.flush_ms, now.ms);
        self.set_lag_pressure(self.pacing.refuses());
        self.breaker.set_budget(settings.memory.budget_bytes);
        self.settings = settings;
        // A deadline that has become shorter may be due before its timer is.
        let slots: Vec<u32> = self.sessions.iter().map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| self.arm(slot, now));
    }
}

#[cfg(test)]
mod tests;
