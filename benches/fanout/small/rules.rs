//! Each rule of what counts, and of the order and length of the runs, with a case that fails
//! without it.

use super::{figures, results_of, run_of};
use crate::feed::Schedule;
use crate::measure::in_turns::Timing;
use crate::measure::{Figures, Latency, Plan};
use crate::results::{CellResults, Outcome, Run};
use crate::servers::{FLOOR_SEND, Server, TAPECAST};
use crate::verdict::Summary;
use crate::workload;
use crate::{plan, results, rounds, search, two_cores, with_compared};
use clap::Parser;
use std::time::Duration;

pub fn check() {
    check_disturbed();
    check_replacement();
    check_floor();
    check_merging();
    check_peers_merging();
    check_late();
    check_saturated();
    check_fewer();
    check_order();
    check_turns();
    check_settled();
    check_session();
}

/// Rounds whose median is later than published are made again with fewer users.
fn check_fewer() {
    let published = workload::cells("L3", 18_000, 90).remove(0).published.expect("it is a row");
    let of_means = |means: [f64; 3]| {
        let results = rounds_of("W2", 3, |_, round, figures| {
            let latency = Latency { mean: 1e3 * means[round], ..Latency::default() };
            figures.latency_us = Some(latency);
        });
        let fewer = search::fewer(&results, &published);
        fewer.map(|(cell, step)| (cell.connections, step.users, step.mean_ms))
    };
    assert_eq!(of_means([5.0, 6.0, 60.0]), None, "the median of them is as published");
    assert_eq!(of_means([5.0, 6.1, 6.2]), Some((4_500, 5_000, 6.1)));
}

/// Tapecast and the floor in so many rounds of a cell, changed by server and round.
fn rounds_of(name: &str, count: usize, change: impl Fn(&str, usize, &mut Figures)) -> CellResults {
    let both = |round| [(FLOOR_SEND, round), (TAPECAST, round)];
    let run = |(server, round)| {
        let mut figures = figures(0.1, 20_000.0);
        change(server, round, &mut figures);
        run_of(server, round, figures)
    };
    results_of(name, (0..count).flat_map(both).map(run).collect())
}

fn late(figures: &mut Figures, p99_us: f64) {
    figures.latency_us = figures.latency_us.map(|latency| Latency { p99: p99_us, ..latency });
}

/// Why the rounds of Tapecast do not count.
fn faults(results: &CellResults) -> Vec<String> {
    let invalid = Summary::new(results, TAPECAST).invalid;
    invalid.into_iter().map(|(round, why)| format!("{round}: {why}")).collect()
}

fn check_disturbed() {
    let results = rounds_of("W2", 4, |server, round, figures| match (server, round) {
        (TAPECAST, 1) => (figures.others_share, figures.server_cpu_s) = (0.06, 99.0),
        (FLOOR_SEND, 2) => figures.others_share = 0.3,
        _ => figures.others_share = 0.05,
    });
    let found = faults(&results);
    let words =
        ["1: others took 6.0 % of the server's core", "2: others took 30.0 % of the floor's core"];
    assert_eq!(found, words);
    let ours = Summary::new(&results, TAPECAST);
    // Of the four the two are in nothing: neither in what it costs nor in how late it is.
    let late = ours.late_ratio(|figures| figures.latency_us.map(|latency| latency.p99));
    let cost = ours.ratio(Figures::cpu_us_per_tick);
    assert_eq!((late.map(|s| s.count), cost.map(|s| s.count)), (Some(2), Some(2)));
    assert_eq!(cost.map(|spread| spread.max), Some(1.0));
    assert!(ours.counts(), "two of the two that nobody disturbed");
    let most = rounds_of("W2", 8, |_, round, figures| {
        figures.others_share = if round == 0 { 0.0 } else { 0.1 };
    });
    assert!(!Summary::new(&most, TAPECAST).counts(), "one of eight is luck");
}

fn check_replacement() {
    let calm = rounds_of("W2", 3, |_, _, _| {});
    assert!(!rounds::needs_another(&calm, 3, 3) && rounds::needs_another(&calm, 2, 3));
    let disturbed = |server: &'static str, rounds: usize| {
        rounds_of("W2", rounds, move |of, round, figures| {
            figures.others_share = if of == server && round == 0 { 0.2 } else { 0.0 };
        })
    };
    for server in [TAPECAST, FLOOR_SEND] {
        assert!(rounds::needs_another(&disturbed(server, 3), 3, 3), "{server}");
        assert!(!rounds::needs_another(&disturbed(server, 4), 4, 3), "{server}");
    }
    let mut peer = calm.clone();
    peer.runs.push(run_of("bun", 0, Figures { others_share: 0.2, ..figures(0.2, 20_000.0) }));
    assert!(!rounds::needs_another(&peer, 3, 3), "a peer's run is its own matter");
    let never = rounds_of("W2", 6, |_, _, figures| figures.others_share = 0.2);
    assert!(!rounds::needs_another(&never, 6, 3), "no more than twice as many");
}

