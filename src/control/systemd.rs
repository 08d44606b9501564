//! What systemd is told of this process (sd_notify(3)): ready, alive, its state in words,
//! reloading, stopping.
//!
//! Without `NOTIFY_SOCKET` every call does nothing, so that nobody needs to ask whether systemd is
//! there. Sent by the control thread alone: where that stands still, the process is not alive.

use sd_notify::NotifyState;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How often the text of the state is renewed. Who looks at `systemctl status` sees it this old at
/// most; each renewal costs a message to systemd and a signal from it to who listens.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Beyond the time that a stop may take by itself: for the exit, on a machine that is busy.
const STOP_MARGIN_MS: u64 = 5_000;

/// The process as one look sees it.
#[derive(Debug, Clone)]
pub struct Sight {
    pub sessions: u64,
    pub shards: usize,
    /// Every shard turns or sleeps.
    pub turns: bool,
    /// A client that subscribes now is served.
    pub serves: bool,
    /// How long ago each feed's newest record came, in the order of the feeds; `None`: never.
    pub feed_ages_ms: Vec<Option<u64>>,
}

/// The one that systemd knows as this service.
#[derive(Debug)]
pub struct Systemd {
    /// Half of `WATCHDOG_USEC`, as sd_watchdog_enabled(3) advises; `None`: systemd does not watch.
    feed_watchdog_every: Option<Duration>,
    watchdog_fed_at: Option<Instant>,
    is_ready: bool,
    is_stopping: bool,
    /// What was read last was wrong.
    config_is_old: bool,
    status_at: Option<Instant>,
    /// What the feeds are called, in their order.
    feeds: Vec<String>,
    /// A message that is not sent is told once: each further one fails alike.
    has_failed: bool,
}

impl Systemd {
    /// What the environment says: whether somebody listens, and whether there is a watchdog.
    /// `feeds` as the admin port calls them.
    pub fn of_environment(feeds: Vec<String>) -> Systemd {
        Systemd::watched(feeds, sd_notify::watchdog_enabled())
    }

    fn watched(feeds: Vec<String>, watchdog: Option<Duration>) -> Systemd {
        Systemd {
            feed_watchdog_every: watchdog.map(|every| every / 2),
            watchdog_fed_at: None,
            is_ready: false,
            is_stopping: false,
            config_is_old: false,
            status_at: None,
            feeds,
            has_failed: false,
        }
    }

    /// To be called some times a second with what is seen. Tells that the process is ready, once
    /// it is; that it is alive, while every shard turns; and its state in words.
    pub fn look(&mut self, sight: &Sight, now: Instant) {
        let mut states = Vec::new();
        let becomes_ready = sight.serves && !self.is_ready && !self.is_stopping;
        if becomes_ready {
            self.is_ready = true;
            states.push(NotifyState::Ready);
        }
        let hungry = self.feed_watchdog_every.is_some_and(|every| {
            self.watchdog_fed_at.is_none_or(|at| now.duration_since(at) >= every)
        });
        if hungry && sight.turns {
            self.watchdog_fed_at = Some(now);
            states.push(NotifyState::Watchdog);
        }
        let is_old = self.status_at.is_none_or(|at| now.duration_since(at) >= STATUS_EVERY);
        let words;
        if is_old || becomes_ready {
            self.status_at = Some(now);
            words = self.words(sight);
            states.push(NotifyState::Status(&words));
        }
        self.tell(&states);
    }

