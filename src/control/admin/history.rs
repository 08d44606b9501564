//! The last five minutes, a point every five seconds, and the last minute for percentiles.

use super::report::{HISTORY_INTERVAL, HISTORY_POINTS_MAX, Past};
use super::status::tenths;
use super::view::View;
use crate::shard::Reading;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::time::{self, MissedTickBehavior};

/// One minute, and the one before it to subtract.
const SAMPLES_MAX: usize = 13;

/// A rate over less than this would jump.
const RATE_TIME_MIN: Duration = Duration::from_secs(2);

/// What was counted at one moment.
#[derive(Debug, Clone)]
struct Sample {
    at: Instant,
    /// By shard.
    latency: Vec<Reading>,
    /// By feed: records.
    records: Vec<u64>,
    ticks_in: u64,
    items_out: u64,
    refused: u64,
}

/// Written by one task, read by others of the same thread.
#[derive(Debug, Default)]
pub struct History {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Each with its moment; how long ago that is, is put in when it is asked for.
    points: VecDeque<(Instant, Past)>,
    samples: VecDeque<Sample>,
}

/// Takes a sample every five seconds, for ever.
pub async fn keep(view: Arc<View>) {
    let mut clock = time::interval(HISTORY_INTERVAL);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        view.notes.history.note(&view);
    }
}

impl History {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds this lock")
    }

    fn note(&self, view: &View) {
        let sample = Sample::now(view);
        let kept = &mut *self.kept();
        if let Some(before) = kept.samples.back() {
            let mut latency = Reading::default();
            for (now, before) in sample.latency.iter().zip(&before.latency) {
                latency.add(&now.since(before));
            }
            let past = Past {
                t_s: 0.0,
                p50_us: latency.permille(500),
                p99_us: latency.permille(990),
                ticks_in: sample.ticks_in.saturating_sub(before.ticks_in),
                items_out: sample.items_out.saturating_sub(before.items_out),
                sessions: view.sum(|counters| counters.sessions()),
                refused: sample.refused.saturating_sub(before.refused),
            };
            kept.points.push_back((sample.at, past));
        }
        kept.samples.push_back(sample);
        if kept.points.len() > HISTORY_POINTS_MAX {
            kept.points.pop_front();
        }
        if kept.samples.len() > SAMPLES_MAX {
            kept.samples.pop_front();
        }
    }

    /// Oldest first.
    pub fn points(&self) -> Vec<Past> {
        let now = Instant::now();
        let ago = |at: Instant| -tenths(now.duration_since(at).as_secs_f64());
        let kept = self.kept();
        kept.points.iter().map(|(at, past)| Past { t_s: ago(*at), ..past.clone() }).collect()
    }

    /// A shard's latency over about the last minute; over all its time in the first seconds.
    pub fn latency(&self, view: &View, shard: usize) -> Reading {
        let now = view.shards[shard].counters.flow().latency_us().read();
        let kept = self.kept();
        let before = kept.samples.front().and_then(|sample| sample.latency.get(shard));
        before.map_or_else(|| now.clone(), |before| now.since(before))
    }

    /// A feed's records a second, over the last seconds.
    pub fn rate(&self, view: &View, feed: usize) -> f64 {
        let now = Instant::now();
        let records = records(view, feed);
        let kept = self.kept();
        let is_old = |sample: &&Sample| now.duration_since(sample.at) >= RATE_TIME_MIN;
        let before = kept.samples.iter().rev().find(is_old);
        let (began, counted) = before.map_or((view.began, 0), |sample| {
            (sample.at, sample.records.get(feed).copied().unwrap_or(0))
        });
        let seconds = now.duration_since(began).as_secs_f64();
        records.saturating_sub(counted) as f64 / seconds.max(f64::EPSILON)
    }
}

impl Sample {
    fn now(view: &View) -> Sample {
        let latency = view.shards.iter().map(|s| s.counters.flow().latency_us().read());
        Sample {
            at: Instant::now(),
            latency: latency.collect(),
            records: (0..view.feeds.len()).map(|feed| records(view, feed)).collect(),
            ticks_in: view.ticks_in(),
            items_out: view.sum(|counters| counters.items_out()),
            refused: view.sum(|counters| counters.refused().map(|(_, count)| count).sum()),
        }
    }
}

fn records(view: &View, feed: usize) -> u64 {
    view.ingest.feeds.get(feed).map_or(0, |counters| counters.records.load(Ordering::Relaxed))
}
