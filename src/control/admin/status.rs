//! `/api/status`: everything that is counted, as one JSON object.

use super::readiness;
use super::report::{
    ByWord, Feed, Latency, Limits, Nats, Publishers, Shard, Status, Stream, Totals, Used, Word,
};
use super::view::{View, age_ms};
use crate::feed::nats::NatsCounters;
use crate::limits::INLET_TICKS;
use crate::shard::ShardCounters;
use std::sync::atomic::{AtomicU64, Ordering};

impl Status {
    pub fn of(view: &View) -> Status {
        let reasons = readiness::reasons(view);
        let shards = (0..view.shards.len()).map(|shard| Shard::of(view, shard));
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            epoch: view.ingest.epoch().as_str().to_string(),
            uptime_s: tenths(view.began.elapsed().as_secs_f64()),
            stream: Stream { listen: view.stream.to_string(), path: "/v1/stream".into() },
            state: if view.state.is_draining() { "draining" } else { "serving" }.into(),
            ready: reasons.is_empty(),
            reasons,
            totals: Totals::of(view),
            shards: shards.collect(),
            feeds: feeds(view),
            history: view.notes.history.points(),
        }
    }
}

impl Totals {
    fn of(view: &View) -> Totals {
        let all = || view.shards.iter().map(|shard| &*shard.counters);
        Totals {
            sessions: view.sum(ShardCounters::sessions),
            sessions_max: view.sum(|counters| counters.flow().session_limits().0),
            ticks_in: view.ticks_in(),
            items_out: view.sum(ShardCounters::items_out),
            frames_out: view.sum(|counters| counters.flow().frames_out()),
            bytes_out: view.sum(|counters| counters.flow().bytes_out()),
            refused: by_word(all().flat_map(ShardCounters::refused)),
            closed: by_word(all().flat_map(ShardCounters::closed)),
            lagging: view.sum(|counters| counters.flow().lagging()),
        }
    }
}

impl Shard {
    fn of(view: &View, shard: usize) -> Shard {
        let seen = &view.shards[shard];
        let (counters, flow) = (&*seen.counters, seen.counters.flow());
        let overload = counters.overload();
        let latency = view.notes.history.latency(view, shard);
        let (sessions_max, half_open_max) = flow.session_limits();
        let (descriptors, descriptors_max) = flow.descriptors();
        let used = |used, limit| Used { used, limit };
        Shard {
            shard,
            core: seen.core,
            state: view.shard_state(shard).word().into(),
            restarts: counters.restarts(),
            limits: Limits {
                sessions: used(counters.sessions(), sessions_max),
                half_open: used(counters.half_open(), half_open_max),
                descriptors: used(descriptors, descriptors_max),
                inlet: used(seen.inlet.len() as u64, INLET_TICKS as u64),
                memory_bytes: used(overload.used_bytes(), overload.budget_bytes()),
            },
            breaker: overload.pressure().word().into(),
            lag_refuses: overload.lag_refuses(),
            turn_lag_us: overload.turn_lag_us(),
            tick_lag_us: overload.tick_lag_us(),
            window_ms: overload.window_ms(),
            lagging: flow.lagging(),
            ticks_in: counters.ticks_in(),
            items_out: counters.items_out(),
            frames_out: flow.frames_out(),
            bytes_out: flow.bytes_out(),
            conflated: flow.conflated(),
            gaps: flow.gaps(),
            refused: by_word(counters.refused()),
            closed: by_word(counters.closed()),
            latency_us: Latency {
                p50: latency.permille(500),
                p90: latency.permille(900),
                p99: latency.permille(990),
                max: latency.permille(1_000),
            },
        }
    }
}

fn feeds(view: &View) -> Vec<Feed> {
    let all = view.feeds().enumerate().map(|(number, (feed, counters))| Feed {
        feed: feed.name.clone(),
        state: counters.condition().word().into(),
        ticks: counters.records.load(Ordering::Relaxed),
        rate: tenths(view.notes.history.rate(view, number)),
        age_ms: age_ms(counters),
        bad_lines: counters.bad_lines.load(Ordering::Relaxed),
        refused: counters.refused.load(Ordering::Relaxed),
        filtered: counters.filtered.load(Ordering::Relaxed),
        publishers: feed.takes_publishers.then(|| Publishers {
            connections: counters.intake.connections.load(Ordering::Relaxed),
            refused: counters.intake.turned_away.load(Ordering::Relaxed),
            bytes: counters.intake.bytes.load(Ordering::Relaxed),
            lines: counters.intake.lines.load(Ordering::Relaxed),
        }),
        nats: counters.nats.as_deref().map(nats),
        reconnects: counters.reconnects(),
    });
    all.collect()
}

fn nats(counters: &NatsCounters) -> Nats {
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let link = &counters.link;
    Nats {
        connected: link.is_up.load(Ordering::Relaxed),
        history: counters.has_history(),
        reconnects: link.reconnects(),
        slow_consumer: of(&link.slow_consumer),
        lame_duck: of(&link.lame_duck),
        errors: of(&link.errors),
        resyncs: of(&counters.resyncs),
        history_messages: of(&counters.history_messages),
        dropped_by_term: of(&counters.dropped_by_term),
        dropped_by_epoch: of(&counters.dropped_by_epoch),
        strange: of(&counters.strange),
    }
}

/// Sums; reasons that did not occur are left out.
pub fn by_word(counts: impl Iterator<Item = (&'static str, u64)>) -> ByWord {
    let mut sums = ByWord::new();
    for (word, count) in counts.filter(|(_, count)| *count > 0) {
        *sums.entry(Word::Borrowed(word)).or_default() += count;
    }
    sums
}

pub(super) fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
