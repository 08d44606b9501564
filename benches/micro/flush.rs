//! What clients get: a cohort's flush, and what one client gets for itself.

use super::stage::{self, Stage};
use super::time;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use tapecast::hub::HubSettings;
use tapecast::market::Tick;

pub fn register(criterion: &mut Criterion) {
    cohorts(criterion);
    [4_000, 16_000].into_iter().for_each(|clients| different(criterion, clients));
    snapshots(criterion);
    replay(criterion);
    scattered(criterion);
}

/// 50 quotes to a cohort: encoded once, sent to each member.
fn cohorts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flush");
    let symbols: Vec<u32> = (0..50).collect();
    for members in [1, 5_000] {
        for (kind, rate) in [("window", ""), ("rated", "&max_hz=1000")] {
            let mut stage = Stage::new(50);
            let query = format!("{}{rate}", stage::query(&symbols, "quotes"));
            for _ in 0..members {
                stage.connect(&query);
            }
            group.throughput(Throughput::Elements(members));
            let name = format!("{kind}/{members}");
            flushes(&mut group, &name, &mut stage, &symbols, members);
        }
    }
    group.finish();
}

/// Clients each with another 100 of 20,000 symbols, of which 2,000 have a quote.
fn different(criterion: &mut Criterion, clients: u32) {
    let mut group = criterion.benchmark_group("flush");
    let mut stage = Stage::new(20_000);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..clients {
        let own = stage::some_of(20_000, 100, &mut random);
        stage.connect(&stage::query(&own, "quotes"));
    }
    let ticked: Vec<u32> = (0..2_000).map(|tick| tick * 10 + 3).collect();
    let before = stage.hub.counters().items_out;
    stage.quotes(&ticked);
    let sends = stage.settle().sends;
    group.throughput(Throughput::Elements(stage.hub.counters().items_out - before));
    flushes(&mut group, &format!("different/{clients}"), &mut stage, &ticked, sends);
    group.bench_function(format!("different/{clients}/marking"), |bencher| {
        bencher.iter_custom(|count| {
            let prepare = |(stage, ticks): &mut (&mut Stage, Vec<Tick>)| {
                stage.settle();
                *ticks = ticked.iter().map(|symbol| stage.quote(*symbol)).collect();
            };
            time(count, &mut (&mut stage, Vec::new()), prepare, |(stage, ticks)| {
                ticks.iter().for_each(|tick| stage.hub.tick(tick));
            })
        });
    });
    group.finish();
}

fn flushes(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    stage: &mut Stage,
    symbols: &[u32],
    sends: u64,
) {
    let tick = |stage: &mut Stage| {
        // A cohort with a rate of 1,000 a second is due again.
        stage.now.ms += 1;
        stage.quotes(symbols);
    };
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            time(count, stage, tick, |stage| assert_eq!(stage.settle().sends, sends))
        });
    });
}

/// The latest quotes of all symbols, to a client that has just asked. Those of 50 symbols are
/// encoded already, since the arena keeps them; those of 10,000 are more than it keeps.
fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for symbols in [50, 10_000] {
        let mut stage = Stage::new(symbols);
        group.throughput(Throughput::Elements(u64::from(symbols)));
        group.bench_function(symbols.to_string(), |bencher| {
            bencher.iter_custom(|count| {
                joining(count, &mut stage, br#"{"action":"subscribe","quotes":["*"]}"#, |stage| {
                    assert!(stage.settle().bytes > u64::from(symbols) * 90);
                })
            });
        });
    }
    group.finish();
}

/// A client that comes back is owed the last 1,000 trades of its symbol.
fn replay(criterion: &mut Criterion) {
    let mut stage = Stage::with(HubSettings { tape_ticks: 1_000, ..HubSettings::default() }, 1);
    (0..1_000).for_each(|_| {
        let trade = stage.trade(0);
        stage.hub.tick(&trade);
    });
    stage.settle();
    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("1000", |bencher| {
        bencher.iter_custom(|count| {
            joining(count, &mut stage, stage::resume().as_bytes(), |stage| {
                assert!(stage.settle().bytes > 1_000 * 80);
            })
        });
    });
    group.finish();
}

/// The same where the symbol's trades lie far apart on a long tape: each on a page of its own.
fn scattered(criterion: &mut Criterion) {
    // In the small mode a page each would take seconds.
    let symbols = if std::env::args().any(|argument| argument == "--bench") { 1_000 } else { 2 };
    let tape_ticks = 1_000 * symbols as usize;
    let settings = HubSettings { tape_ticks, ..HubSettings::default() };
    let mut stage = Stage::with(settings, symbols);
    for _ in 0..1_000 {
        (0..symbols).for_each(|symbol| {
            let trade = stage.trade(symbol);
            stage.hub.tick(&trade);
        });
        stage.settle();
    }
    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("1000-scattered", |bencher| {
        bencher.iter_custom(|count| {
            joining(count, &mut stage, stage::resume().as_bytes(), |stage| {
                assert!(stage.settle().bytes > 1_000 * 80);
            })
        });
    });
    group.finish();
}

/// Times what a client is owed after a message, not the message.
fn joining(
    count: u64,
    stage: &mut Stage,
    message: &[u8],
    operation: impl FnMut(&mut Stage),
) -> std::time::Duration {
    let mut slot = None;
    let spent = time(
        count,
        stage,
        |stage| {
            slot.take().into_iter().for_each(|slot| stage.leave(slot));
            let fresh = stage.connect("ts=ns");
            stage.say(fresh, message);
            slot = Some(fresh);
        },
        operation,
    );
    slot.into_iter().for_each(|slot| stage.leave(slot));
    spent
}
