//! What is counted. A case makes its hub, then does the same operation several times.

use super::counting::Meter;
use super::stage::{self, Stage};
use std::hint::black_box;
use tapecast::hub::{AdmissionLimits, HubSettings, Refused};
use tapecast::wire::{Encoding, command};

/// For the comparison, or for a profile of the workload itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    Full,
}

impl Size {
    fn of(self, small: u32, full: u32) -> u32 {
        if self == Size::Small { small } else { full }
    }
}

pub struct Case {
    pub name: &'static str,
    /// What the counts are divided by.
    pub unit: &'static str,
    pub run: fn(Size, &mut Meter),
}

/// By name, as the baseline's file has them.
pub const CASES: [Case; 12] = [
    Case { name: "command-subscribe", unit: "message of 50 symbols", run: command_subscribe },
    Case { name: "flush-alike", unit: "send of 50 quotes", run: flush_alike },
    Case { name: "flush-different", unit: "item", run: flush_different },
    Case { name: "flush-one-json", unit: "quote", run: flush_one_json },
    Case { name: "flush-one-msgpack", unit: "quote", run: flush_one_msgpack },
    Case { name: "join-alike", unit: "client of 50 symbols", run: join_alike },
    Case { name: "join-different", unit: "client of 100 symbols", run: join_different },
    Case { name: "publish-alike", unit: "tick", run: publish_alike },
    Case { name: "publish-different", unit: "item", run: publish_different },
    Case { name: "refuse", unit: "client", run: refuse },
    Case { name: "replay", unit: "trade", run: replay },
    Case { name: "snapshot", unit: "quote", run: snapshot },
];

/// Times that an operation is counted.
const ROUNDS: usize = 5;

/// W2: all clients want the same 50 symbols, each of which has a quote in a flush.
fn alike(size: Size) -> (Stage, Vec<u32>) {
    let symbols: Vec<u32> = (0..50).collect();
    let mut stage = Stage::new(50);
    let query = stage::query(&symbols, "quotes");
    for _ in 0..size.of(1_000, 5_000) {
        stage.connect(&query);
    }
    (stage, symbols)
}

/// L6: every client wants other 100 of 20,000 symbols, of which 2,000 have a quote in a flush.
fn different(size: Size) -> (Stage, Vec<u32>) {
    let (symbols, ticks) = (size.of(2_000, 20_000), size.of(200, 2_000));
    let mut stage = Stage::new(symbols);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..size.of(400, 4_000) {
        let own = stage::some_of(symbols, 100, &mut random);
        stage.connect(&stage::query(&own, "quotes"));
    }
    (stage, (0..ticks).map(|tick| tick * 10 + 3).collect())
}

fn publish_alike(size: Size, meter: &mut Meter) {
    let (mut stage, symbols) = alike(size);
    publish(&mut stage, &symbols, meter, |_| 50);
}

fn publish_different(size: Size, meter: &mut Meter) {
    let (mut stage, symbols) = different(size);
    publish(&mut stage, &symbols, meter, |items| items);
}

/// Only the marking of the ticks. `units` makes units of the items that a flush gave.
fn publish(stage: &mut Stage, symbols: &[u32], meter: &mut Meter, units: fn(u64) -> u64) {
    let items = items_of_flush(stage, symbols);
    for _ in 0..=ROUNDS {
        let ticks: Vec<_> = symbols.iter().map(|symbol| stage.quote(*symbol)).collect();
        meter.count(&mut || {
            ticks.iter().for_each(|tick| stage.hub.tick(tick));
            units(items)
        });
        stage.settle();
    }
}

fn flush_alike(size: Size, meter: &mut Meter) {
    let (mut stage, symbols) = alike(size);
    for _ in 0..=ROUNDS {
        stage.quotes(&symbols);
        meter.count(&mut || stage.settle().sends);
    }
}

fn flush_different(size: Size, meter: &mut Meter) {
    let (mut stage, symbols) = different(size);
    let items = items_of_flush(&mut stage, &symbols);
    for _ in 0..=ROUNDS {
        stage.quotes(&symbols);
        meter.count(&mut || {
            stage.settle();
            items
        });
    }
}