    /// The configuration is about to be read again; to be followed by [`Systemd::reloaded`]. A
    /// service that still starts does not reload to systemd, and the end of a reload is told by
    /// the very word that ends its start.
    pub fn reloading(&mut self) {
        if !self.is_ready {
            return;
        }
        // Without the time, systemd takes the end of an earlier reload for the end of this one.
        match NotifyState::monotonic_usec_now() {
            Ok(since) => self.tell(&[NotifyState::Reloading, since]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// The reload is over. Where the new configuration was wrong and the old one was kept, the
    /// state in words says so until one is good: to systemd, a reload that was answered is one.
    pub fn reloaded(&mut self, was_kept: bool) {
        let states = self.note_reload(was_kept);
        self.tell(states);
    }

    fn note_reload(&mut self, was_kept: bool) -> &'static [NotifyState<'static>] {
        self.config_is_old = was_kept;
        self.status_at = None;
        if self.is_ready { &[NotifyState::Ready] } else { &[] }
    }

    /// The stop begins and may take `most_ms`: as long as that, systemd must wait, though its
    /// `TimeoutStopSec` is shorter.
    pub fn stopping(&mut self, sessions: u64, most_ms: u64) {
        self.is_stopping = true;
        let most_us = most_ms.saturating_add(STOP_MARGIN_MS).saturating_mul(1_000);
        let most_us = u32::try_from(most_us).unwrap_or(u32::MAX);
        let words = format!("stopping: {sessions} sessions are being closed");
        self.tell(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(most_us),
            NotifyState::Status(&words),
        ]);
    }

    /// The state in one line, as `systemctl status` shows it.
    fn words(&self, sight: &Sight) -> String {
        let mut words = match (self.is_stopping, sight.turns, self.is_ready) {
            (true, _, _) => "stopping".to_string(),
            (_, false, _) => "a shard is stuck".to_string(),
            (_, _, false) => "starting".to_string(),
            (_, _, true) => "serving".to_string(),
        };
        let (sessions, shards) = (sight.sessions, sight.shards);
        let _ = write!(words, ": {sessions} sessions on {shards} shards");
        for (name, age_ms) in self.feeds.iter().zip(&sight.feed_ages_ms) {
            let _ = match age_ms {
                Some(age_ms) => {
                    let age_s = *age_ms as f64 / 1_000.0;
                    write!(words, "; feed {name}: last tick {age_s:.1} s ago")
                }
                None => write!(words, "; feed {name}: no tick yet"),
            };
        }
        if self.config_is_old {
            words
                .push_str("; the configuration read last is wrong, and the one before is in force");
        }
        words
    }

    fn tell(&mut self, states: &[NotifyState<'_>]) {
        if states.is_empty() {
            return;
        }
        if let Err(error) = sd_notify::notify(states)
            && !self.has_failed
        {
            self.has_failed = true;
            tracing::warn!("systemd is not told of this service's state: {error} (NOTIFY_SOCKET)");
        }
    }
}

#[cfg(test)]
mod tests {
    //! Method: looks at made-up moments. What is sent goes nowhere, since the tests' environment
    //! has no `NOTIFY_SOCKET`; that it arrives is tested under a real systemd, in `tests/systemd`.

    use super::*;

    struct Rig {
        systemd: Systemd,
        feed_ages_ms: Vec<Option<u64>>,
        began: Instant,
    }

    impl Rig {
        fn new(watchdog: Option<Duration>) -> Rig {
            let systemd = Systemd::watched(vec!["synthetic".into(), "replay".into()], watchdog);
            Rig { systemd, feed_ages_ms: vec![None, None], began: Instant::now() }
        }

        fn sight(&self, turns: bool, serves: bool) -> Sight {
            let feed_ages_ms = self.feed_ages_ms.clone();
            Sight { sessions: 7, shards: 2, turns, serves, feed_ages_ms }
        }

        fn look(&mut self, at_ms: u64, turns: bool, serves: bool) {
            let now = self.began + Duration::from_millis(at_ms);
            self.systemd.look(&self.sight(turns, serves), now);
        }

        fn words(&self) -> String {
            self.systemd.words(&self.sight(true, true))
        }
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_time_and_only_while_every_shard_turns() {
        let mut rig = Rig::new(Some(Duration::from_secs(10)));
        let mut fed = Vec::new();
        for (at_ms, turns) in [
            (0, true),
            (4_800, true),
            (5_000, true),
            (10_000, false),
            (15_000, false),
            (15_200, true),
        ] {
            let before = rig.systemd.watchdog_fed_at;
            rig.look(at_ms, turns, true);
            fed.push(rig.systemd.watchdog_fed_at != before);
        }
        assert_eq!(fed, [true, false, true, false, false, true]);
        let mut unwatched = Rig::new(None);
        unwatched.look(0, true, true);
        assert_eq!(unwatched.systemd.watchdog_fed_at, None);
    }

    #[test]
    fn ready_comes_when_clients_are_served_and_not_after_the_stop_began() {
        let mut rig = Rig::new(None);
        rig.look(0, true, false);
        assert!(!rig.systemd.is_ready);
        rig.look(200, true, true);
        assert!(rig.systemd.is_ready);
        let mut late = Rig::new(None);
        late.systemd.stopping(7, 5_000);
        late.look(200, true, true);
        assert!(!late.systemd.is_ready);
    }

    /// It is the word that a start ends with: told too early, systemd would start what waits for
    /// this service.
    #[test]
    fn a_reload_during_the_start_does_not_say_ready() {
        let mut rig = Rig::new(None);
        rig.look(0, true, false);
        rig.systemd.reloading();
        assert!(rig.systemd.note_reload(true).is_empty());
        rig.look(200, true, true);
        assert!(matches!(rig.systemd.note_reload(false), [NotifyState::Ready]));
    }

    #[test]
    fn the_words_tell_sessions_and_the_age_of_each_feed() {
        let mut rig = Rig::new(None);
        rig.look(0, true, true);
        assert_eq!(
            rig.words(),
            "serving: 7 sessions on 2 shards; feed synthetic: no tick yet; \
             feed replay: no tick yet"
        );
        rig.feed_ages_ms[1] = Some(2_540);
        assert!(rig.words().ends_with("feed replay: last tick 2.5 s ago"), "{}", rig.words());
        rig.systemd.note_reload(true);
        assert!(rig.words().contains("; the configuration read last is wrong"), "{}", rig.words());
    }
}
