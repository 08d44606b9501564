//! Method: a model of a shard whose load and speed are given drives the controller through a
//! simulated clock, turn by turn.

use super::*;

/// A shard that gets ticks all the time, and whose flush costs the same whatever is in it.
struct Model {
    pacing: Pacing,
    now_ms: u64,
    /// Cost of a flush, in ms.
    flush_ms: f64,
    /// Ticks that wait are so old when they are taken; grows where flushes do not keep up.
    backlog_ms: f64,
    changes: Vec<(u64, PaceChange)>,
}

impl Model {
    fn new(settings: LagSettings, flush_ms: u64) -> Model {
        let pacing = Pacing::new(settings, flush_ms, 0);
        Model { pacing, now_ms: 0, flush_ms: 0.0, backlog_ms: 0.0, changes: Vec::new() }
    }

    /// Turns for `ms`; a tick comes every ms, and each flush takes what its window gathered.
    fn run(&mut self, flush_ms: f64, ms: u64) {
        self.flush_ms = flush_ms;
        let end_ms = self.now_ms + ms;
        while self.now_ms < end_ms {
            let window_ms = self.pacing.window_ms().max(1) as f64;
            let took_ms = self.flush_ms;
            self.backlog_ms = (self.backlog_ms + took_ms - window_ms).clamp(0.0, 5_000.0);
            let passed_ms = took_ms.max(window_ms);
            self.now_ms += (passed_ms as u64).max(1);
            let turn = Turn {
                late_us: (took_ms * 1_000.0) as u64,
                busy_us: (took_ms * 1_000.0) as u64,
                tick_age_us: Some(((window_ms + took_ms + self.backlog_ms) * 1_000.0) as u64),
            };
            self.pacing.measured(turn, self.now_ms);
            self.look();
        }
    }

    /// No turn but those that the controller asks for.
    fn idle(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while let Some(at_ms) = self.pacing.next_ms().filter(|at_ms| *at_ms < end_ms) {
            self.now_ms = at_ms.max(self.now_ms + 1);
            self.pacing.measured(Turn::default(), self.now_ms);
            self.look();
        }
        self.now_ms = end_ms;
    }

    fn look(&mut self) {
        if let Some(change) = self.pacing.look(self.now_ms) {
            self.changes.push((self.now_ms, change));
        }
    }

    fn windows(&self) -> Vec<u64> {
        let mut windows: Vec<u64> = self.changes.iter().map(|(_, c)| c.window_ms).collect();
        windows.dedup();
        windows
    }
}

fn settings() -> LagSettings {
    LagSettings { refuse_ms: 100, widen_ms: 200 }
}

#[test]
fn a_shard_in_time_changes_nothing() {
    let mut model = Model::new(settings(), 0);
    model.run(0.5, 60_000);
    assert!(model.changes.is_empty(), "{:?}", model.changes);
    assert_eq!(model.pacing.next_ms(), None, "it does not wake an idle shard");
}

#[test]
fn refuses_first_then_widens_step_by_step_until_the_flushes_fit() {
    let mut model = Model::new(settings(), 0);
    model.run(15.0, 90_000);
    let (_, first) = model.changes[0];
    assert!(first.refuses, "{first:?}");
    assert!(model.windows().starts_with(&[5, 10, 20]), "{:?}", model.windows());
    // 20 ms for a flush that takes 15 is enough; wider ones have taken the backlog away. With
    // 75 % of the time in turns it does not try 10.
    assert_eq!(model.windows().last(), Some(&20));
    assert!(!model.pacing.refuses(), "the lag is gone");
    let steps = model.changes.len();
    model.run(15.0, 120_000);
    assert_eq!(model.changes.len(), steps, "it stays: {:?}", model.windows());
}

#[test]
fn returns_when_the_load_is_gone_also_where_no_turn_comes() {
    for idle in [true, false] {
        let mut model = Model::new(settings(), 0);
        model.run(15.0, 30_000);
        match idle {
            true => model.idle(60_000),
            false => model.run(0.2, 60_000),
        }
        assert_eq!(model.pacing.window_ms(), 0, "{:?}", model.changes);
        assert!(!model.pacing.refuses());
        assert_eq!(model.pacing.next_ms(), None);
    }
}

#[test]
fn never_narrower_than_configured_and_never_wider_than_the_most() {
    let mut model = Model::new(settings(), 30);
    model.run(1_000.0, 60_000);
    assert_eq!(model.windows().last(), Some(&WINDOW_MS_MAX));
    assert!(model.pacing.refuses(), "it is still late");
    model.run(0.1, 60_000);
    assert_eq!(model.pacing.window_ms(), 30);
    let mut wide = Model::new(settings(), 400);
    wide.run(1_000.0, 30_000);
    assert_eq!(wide.pacing.window_ms(), 400);
}

/// A load that fits the half of its time but whose half window does not fit: it must not swing.
#[test]
fn tries_to_return_ever_less_often_where_that_fails() {
    let mut model = Model::new(settings(), 0);
    model.run(15.0, 30_000);
    let mut tries = Vec::new();
    for minute in 0..6 {
        let before = model.changes.len();
        // Calm for 8 s, then as before: what looked affordable was not.
        for _ in 0..3 {
            model.run(3.0, 8_000);
            model.run(15.0, 12_000);
        }
        tries.push((minute, model.changes.len() - before));
    }
    let (early, late) = (tries[0].1, tries[5].1);
    assert!(late < early, "{tries:?}");
}

#[test]
fn a_single_hiccup_is_no_overload() {
    let mut model = Model::new(settings(), 0);
    model.idle(10_000);
    let turn = Turn { late_us: 900_000, busy_us: 900_000, tick_age_us: Some(900_000) };
    model.pacing.measured(turn, model.now_ms);
    model.look();
    model.idle(10_000);
    assert!(model.changes.is_empty(), "{:?}", model.changes);
}

#[test]
fn zero_turns_a_limit_off() {
    let mut model = Model::new(LagSettings { refuse_ms: 0, widen_ms: 0 }, 0);
    model.run(15.0, 30_000);
    assert!(model.changes.is_empty());
    let mut widens = Model::new(LagSettings { refuse_ms: 0, widen_ms: 200 }, 0);
    widens.run(15.0, 30_000);
    assert!(widens.changes.iter().all(|(_, change)| !change.refuses));
    assert_eq!(widens.windows().last(), Some(&20));
}
