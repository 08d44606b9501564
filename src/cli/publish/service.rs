//! What systemd is told of a publisher: ready, alive, in words how it is doing, stopping.

use crate::publish::PublishCounters;
use sd_notify::NotifyState;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the text of the state is renewed.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// The one that systemd knows as this service; without `NOTIFY_SOCKET` it does nothing.
#[derive(Debug)]
pub struct Service {
    /// Half of `WATCHDOG_USEC`; `None`: systemd does not watch.
    feed_watchdog_every: Option<Duration>,
    watchdog_fed_at: Option<Instant>,
    status_at: Option<Instant>,
    is_ready: bool,
    /// The publisher's turns at the last feeding: where they stand still, it does.
    turns: u64,
}

impl Service {
    pub fn of_environment() -> Service {
        let feed_watchdog_every = sd_notify::watchdog_enabled().map(|every| every / 2);
        let (watchdog_fed_at, status_at) = (None, None);
        Service { feed_watchdog_every, watchdog_fed_at, status_at, is_ready: false, turns: 0 }
    }

    /// To be called some times a second.
    pub fn look(&mut self, counters: &PublishCounters, now: Instant) {
        let mut states = Vec::new();
        if !self.is_ready && counters.is_connected.load(Ordering::Relaxed) {
            self.is_ready = true;
            states.push(NotifyState::Ready);
        }
        let turns = counters.turns.load(Ordering::Relaxed);
        let hungry = self.feed_watchdog_every.is_some_and(|every| {
            self.watchdog_fed_at.is_none_or(|at| now.duration_since(at) >= every)
        });
        if hungry && turns != self.turns {
            (self.turns, self.watchdog_fed_at) = (turns, Some(now));
            states.push(NotifyState::Watchdog);
        }
        let words;
        if self.status_at.is_none_or(|at| now.duration_since(at) >= STATUS_EVERY) {
            self.status_at = Some(now);
            words = counters.to_string();
            states.push(NotifyState::Status(&words));
        }
        tell(&states);
    }

    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if states.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd is not told of this service's state: {error} (NOTIFY_SOCKET)");
    }
}
