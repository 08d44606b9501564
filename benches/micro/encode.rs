//! One event as one line, and one message of a client as a command.

use super::stage;
use criterion::{Criterion, Throughput};
use std::hint::black_box;
use tapecast::market::{
    BarPrices, BarTotals, Decimal, Head, Quote, Record, RecordBody, SymbolId, Trade,
};
use tapecast::wire::{Encoding, Event, Format, LineEncoder, Names, TimeStyle, command};

const ENCODINGS: [(&str, Encoding); 2] =
    [("json", Encoding::Json), ("msgpack", Encoding::MessagePack)];

pub fn register(criterion: &mut Criterion) {
    lines(criterion);
    commands(criterion);
    records(criterion);
}

struct Texts;

impl Names for Texts {
    fn symbol(&self, _: SymbolId) -> &str {
        "S00001"
    }

    fn code(&self, _: u8) -> &str {
        "V"
    }

    fn conditions(&self, _: u16) -> &str {
        "@,F,T"
    }
}

fn lines(criterion: &mut Criterion) {
    let event_ns = 1_700_000_000_123_456_789;
    let symbol = SymbolId(0);
    let head = Head { symbol, seq: 123_456, event_ns, ingest_ns: 0, price_scale: 2, size_scale: 0 };
    let quote = Quote {
        bid_price: 23_071,
        bid_size: 100,
        ask_price: 23_074,
        ask_size: 1_400,
        bid_exchange: 1,
        ask_exchange: 2,
    };
    let (id, price, size) = (Some(71_003), 23_072, 100);
    let trade = Trade { id, price, size, exchange: 1, tape: 2, conditions: 1 };
    let prices = BarPrices { open: 23_050, high: 23_110, low: 23_001, close: 23_074 };
    let totals = BarTotals { volume: 123_400, trades: 931, vwap: 23_058 };
    let events = [
        ("quote", Event::Quote(head, quote)),
        ("trade", Event::Trade(head, trade)),
        ("bar", Event::Bar(head, prices, totals)),
    ];
    let mut group = criterion.benchmark_group("encode");
    for (encoding_name, encoding) in ENCODINGS {
        for (times_name, times) in [("ns", TimeStyle::Nanos), ("rfc3339", TimeStyle::Rfc3339)] {
            for (event_name, event) in &events {
                let mut encoder = LineEncoder::new(Format { encoding, times });
                let mut out = Vec::with_capacity(1024);
                let name = format!("{encoding_name}/{times_name}/{event_name}");
                group.bench_function(name, |bencher| {
                    bencher.iter(|| {
                        out.clear();
                        encoder.encode(black_box(event), false, &Texts, &mut out);
                        out.len()
                    });
                });
            }
        }
    }
    group.finish();
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    for count in [1, 50, 1_000] {
        let json = stage::subscribe(&(0..count).collect::<Vec<_>>()).into_bytes();
        let value: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
        let msgpack = rmp_serde::to_vec_named(&value).expect("it has a MessagePack form");
        group.throughput(Throughput::Elements(u64::from(count)));
        for ((name, encoding), bytes) in ENCODINGS.into_iter().zip([json, msgpack]) {
            group.bench_function(format!("{name}/{count}"), |bencher| {
                bencher.iter(|| {
                    command::parse(encoding, black_box(&bytes)).expect("it is a subscribe")
                });
            });
        }
    }
    group.finish();
}

/// The feed's side: what a line costs before any shard has it is a part of what a feed can give.
fn records(criterion: &mut Criterion) {
    let mut line = Vec::new();
    let symbol = tapecast::market::Symbol::parse("S00001").expect("short");
    let (price, size) = (Decimal::new(23_071, 2), Decimal::new(100, 0));
    let body = RecordBody::Quote {
        bid: (price, size),
        bid_exchange: "V".into(),
        ask: (price, size),
        ask_exchange: "Q".into(),
    };
    Record { symbol, event_ns: 1_700_000_000_123_456_789, seq: None, body }.write(&mut line);
    criterion.bench_function("record/quote", |bencher| {
        bencher.iter(|| Record::parse(black_box(&line)).expect("it is a record").event_ns);
    });
}
