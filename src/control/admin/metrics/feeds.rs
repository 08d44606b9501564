//! What each feed counts.

use super::super::view::{FeedView, View, age_ms};
use super::families::{Families, Labels};
use crate::feed::nats::NatsCounters;
use crate::feed::{FeedCondition, FeedCounters, IntakeCounters};
use prometheus_client::registry::Unit;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

pub fn write(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let label = |name: &str| -> Labels { vec![("feed", name.to_string())] };
    let each = |of: fn(&FeedCounters) -> u64| {
        let rows = view.feeds().map(|(feed, counters)| (label(&feed.name), of(counters)));
        rows.collect::<Vec<_>>()
    };
    let states = view.feeds().flat_map(|(feed, counters)| {
        let is = counters.condition();
        let row = |of: FeedCondition| {
            let labels = vec![("feed", feed.name.clone()), ("state", of.word().to_string())];
            (labels, u64::from(of == is))
        };
        FeedCondition::ALL.map(row)
    });
    out.gauge("feed_state", "1 for how the feed is doing, 0 for the other states.", states)?;
    let ages = view.feeds().filter_map(|(feed, counters)| {
        Some((label(&feed.name), age_ms(counters)? as f64 / 1_000.0))
    });
    out.seconds("feed_age", "Since the feed's newest tick; nothing before the first.", ages)?;
    let help = "Ticks that the feed gave.";
    out.counter("feed_ticks", help, each(|c| c.records.load(Ordering::Relaxed)))?;
    let help = "Lines of the feed that were no records.";
    out.counter("feed_bad_lines", help, each(|c| c.bad_lines.load(Ordering::Relaxed)))?;
    let help = "Records without a number: another feed's symbol, or one symbol too many.";
    out.counter("feed_refused_records", help, each(|c| c.refused.load(Ordering::Relaxed)))?;
    let help = "Records of symbols that the feed's options leave out.";
    out.counter("feed_filtered_records", help, each(|c| c.filtered.load(Ordering::Relaxed)))?;
    nats(view, out)?;
    publishers(view, out)?;
    let help = "Trades in no bar: they came after its close, or their time cannot be right.";
    out.counter("feed_late_trades", help, each(|c| c.late_trades.load(Ordering::Relaxed)))?;
    let help = "Starts of the feed after it had failed.";
    out.counter("feed_reconnects", help, each(FeedCounters::reconnects))?;
    let symbols = view.ingest.symbols.load(Ordering::Relaxed);
    out.gauge("symbols", "Symbols of all feeds.", [(vec![], symbols)])?;
    let dropped = view.ingest.codes_dropped.load(Ordering::Relaxed);
    out.counter("codes_dropped", "Codes that a tick went without.", [(vec![], dropped)])
}

/// Of feeds from NATS.
fn nats(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let each = |of: fn(&NatsCounters) -> u64| {
        let row = |(feed, counters): (&FeedView, &FeedCounters)| {
            let labels: Labels = vec![("feed", feed.name.clone())];
            counters.nats.as_ref().map(|nats| (labels, of(nats)))
        };
        view.feeds().filter_map(row).collect::<Vec<_>>()
    };
    let help = "Connections to NATS that were made again.";
    out.counter("nats_reconnects", help, each(|n| n.link.reconnects()))?;
    let help = "Times that the NATS client dropped a message that was not taken quickly enough.";
    out.counter("nats_slow_consumer", help, each(|n| load(&n.link.slow_consumer)))?;
    let help = "Times that a NATS server said that it will go away.";
    out.counter("nats_lame_duck", help, each(|n| load(&n.link.lame_duck)))?;
    let help = "Errors of the connection to NATS.";
    out.counter("nats_errors", help, each(|n| load(&n.link.errors)))?;
    let help = "Times that the stream was read again after something was missed.";
    out.counter("nats_resyncs", help, each(|n| load(&n.resyncs)))?;
    let help = "Messages that were read from the stream.";
    out.counter("nats_history_messages", help, each(|n| load(&n.history_messages)))?;
    let help = "Messages of publishers that had been succeeded.";
    out.counter("nats_dropped_by_term", help, each(|n| load(&n.dropped_by_term)))?;
    let help = "Messages of an epoch that was not in force.";
    out.counter("nats_dropped_by_epoch", help, each(|n| load(&n.dropped_by_epoch)))?;
    let help = "Messages that no publisher of ours can have sent.";
    out.counter("nats_strange_messages", help, each(|n| load(&n.strange)))
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Of feeds whose lines others bring.
fn publishers(view: &View, out: &mut Families<'_>) -> fmt::Result {
    let each = |of: fn(&IntakeCounters) -> &AtomicU64| {
        let feeds = view.feeds().filter(|(feed, _)| feed.takes_publishers);
        let row = |(feed, counters): (&FeedView, &FeedCounters)| {
            let labels: Labels = vec![("feed", feed.name.clone())];
            (labels, of(&counters.intake).load(Ordering::Relaxed))
        };
        feeds.map(row).collect::<Vec<_>>()
    };
    out.gauge("feed_connections", "Open connections of publishers.", each(|i| &i.connections))?;
    let help = "Connections of publishers that were one too many.";
    out.counter("feed_connections_refused", help, each(|i| &i.turned_away))?;
    let help = "What publishers have sent.";
    out.counter_of("feed_received", Some(Unit::Bytes), help, each(|i| &i.bytes))?;
    let help = "Lines of publishers, good and bad, without blank ones and requests.";
    out.counter("feed_lines", help, each(|i| &i.lines))
}