fn check_floor() {
    let mut results = rounds_of("W2", 5, |server, round, figures| match (server, round) {
        (FLOOR_SEND, 1) => figures.missing = 5,
        (FLOOR_SEND, 2) => late(figures, 31_000.0),
        _ => {}
    });
    let Some(run) = results.runs.iter_mut().find(|run| run.server == FLOOR_SEND) else { return };
    run.outcome = Outcome::Failed("it did not start".into());
    let found = faults(&results);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], "0: no floor in this round");
    assert!(found[1].contains("5 updates missing"), "{found:?}");
    assert!(found[2].contains("1.55 times the median of its rounds"), "{found:?}");
    let alone = |run: &Run| run.server == TAPECAST;
    results.runs.retain(alone);
    assert_eq!(Summary::new(&results, TAPECAST).valid_count(), 0, "without any floor");
    let quiet = CellResults { runs: results.runs, ..results_of("W3", Vec::new()) };
    assert_eq!(Summary::new(&quiet, TAPECAST).valid_count(), 5, "at rest there is nothing to send");
}

fn check_merging() {
    // Both merge alike, which neither shows beside the other.
    let merged = |share: f64| {
        move |_: &str, _: usize, figures: &mut Figures| {
            figures.frames = (500_000.0 * share) as u64;
        }
    };
    let found = faults(&rounds_of("W2", 1, merged(0.97)));
    assert!(found[0].contains("merged: 0.97 of a send for every burst and reader"), "{found:?}");
    assert_eq!(faults(&rounds_of("W2", 1, merged(0.985))), Vec::<String>::new());
    // Of S1 four fifths read, and of those all is expected.
    let of_s1 = |share: f64| {
        move |_: &str, _: usize, figures: &mut Figures| {
            figures.ticks = figures.ticks * 4 / 5;
            figures.frames = (400_000.0 * share) as u64;
        }
    };
    assert_eq!(faults(&rounds_of("S1", 1, of_s1(1.0))), Vec::<String>::new());
    assert!(faults(&rounds_of("S1", 1, of_s1(0.93)))[0].contains("merged"));
}

/// In W1 a message is a frame however it was sent: only reads tell.
fn check_peers_merging() {
    let one = |server: &str, reads: u64| {
        let ticks = 5_000 * 25 * 10;
        let figures = Figures { ticks, frames: ticks, bursts: 250, ..figures(0.1, 20_000.0) };
        run_of(server, 0, Figures { reads: reads * ticks / 100, ..figures })
    };
    let fault = |reads: u64| {
        let results = results_of("W1", vec![one(FLOOR_SEND, 100), one("bun", reads)]);
        Summary::new(&results, "bun").invalid.pop().map(|(_, why)| why)
    };
    assert_eq!(fault(95), None, "the load joins some");
    assert_eq!(fault(50).as_deref(), Some("merged: 0.50 of the floor's reads"));
}

/// A round that was too late to count is in the latency all the same.
fn check_late() {
    let late = rounds_of("W2", 3, |server, round, figures| {
        if server == TAPECAST && round == 0 {
            late(figures, 80_000.0);
        }
    });
    let ours = Summary::new(&late, TAPECAST);
    let p99 = |figures: &Figures| figures.latency_us.map(|latency| latency.p99);
    assert_eq!(ours.valid_count(), 2);
    assert_eq!(ours.ratio(p99).map(|s| (s.max, s.count)), Some((1.0, 2)));
    assert_eq!(ours.late_ratio(p99).map(|s| (s.max, s.count)), Some((4.0, 3)));
}

fn check_saturated() {
    let at = |ours: f64, floor: f64| {
        let results = rounds_of("W2", 2, |server, _, figures| {
            figures.server_cpu_s = 10.0 * if server == TAPECAST { ours } else { floor };
        });
        Summary::new(&results, TAPECAST).is_saturated()
    };
    assert!(at(0.97, 0.96) && !at(0.97, 0.9) && !at(0.9, 0.97));
}

fn check_order() {
    assert_eq!(rounds::order(3, 0), [0, 1, 2]);
    let of_two = [0, 1, 2, 3].map(|round| rounds::order(2, round)[0]);
    assert_eq!(of_two, [0, 1, 1, 0], "both begin as often");
    let mut before = [[0; 3]; 3];
    for round in 0..6 {
        for pair in rounds::order(3, round).windows(2) {
            before[pair[1]][pair[0]] += 1;
        }
    }
    assert!(before.iter().flatten().filter(|count| **count > 0).count() == 6, "{before:?}");
}

