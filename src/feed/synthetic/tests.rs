use super::*;
use crate::feed::{FeedKind, FeedSpec};
use std::collections::HashMap;

const MS: i64 = 1_000_000;

fn source(options: &str) -> Synthetic {
    let text = format!("synthetic:{options}");
    let Ok(FeedSpec { kind: FeedKind::Synthetic(spec), .. }) = text.parse() else {
        panic!("{text}")
    };
    Synthetic::new(&spec)
}

/// Polls until nothing more is due at `now_ns`; lines of the records, and the next time.
fn drain(source: &mut Synthetic, now_ns: i64) -> (Vec<String>, i64) {
    let mut lines = Vec::new();
    loop {
        let next = source.poll(now_ns, 64, &mut |record| {
            let mut line = Vec::new();
            record.write(&mut line);
            lines.push(String::from_utf8(line).expect("JSON"));
            Ok(())
        });
        match next {
            Next::More => {}
            Next::At(at_ns) => return (lines, at_ns),
            other => panic!("{other:?}"),
        }
    }
}

fn symbol_of(line: &str) -> String {
    Record::parse(line.as_bytes()).expect("what is written is a line").symbol.to_string()
}

#[test]
fn bursts_are_exact() {
    let options = "interval_ms=100,burst=50,symbols=50,names=SYM,test_symbols=off,trades=0";
    let (mut source, start) = (source(options), 7 * SECOND_NS);
    for round in 0..5 {
        let now = start + round * 100 * MS;
        // Late by 3 ms every other time: the instant is still the round's.
        let (lines, next) = drain(&mut source, now + (round % 2) * 3 * MS);
        let mut symbols: Vec<String> = lines.iter().map(|line| symbol_of(line)).collect();
        symbols.dedup();
        assert_eq!((lines.len(), symbols.len(), next), (50, 50, now + 100 * MS));
        assert_eq!((symbols[0].as_str(), symbols[49].as_str()), ("SYM0001", "SYM0050"));
        for line in lines {
            let record = Record::parse(line.as_bytes()).expect("a line");
            assert_eq!(record.event_ns, now);
            assert!(matches!(record.body, RecordBody::Quote { .. }));
        }
    }
}

#[test]
fn the_rate_is_kept_whenever_it_is_polled() {
    let mut source = source("rate=20000,test_symbols=off");
    let (mut now, mut given, mut random) = (SECOND_NS, 0, Rng::with_seed(3));
    drain(&mut source, now);
    while now < 3 * SECOND_NS {
        now += random.i64(1..20 * MS);
        given += drain(&mut source, now).0.len();
    }
    let expected = (now - SECOND_NS) as f64 * 20_000.0 / 1e9;
    assert!((given as f64 - expected).abs() <= 1.0, "{given} of {expected}");
    let (lines, next) = drain(&mut source, now);
    assert_eq!((lines.len(), next), (0, now + BATCH_NS));
}

/// Method: a second at one pace, a second at another; what was not due then is not made up for.
#[test]
fn another_pace_holds_from_its_moment_on() {
    let mut source = source("rate=100,test_symbols=off");
    let given = |source: &mut Synthetic, second: i64| {
        let steps = (0..1_000).map(|step| second * SECOND_NS + step * MS);
        steps.map(|now_ns| drain(source, now_ns).0.len()).sum::<usize>()
    };
    assert_eq!(given(&mut source, 1), 100);
    source.set_pace(Pace::Rate(1_000));
    assert_eq!(given(&mut source, 2), 1_000);
    source.set_pace(Pace::Bursts { interval_ms: 500, burst: 3 });
    assert_eq!(given(&mut source, 3), 6);
    source.set_pace(Pace::Bursts { interval_ms: 500, burst: 3 });
    assert_eq!(given(&mut source, 4), 6, "the same pace begins nothing anew");
}

/// Method: polled an hour late, and then with a clock that is set back a day.
#[test]
fn backlog_is_bounded_and_clocks_may_jump() {
    let mut source = source("rate=1000,test_symbols=off");
    let day = 86_400 * SECOND_NS;
    drain(&mut source, day);
    let (late, _) = drain(&mut source, day + 3_600 * SECOND_NS);
    assert!((1_000..=1_001).contains(&late.len()), "{}", late.len());
    let (back, next) = drain(&mut source, 5 * SECOND_NS);
    assert!(back.len() == 1 && next <= 6 * SECOND_NS, "{} {next}", back.len());
}

#[test]
fn the_seed_decides_and_prices_stay_above_zero() {
    let run = |options: &str, steps: &[i64]| {
        let mut source = source(options);
        let mut now = SECOND_NS;
        let mut all = drain(&mut source, now).0;
        for step in steps.iter().cycle().take(400) {
            now += step;
            all.extend(drain(&mut source, now).0);
        }
        let without_time = |line: String| line.split(",\"t\"").next().map(str::to_string);
        all.into_iter().filter_map(without_time).collect::<Vec<_>>()
    };
    let often = run("rate=5000,seed=5", &[5 * MS]);
    let seldom = run("rate=5000,seed=5", &[9 * MS, MS]);
    assert_eq!(often, seldom);
    assert_ne!(often, run("rate=5000,seed=6", &[5 * MS]));
    assert!(often.len() > 10_000 && !often.iter().any(|l| l.contains(":-") || l.contains(":0,")));
    let trades = often.iter().filter(|l| l.starts_with("{\"T\":\"t\"")).count();
    assert!((8..16).contains(&(trades * 100 / often.len())), "{trades} of {}", often.len());
}

#[test]
fn test_symbols_quote_and_trade_once_a_second() {
    let mut source = source("rate=1,symbols=1");
    let mut counts: HashMap<String, [u32; 2]> = HashMap::new();
    for step in 0..4_000 {
        for line in drain(&mut source, SECOND_NS + step * MS).0 {
            let kind = usize::from(line.starts_with("{\"T\":\"t\""));
            counts.entry(symbol_of(&line)).or_default()[kind] += 1;
        }
    }
    assert_eq!(counts.len(), 27);
    let tests = counts.iter().filter(|(name, _)| name.starts_with("TEST."));
    assert!(tests.into_iter().all(|(_, both)| *both == [4, 4]), "{counts:?}");
}
