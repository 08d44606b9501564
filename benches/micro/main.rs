//! Times of the pure parts: `cargo bench --bench micro`, and a name after `--` for those that
//! have it in theirs. Without `--bench`, as `cargo test` runs it, each runs once.

mod encode;
mod flush;
mod joining;
mod publish;
#[path = "../stage/mod.rs"]
mod stage;

use criterion::Criterion;
use std::time::{Duration, Instant};

fn main() {
    // Half a second is a hundred flushes to 5,000 clients: enough for a mean within some percent.
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    encode::register(&mut criterion);
    publish::register(&mut criterion);
    flush::register(&mut criterion);
    joining::register(&mut criterion);
    criterion.final_summary();
}

/// The time of `count` operations, each of which is prepared without being timed.
fn time<T>(
    count: u64,
    stage: &mut T,
    mut prepare: impl FnMut(&mut T),
    mut operation: impl FnMut(&mut T),
) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..count {
        prepare(stage);
        let began = Instant::now();
        operation(stage);
        spent += began.elapsed();
    }
    spent
}
