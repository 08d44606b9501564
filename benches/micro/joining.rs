//! How a client comes in: the upgrade, and whether it is let in.

use super::stage::{self, Stage};
use super::time;
use criterion::Criterion;
use std::hint::black_box;
use tapecast::hub::{AdmissionLimits, HubSettings, Refused};
use tapecast::wire::{Parsed, Queries, upgrade};

pub fn register(criterion: &mut Criterion) {
    upgrades(criterion);
    admission(criterion);
}

fn upgrades(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("upgrade");
    for symbols in [0, 1, 50] {
        let wanted: Vec<u32> = (0..symbols).collect();
        let query = if symbols == 0 { String::new() } else { stage::query(&wanted, "quotes") };
        let request = stage::upgrade_request(&query);
        let answer = |queries: &mut Queries| {
            let parsed = upgrade::parse(black_box(&request), false, queries).expect("an upgrade");
            let Parsed::Request { upgrade, .. } = parsed else { panic!("it is whole") };
            let mut out = Vec::with_capacity(512);
            upgrade.response(&mut out);
            out
        };
        group.bench_function(format!("parse-and-answer/{symbols}"), |bencher| {
            bencher.iter(|| answer(&mut Queries::default()));
        });
        let mut queries = Queries::default();
        group.bench_function(format!("parse-and-answer-again/{symbols}"), |bencher| {
            bencher.iter(|| answer(&mut queries));
        });
    }
    group.finish();
}

fn admission(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("admission");
    let address = [192, 0, 2, 1].into();
    let mut stage = Stage::new(1);
    group.bench_function("admit", |bencher| {
        bencher.iter_custom(|count| {
            let refill = |stage: &mut Stage| {
                // The rate's bucket is full again.
                stage.now.ms += 1;
            };
            time(count, &mut stage, refill, |stage| {
                stage.hub.judge(address, stage.now).expect("there is room");
                let (slot, _) = stage.hub.open((address, 5).into(), 1, stage.now);
                stage.hub.receive_ended(slot, 104, stage.now);
                stage.settle();
            })
        });
    });
    let limits = AdmissionLimits { sessions_max: 0, ..AdmissionLimits::default() };
    let settings = HubSettings { admission: limits, ..HubSettings::default() };
    let (mut full, mut out) = (Stage::with(settings, 1), Vec::with_capacity(512));
    let request = stage::upgrade_request("");
    group.bench_function("refuse", |bencher| {
        bencher.iter(|| {
            out.clear();
            let judged = full.hub.judge(address, full.now);
            assert_eq!(judged, Err(Refused::SessionsFull));
            full.hub.answer_refused(Refused::SessionsFull, &request, full.now, &mut out)
        });
    });
    group.finish();
}