/// Bursts of both alternate, none of them comes while the other's is sent, and nobody waits for a
/// retransmission timeout who did not before.
fn check_turns() {
    let ms = |ns: i64| ns / 1_000_000;
    let cell = |name: &str| workload::cells(name, 18_000, 90).remove(0);
    let timing = |name: &str| Timing::of(&cell(name));
    for (name, bursts, turn_ms) in
        [("W1", 2, 100), ("W2", 1, 80), ("W4", 10, 120), ("W5", 1, 500), ("L5", 100, 120)]
    {
        let timing = timing(name);
        assert_eq!((timing.bursts, ms(timing.turn_ns)), (bursts, turn_ms), "{name}");
        let pause_ms = ms(2 * timing.turn_ns - (bursts - 1) * timing.every_ns);
        let every_ms = ms(timing.every_ns);
        assert!(pause_ms < 200 || every_ms > 200, "{name}: {pause_ms} ms of pause");
    }
    let w4 = timing("W4");
    let (first, second) = (w4.schedule(0), w4.schedule(w4.turn_ns));
    let at = |schedule: &Schedule| [0, 9, 10].map(|burst| ms(schedule.instant_ns(burst)));
    assert_eq!((at(&first), at(&second)), ([0, 90, 240], [120, 210, 360]));
    assert_eq!(w4.turns_in(Duration::from_millis(450)), 5, "no less than asked for");
    let in_turns = |name: &str| cell(name).at_part(workload::PART).in_turns;
    assert!(["L1", "L3", "L5"].into_iter().all(in_turns));
    assert!(!["L2", "L4", "L6", "M1"].into_iter().any(in_turns), "a pause changes the sends");
    let both = &workload::cells("W1", 18_000, 90)[1];
    let pair_of = |names: &[&str]| {
        let servers: Vec<_> = names.iter().filter_map(|name| Server::named(name).ok()).collect();
        let part = rounds::taking_part(both, &servers);
        part.iter().map(|server| server.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        pair_of(&["bun", "floor-ring", "floor-send", "tapecast"]),
        ["tapecast", "floor-send"]
    );
    assert_eq!(pair_of(&["floor-ring", "tapecast"]), ["tapecast", "floor-ring"]);
}

fn check_settled() {
    let args = crate::args::Args::parse_from(["fanout"]);
    let given = plan(&args);
    let settled = |name: &str, plan: &Plan| plan.settled(&workload::cells(name, 18_000, 90)[0]);
    let seconds = Duration::from_secs;
    let w5 = settled("W5", &given);
    assert_eq!((w5.warmup, w5.window), (seconds(17), seconds(20)));
    // One update a second to each, though there is a burst every 2 ms.
    assert_eq!(settled("L1", &given).warmup, seconds(17));
    // The stalled are full before it counts.
    assert_eq!(settled("S1", &given).warmup, seconds(12));
    for name in ["W2", "W3"] {
        let plan = settled(name, &given);
        assert_eq!((plan.warmup, plan.window), (given.warmup, given.window), "{name}");
    }
    let quick = Plan { quick: true, ..given };
    assert_eq!(settled("W5", &quick).window, quick.window);
    let cells = workload::cells("G1", 18_000, 90);
    let most = cells.iter().filter(|cell| cell.name.contains("connections="));
    let share = |cell: &workload::Cell| 6.7 * cell.readers() / cell.market.every_us as f64;
    assert!(most.map(share).all(|share| (0.66..0.68).contains(&share)), "sends fit a core");
}

fn check_session() {
    let quoted = ["L6 with 16000 users", "L6"].map(|name| results::quoted(name.into()));
    assert_eq!(quoted, ["'L6 with 16000 users'", "L6"]);
    assert!(two_cores(&[0]).is_err_and(|why| why.contains("a core each")));
    assert!(two_cores(&[0, 1]).is_ok());
    let with = |names: &[&str]| with_compared(names.iter().map(|name| name.to_string()).collect());
    assert_eq!(with(&["W1", "S1"]), ["W1", "W2", "S1"]);
    assert_eq!(with(&["S1", "W2"]), ["S1", "W2"]);
    let cells =
        |names: &[&str]| names.iter().flat_map(|n| workload::cells(n, 18_000, 90)).collect();
    let groups = rounds::groups(cells(&["S1", "W1", "W2", "L3"]));
    let names = |group: &Vec<workload::Cell>| {
        group.iter().map(|cell| cell.name.clone()).collect::<Vec<_>>()
    };
    let names: Vec<_> = groups.iter().map(names).collect();
    let expected =
        [vec!["W1"], vec!["W1 in turns"], vec!["W2", "S1"], vec!["W2 in turns"], vec!["L3"]];
    assert_eq!(names, expected, "W2 and S1 take turns");
    let row = workload::cells("L6", 18_000, 90).remove(0);
    let part = row.at_part(workload::PART);
    assert_eq!((part.name.as_str(), part.connections), ("L6 at 65 %", 11_700));
}
