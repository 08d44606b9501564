//! What each shard counts.

use super::super::view::{ShardState, View};
use super::families::{Families, Labels};
use crate::hub::Pressure;
use crate::limits::INLET_TICKS;
use crate::shard::{Histogram, ShardCounters};
use prometheus_client::registry::Unit;
use std::fmt;
use std::sync::atomic::Ordering;

const US: f64 = 1e-6;
const MS: f64 = 1e-3;

type ByWord = Vec<(&'static str, u64)>;

pub fn write(view: &View, out: &mut Families<'_>) -> fmt::Result {
    states(view, out)?;
    limits(view, out)?;
    sessions(view, out)?;
    flow(view, out)?;
    times(view, out)?;
    overload(view, out)
}

fn label(shard: usize) -> Labels {
    vec![("shard", shard.to_string())]
}

fn labels(shard: usize, name: &'static str, word: &str) -> Labels {
    vec![("shard", shard.to_string()), (name, word.to_string())]
}

/// One row a shard.
fn each(view: &View, of: impl Fn(&ShardCounters) -> u64) -> Vec<(Labels, u64)> {
    let all = view.shards.iter().enumerate();
    all.map(|(shard, seen)| (label(shard), of(&seen.counters))).collect()
}

fn each_scaled(view: &View, scale: f64, of: impl Fn(&ShardCounters) -> u64) -> Vec<(Labels, f64)> {
    each(view, of).into_iter().map(|(labels, value)| (labels, value as f64 * scale)).collect()
}

/// One row a shard and word.
fn by_word(
    view: &View,
    name: &'static str,
    of: impl Fn(&ShardCounters) -> ByWord,
) -> Vec<(Labels, u64)> {
    let all = view.shards.iter().enumerate();
    let rows = all.flat_map(|(shard, seen)| {
        of(&seen.counters).into_iter().map(move |(word, count)| (labels(shard, name, word), count))
    });
    rows.collect()
}

fn states(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let rows = (0..view.shards.len()).flat_map(|shard| {
        let is = view.shard_state(shard);
        ShardState::ALL.map(|of| (labels(shard, "state", of.word()), u64::from(of == is)))
    });
    out.gauge("shard_state", "1 for what the shard does, 0 for what it could do.", rows)?;
    let help = "Panics after which the shard began anew.";
    out.counter("shard_restarts", help, each(view, ShardCounters::restarts))?;
    out.counter("turns", "Turns of the shard's loop.", each(view, |c| c.progress().0))
}

fn limits(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let help = "The shard's part of the limit of sessions.";
    out.gauge("sessions_limit", help, each(view, |c| c.flow().session_limits().0))?;
    let help = "The shard's part of the limit of sessions whose upgrade has not come.";
    out.gauge("half_open_sessions_limit", help, each(view, |c| c.flow().session_limits().1))?;
    let help = "Descriptors of clients and refusals.";
    out.gauge("descriptors", help, each(view, |c| c.flow().descriptors().0))?;
    let help = "The shard's part of the descriptors that there are.";
    out.gauge("descriptors_limit", help, each(view, |c| c.flow().descriptors().1))?;
    let inlets = view.shards.iter().enumerate();
    let waiting = inlets.map(|(shard, seen)| (label(shard), seen.inlet.len() as u64));
    out.gauge("inlet_ticks", "Ticks that wait for the shard.", waiting)?;
    let help = "Ticks that can wait for the shard.";
    out.gauge("inlet_ticks_limit", help, each(view, |_| INLET_TICKS as u64))?;
    let help = "What clients cost, in the process and in the kernel.";
    let used = each_scaled(view, 1.0, |c| c.overload().used_bytes());
    out.gauge_of("memory", Some(Unit::Bytes), help, used)?;
    let limit = each_scaled(view, 1.0, |c| c.overload().budget_bytes());
    out.gauge_of("memory_limit", Some(Unit::Bytes), "What clients may cost.", limit)?;
    let help = "Ticks that were lost because the shard's inlet was full; clients got gaps.";
    let lost = view.ingest.shards.iter().enumerate();
    let lost = lost.map(|(shard, c)| (label(shard), c.lost.load(Ordering::Relaxed)));
    out.counter("inlet_lost_ticks", help, lost)?;
    let waiting = view.ingest.shards.iter().enumerate();
    let waiting = waiting.map(|(shard, c)| (label(shard), c.waiting.load(Ordering::Relaxed)));
    out.gauge("inlet_overlay_entries", "What waits, merged, for room in the inlet.", waiting)
}

fn sessions(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let help = "Sessions by what they do; every session is in one state.";
    let states = by_word(view, "state", |c| {
        let (half_open, subscribed) = (c.half_open(), c.subscribed());
        let closing = c.flow().closing();
        let others = c.sessions().saturating_sub(half_open + subscribed + closing);
        vec![
            ("half_open", half_open),
            ("subscribed", subscribed),
            ("unsubscribed", others),
            ("closing", closing),
        ]
    });
    out.gauge("sessions", help, states)?;
    let help = "Sessions whose socket does not take what they are owed.";
    out.gauge("lagging_sessions", help, each(view, |c| c.flow().lagging()))?;
    out.gauge("cohorts", "Different subscriptions.", each(view, |c| c.flow().cohorts()))?;
    out.counter("sessions_opened", "Connections taken.", each(view, ShardCounters::opened))?;
    let help = "Sessions that ended.";
    out.counter("sessions_closed", help, by_word(view, "reason", |c| c.closed().collect()))?;
    let help = "Connections that were not taken.";
    out.counter("refusals", help, by_word(view, "reason", |c| c.refused().collect()))?;
    let help = "How clients that were refused were told.";
    out.counter("refusals_told", help, by_word(view, "answer", |c| c.told().collect()))?;
    let help = "Connections passed on to a shard with more room.";
    out.counter("connections_handed_on", help, each(view, |c| c.handed().0))?;
    let help = "Accepts that failed for want of descriptors or memory.";
    out.counter("accepts_failed", help, each(view, ShardCounters::accepts_failed))?;
    let help = "Times that a client was not read from for a while, because it sent too fast.";
    out.counter("intake_pauses", help, each(view, ShardCounters::intake_pauses))
}

fn flow(view: &View, out: &mut Families<'_>) -> fmt::Result {
    out.counter("ticks_in", "Ticks that the shard took.", each(view, ShardCounters::ticks_in))?;
    let help = "Trades, quotes and bars put into frames, one per client and item.";
    out.counter("items_out", help, each(view, ShardCounters::items_out))?;
    let help = "Frames with market events, one per client and frame.";
    out.counter("frames_out", help, each(view, |c| c.flow().frames_out()))?;
    let help = "Bytes that the sockets of sessions took.";
    let bytes = each(view, |c| c.flow().bytes_out());
    out.counter_of("sent", Some(Unit::Bytes), help, bytes)?;
    let help = "Times that a client's quote or bar was replaced by a newer one before it was sent.";
    out.counter("conflated", help, each(view, |c| c.flow().conflated()))?;
    let help = "Gaps that clients were told of: trades that they do not get.";
    out.counter("gaps", help, each(view, |c| c.flow().gaps()))
}

fn times(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let read = |of: fn(&ShardCounters) -> &Histogram| {
        let all = view.shards.iter().enumerate();
        let rows = all.map(|(shard, seen)| (label(shard), of(&seen.counters).read()));
        rows.collect::<Vec<_>>()
    };
    let seconds = Some(Unit::Seconds);
    let help = "From the ingest of a tick to the sockets: of the oldest tick that a turn sent to \
                all of a cohort.";
    let latency = read(|c| c.flow().latency_us());
    out.histogram("tick_to_socket", seconds.clone(), help, US, latency)?;
    let help = "A flush, from its first batch of sends to the last.";
    out.histogram("flush_duration", seconds.clone(), help, US, read(|c| c.flow().flush_us()))?;
    let turns = read(ShardCounters::turn_times);
    out.histogram("turn_duration", seconds, "A turn of the shard's loop.", US, turns)?;
    let batches = read(|c| c.flow().batch_sends());
    out.histogram("batch_sends", None, "Sends made with one call.", 1.0, batches)
}

fn overload(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let help = "1 for the state of the memory's breaker, 0 for its other states.";
    let states = by_word(view, "state", |c| {
        let is = c.overload().pressure();
        Pressure::ALL.map(|of| (of.word(), u64::from(of == is))).into()
    });
    out.gauge("breaker_state", help, states)?;
    let help = "Sessions closed for want of memory.";
    out.counter("sessions_shed", help, each(view, |c| c.overload().shed()))?;
    let help = "How late turns begin: p99 over some seconds.";
    out.seconds("turn_lag", help, each_scaled(view, US, |c| c.overload().turn_lag_us()))?;
    let help = "How late ticks are sent, beyond the batching window: p99 over some seconds.";
    out.seconds("tick_lag", help, each_scaled(view, US, |c| c.overload().tick_lag_us()))?;
    let help = "Whether the shard refuses new connections because it is late.";
    out.gauge("lag_refuses", help, each(view, |c| u64::from(c.overload().lag_refuses())))?;
    let help = "The batching window in force.";
    out.seconds("batching_window", help, each_scaled(view, MS, |c| c.overload().window_ms()))
}
