//! `/api/status`: everything that is counted, as one JSON object.

use super::readiness;
use super::view::{View, age_ms};
use crate::hub::Pressure;
use crate::limits::INLET_TICKS;
use crate::shard::ShardCounters;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

type ByWord = BTreeMap<&'static str, u64>;

#[derive(Debug, Serialize)]
pub struct Status<'a> {
    version: &'static str,
    epoch: &'a str,
    uptime_s: f64,
    stream: Stream,
    state: &'static str,
    ready: bool,
    reasons: Vec<String>,
    totals: Totals,
    shards: Vec<Shard>,
    feeds: Vec<Feed<'a>>,
    /// Oldest first.
    history: Vec<Past>,
}

#[derive(Debug, Serialize)]
struct Stream {
    listen: String,
    path: &'static str,
}

#[derive(Debug, Serialize)]
struct Totals {
    sessions: u64,
    sessions_max: u64,
    /// Each shard takes every tick, so this is what the shard that has had most counts.
    ticks_in: u64,
    items_out: u64,
    frames_out: u64,
    bytes_out: u64,
    refused: ByWord,
    closed: ByWord,
    lagging: u64,
}

#[derive(Debug, Serialize)]
struct Used {
    used: u64,
    limit: u64,
}

#[derive(Debug, Serialize)]
struct Limits {
    sessions: Used,
    half_open: Used,
    descriptors: Used,
    inlet: Used,
    memory_bytes: Used,
}

#[derive(Debug, Serialize)]
struct Shard {
    shard: usize,
    core: usize,
    state: &'static str,
    restarts: u64,
    limits: Limits,
    breaker: &'static str,
    lag_refuses: bool,
    turn_lag_us: u64,
    tick_lag_us: u64,
    window_ms: u64,
    lagging: u64,
    ticks_in: u64,
    items_out: u64,
    frames_out: u64,
    bytes_out: u64,
    conflated: u64,
    gaps: u64,
    refused: ByWord,
    closed: ByWord,
    latency_us: Latency,
}

/// From the ingest of a tick to the sockets, over about the last minute.
#[derive(Debug, Serialize)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct Feed<'a> {
    feed: &'a str,
    state: &'static str,
    ticks: u64,
    /// Ticks a second, over the last seconds.
    rate: f64,
    age_ms: Option<u64>,
    bad_lines: u64,
    reconnects: u64,
}

/// Five seconds; counts are of them alone.
#[derive(Debug, Serialize)]
struct Past {
    /// The end, in seconds before now, and so negative.
    t_s: f64,
    p50_us: u64,
    p99_us: u64,
    ticks_in: u64,
    items_out: u64,
    sessions: u64,
    refused: u64,
}

impl Status<'_> {
    pub fn of(view: &View) -> Status<'_> {
        let reasons = readiness::reasons(view);
        let shards = (0..view.shards.len()).map(|shard| Shard::of(view, shard));
        Status {
            version: env!("CARGO_PKG_VERSION"),
            epoch: &view.epoch,
            uptime_s: tenths(view.began.elapsed().as_secs_f64()),
            stream: Stream { listen: view.stream.to_string(), path: "/v1/stream" },
            state: if view.state.is_draining() { "draining" } else { "serving" },
            ready: reasons.is_empty(),
            reasons,
            totals: Totals::of(view),
            shards: shards.collect(),
            feeds: feeds(view),
            history: history(view),
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
        let latency = view.history.latency(view, shard);
        let (sessions_max, half_open_max) = flow.session_limits();
        let (descriptors, descriptors_max) = flow.descriptors();
        let used = |used, limit| Used { used, limit };
        Shard {
            shard,
            core: seen.core,
            state: view.shard_state(shard).word(),
            restarts: counters.restarts(),
            limits: Limits {
                sessions: used(counters.sessions(), sessions_max),
                half_open: used(counters.half_open(), half_open_max),
                descriptors: used(descriptors, descriptors_max),
                inlet: used(seen.inlet.len() as u64, INLET_TICKS as u64),
                memory_bytes: used(overload.used_bytes(), overload.budget_bytes()),
            },
            breaker: breaker(overload.pressure()),
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

fn feeds(view: &View) -> Vec<Feed<'_>> {
    let all = view.feeds().enumerate().map(|(number, (feed, counters))| Feed {
        feed: &feed.name,
        state: counters.condition().word(),
        ticks: counters.records.load(Ordering::Relaxed),
        rate: tenths(view.history.rate(view, number)),
        age_ms: age_ms(counters),
        bad_lines: counters.bad_lines.load(Ordering::Relaxed),
        reconnects: counters.restarts.load(Ordering::Relaxed),
    });
    all.collect()
}

fn history(view: &View) -> Vec<Past> {
    let now = Instant::now();
    let points = view.history.points().into_iter().map(|point| Past {
        t_s: -tenths(now.duration_since(point.at).as_secs_f64()),
        p50_us: point.p50_us,
        p99_us: point.p99_us,
        ticks_in: point.ticks_in,
        items_out: point.items_out,
        sessions: point.sessions,
        refused: point.refused,
    });
    points.collect()
}

pub fn breaker(pressure: Pressure) -> &'static str {
    match pressure {
        Pressure::Normal => "normal",
        Pressure::Alert => "alert",
        Pressure::Refuse => "refuse",
        Pressure::Shed => "shed",
    }
}

/// Sums; reasons that did not occur are left out.
fn by_word(counts: impl Iterator<Item = (&'static str, u64)>) -> ByWord {
    let mut sums = ByWord::new();
    for (word, count) in counts.filter(|(_, count)| *count > 0) {
        *sums.entry(word).or_default() += count;
    }
    sums
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
