//! Publishing: a tick is entered in the tables and marked for each cohort that wants it; nothing
//! is encoded. The flush that follows is not timed.

use super::stage::{self, Stage};
use super::time;
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

pub fn register(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    for symbols in [1, 50, 1_000] {
        group.throughput(Throughput::Elements(u64::from(symbols)));
        let all: Vec<u32> = (0..symbols).collect();
        let mut one = Stage::new(symbols);
        one.connect(&stage::query(&all, "quotes"));
        measure(&mut group, &format!("1-cohort/{symbols}"), &mut one, &all);
        let mut many = Stage::new(symbols + 1_000);
        for own in symbols..symbols + 1_000 {
            // A symbol of its own makes it a cohort of its own.
            let wanted: Vec<u32> = all.iter().copied().chain([own]).collect();
            many.connect(&stage::query(&wanted, "quotes"));
        }
        assert_eq!(many.hub.cohorts(), 1_000);
        measure(&mut group, &format!("1000-cohorts/{symbols}"), &mut many, &all);
        let mut star = Stage::new(symbols);
        star.connect("symbols=*&channels=quotes&ts=ns");
        measure(&mut group, &format!("star/{symbols}"), &mut star, &all);
    }
    group.finish();
}

fn measure(group: &mut BenchmarkGroup<WallTime>, name: &str, stage: &mut Stage, symbols: &[u32]) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|count| {
            let mut ticks = Vec::new();
            let mut spent = std::time::Duration::ZERO;
            // Ticks of many rounds between two flushes, or a round of one would be all clock.
            let rounds = (1_000 / symbols.len() as u64).max(1);
            let mut left = count;
            while left > 0 {
                let now = left.min(rounds);
                left -= now;
                ticks.clear();
                for _ in 0..now {
                    ticks.extend(symbols.iter().map(|symbol| stage.quote(*symbol)));
                }
                spent += time(
                    1,
                    stage,
                    |_| (),
                    |stage| {
                        ticks.iter().for_each(|tick| stage.hub.tick(tick));
                    },
                );
                stage.settle();
            }
            spent
        });
    });
}