fn items_of_flush(stage: &mut Stage, symbols: &[u32]) -> u64 {
    let before = stage.hub.counters().items_out;
    stage.quotes(symbols);
    stage.settle();
    stage.hub.counters().items_out - before
}

/// The accept's judgement, the upgrade with its subscription, the answers and the snapshot.
fn join_alike(size: Size, meter: &mut Meter) {
    let (mut stage, symbols) = alike(size);
    let request = stage::upgrade_request(&stage::query(&symbols, "quotes"));
    for _ in 0..=ROUNDS {
        meter.count(&mut || {
            stage.begin(&request);
            stage.settle();
            1
        });
    }
}

fn join_different(size: Size, meter: &mut Meter) {
    let (mut stage, _) = different(size);
    let (symbols, mut random) = (size.of(2_000, 20_000), fastrand::Rng::with_seed(2));
    for _ in 0..=4 * ROUNDS {
        let own = stage::some_of(symbols, 100, &mut random);
        let request = stage::upgrade_request(&stage::query(&own, "quotes"));
        meter.count(&mut || {
            stage.begin(&request);
            stage.settle();
            1
        });
    }
}

/// To a client that is there already; what it gets was encoded for nobody yet.
fn snapshot(size: Size, meter: &mut Meter) {
    let symbols = size.of(1_000, 10_000);
    let mut stage = Stage::new(symbols);
    let all: Vec<u32> = (0..symbols).collect();
    for _ in 0..=ROUNDS {
        stage.quotes(&all);
        stage.settle();
        let slot = stage.connect("symbols=S00001&channels=trades&ts=ns");
        stage.say(slot, br#"{"action":"subscribe","quotes":["*"]}"#);
        meter.count(&mut || {
            stage.settle();
            u64::from(symbols)
        });
        stage.leave(slot);
    }
}

/// Of the whole tape, which nobody was sent yet.
fn replay(_: Size, meter: &mut Meter) {
    let mut stage = Stage::with(HubSettings { tape_ticks: 1_000, ..HubSettings::default() }, 1);
    for _ in 0..=ROUNDS {
        (0..1_000).for_each(|_| {
            let trade = stage.trade(0);
            stage.hub.tick(&trade);
        });
        stage.settle();
        let slot = stage.connect("ts=ns");
        stage.say(slot, stage::resume().as_bytes());
        let before = stage.hub.counters().items_out;
        meter.count(&mut || {
            stage.settle();
            stage.hub.counters().items_out - before
        });
        stage.leave(slot);
    }
}

/// A full server judges, and answers the upgrade with a close.
fn refuse(_: Size, meter: &mut Meter) {
    let admission = AdmissionLimits { sessions_max: 0, ..AdmissionLimits::default() };
    let mut stage = Stage::with(HubSettings { admission, ..HubSettings::default() }, 1);
    let request = stage::upgrade_request(&stage::query(&[0], "quotes"));
    let (now, address) = (stage.now, [127, 0, 0, 1].into());
    for _ in 0..=ROUNDS {
        let mut answer = Vec::with_capacity(512);
        meter.count(&mut || {
            let judged = stage.hub.judge(address, now);
            assert_eq!(judged, Err(Refused::SessionsFull));
            stage.hub.answer_refused(Refused::SessionsFull, &request, now, &mut answer);
            1
        });
    }
}

fn command_subscribe(_: Size, meter: &mut Meter) {
    let text = stage::subscribe(&(0..50).collect::<Vec<_>>());
    for _ in 0..=ROUNDS {
        meter.count(&mut || {
            drop(black_box(command::parse(Encoding::Json, text.as_bytes())));
            1
        });
    }
}

fn flush_one_json(_: Size, meter: &mut Meter) {
    flush_one("json", meter);
}

fn flush_one_msgpack(_: Size, meter: &mut Meter) {
    flush_one("msgpack", meter);
}

/// To a single client, so that nearly all of it is the encoding.
fn flush_one(encoding: &str, meter: &mut Meter) {
    let symbols: Vec<u32> = (0..1_000).collect();
    let mut stage = Stage::new(1_000);
    stage.connect(&format!("symbols=*&channels=quotes&ts=ns&encoding={encoding}"));
    for _ in 0..=ROUNDS {
        stage.quotes(&symbols);
        meter.count(&mut || {
            stage.settle();
            symbols.len() as u64
        });
    }
}
