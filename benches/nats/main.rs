//! What a feed from NATS costs the shards, beside the same feed from standard input.
//!
//! `cargo bench --bench nats`; without `--bench` it runs a small mode. The same quotes go at the
//! same rate once by a nats-server, each as a message of its own, and once by a pipe, in turns;
//! `tapecast load` reads all of them. CPU times are those of the server's threads, by /proc, so
//! that what else shares the cores does not count but for their caches.

#[path = "../../tests/nats/server.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod server;

mod feeder;
mod measured;

use feeder::Way;
use measured::{Measured, measure};
use server::{NatsServer, Setup};

/// A number of a run.
type Column = fn(&Measured) -> f64;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    pub connections: usize,
    pub ticks_per_second: u64,
    pub seconds: u64,
}

fn main() {
    let small = !std::env::args().any(|argument| argument == "--bench");
    let plan = match small {
        true => Plan { rounds: 1, connections: 2, ticks_per_second: 1_000, seconds: 1 },
        false => Plan { rounds: 7, connections: 50, ticks_per_second: 10_000, seconds: 5 },
    };
    let nats = NatsServer::start(Setup::default());
    let (mut by_pipe, mut by_nats) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        // Who comes first takes turns.
        let ways = [Way::Pipe, Way::Nats];
        for way in if round % 2 == 0 { ways } else { [Way::Nats, Way::Pipe] } {
            let measured = measure(plan, way, &nats.url());
            println!("{round} {way:?}: {measured:?}");
            match way {
                Way::Pipe => by_pipe.push(measured),
                Way::Nats => by_nats.push(measured),
            }
        }
    }
    let columns: [(&str, Column); 5] = [
        ("shard, us a tick", |m| m.shard_us),
        ("ingest, us a tick", |m| m.ingest_us),
        ("feed's thread, us a tick", |m| m.feed_us),
        ("tick to socket p50, us", |m| m.p50_us),
        ("tick to socket p99, us", |m| m.p99_us),
    ];
    println!("\n| medians of {} | pipe | NATS |\n| --- | --- | --- |", plan.rounds);
    for (name, of) in columns {
        println!("| {name} | {:.2} | {:.2} |", median(&by_pipe, of), median(&by_nats, of));
    }
    let paired = by_pipe.iter().zip(&by_nats).map(|(pipe, nats)| nats.shard_us / pipe.shard_us);
    let mut paired: Vec<f64> = paired.collect();
    paired.sort_by(f64::total_cmp);
    println!("\nshard, NATS / pipe, by pairs: {paired:.3?}");
}

fn median(all: &[Measured], of: Column) -> f64 {
    let mut values: Vec<f64> = all.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
