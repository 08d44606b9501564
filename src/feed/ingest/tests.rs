use super::*;
use crate::feed::Retry;
use crate::feed::{FeedSpec, Subscribed};
use crate::market::{FeedState, Tick, TickBody};
use std::fs;
use std::time::Instant;

/// Pops and counts trades until the feed is down and the inlet empty; the deadline is the test's.
fn trades_until_down(inlet: &Inlet) -> u64 {
    let (mut trades, mut down, start) = (0, false, Instant::now());
    loop {
        match inlet.pop().map(|tick: Tick| tick.body()) {
            Some(TickBody::Trade(head, _)) => {
                trades += 1;
                assert_eq!(head.seq, trades, "every trade, in order");
            }
            Some(TickBody::FeedState { state, .. }) => down = state == FeedState::Down,
            Some(TickBody::Lost { .. }) => panic!("a waiting feed loses nothing"),
            Some(_) => {}
            None if down => return trades,
            None => thread::yield_now(),
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{trades} trades, and no end");
    }
}

fn names(count: usize) -> Vec<String> {
    vec!["replay".to_string(); count]
}

/// Method: the real thread; a file much longer than two small inlets, drained by two threads.
#[test]
fn a_replay_reaches_every_shard_whole() {
    let name = format!("tapecast-ingest-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let line = |n| format!("{{\"T\":\"t\",\"S\":\"A\",\"p\":1.5,\"s\":1,\"t\":{n}}}\n");
    fs::write(&path, (0..20_000).map(line).collect::<String>()).expect("a temporary file");
    let spec: FeedSpec = format!("replay:{},speed=max", path.display()).parse().expect("a spec");
    let nobody: Subscribed = Arc::new(|| 0);
    let source = spec.open(&nobody).expect("the file is there");
    let inlets: Vec<Arc<Inlet>> =
        (0..2).map(|_| Arc::new(Inlet::new(100).expect("a descriptor"))).collect();
    let handle =
        Ingest::spawn(names(1), vec![source], inlets.clone(), "e", 5_000, Retry::default())
            .expect("a thread");
    let shards: Vec<JoinHandle<u64>> =
        inlets.into_iter().map(|inlet| thread::spawn(move || trades_until_down(&inlet))).collect();
    for shard in shards {
        assert_eq!(shard.join().expect("no assertion failed"), 20_000);
    }
    assert!(handle.is_running(), "the end of its feeds is not the thread's");
    let counters = Arc::clone(handle.counters());
    handle.stop();
    handle.join().expect("no panic");
    assert_eq!(counters.feeds[0].records.load(Ordering::Relaxed), 20_000);
    assert_eq!(counters.shards[0].lost.load(Ordering::Relaxed), 0);
    fs::remove_file(&path).expect("it was written above");
}

/// Method: a live feed, and a shard that sleeps by the bell's rule; it must be woken for ticks.
#[test]
fn a_sleeping_shard_is_rung() {
    let spec: FeedSpec = "synthetic:interval_ms=5,burst=2,symbols=2".parse().expect("a spec");
    let nobody: Subscribed = Arc::new(|| 0);
    let inlet = Arc::new(Inlet::new(1_000).expect("a descriptor"));
    let source = spec.open(&nobody).expect("nothing to open");
    let handle = Ingest::spawn(
        names(1),
        vec![source],
        vec![Arc::clone(&inlet)],
        "e",
        5_000,
        Retry::default(),
    )
    .expect("a thread");
    for _ in 0..5 {
        inlet.bell().fall_asleep();
        if inlet.is_empty() {
            let mut poll = libc::pollfd { fd: inlet.bell().fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd that lives across the call, and the count says one.
            let ready = unsafe { libc::poll(&raw mut poll, 1, 10_000) };
            assert_eq!(ready, 1, "the bell rings within the deadline");
        }
        inlet.bell().wake_up();
        while inlet.pop().is_some() {}
    }
    handle.stop();
    handle.join().expect("no panic");
}

#[test]
fn more_feeds_than_the_limit_are_refused() {
    let spec: FeedSpec = "synthetic:symbols=1".parse().expect("a spec");
    let nobody: Subscribed = Arc::new(|| 0);
    let sources: Vec<_> =
        (0..=FEEDS_MAX).map(|_| spec.open(&nobody).expect("nothing to open")).collect();
    let error =
        Ingest::spawn(names(sources.len()), sources, Vec::new(), "e", 5_000, Retry::default())
            .expect_err("one too many");
    assert!(error.to_string().contains("--feed is given 17 times"), "{error}");
}

#[test]
fn the_sooner_rest_wins() {
    assert_eq!(sooner(Rest::Until(5), Rest::Until(3)), Rest::Until(3));
    assert_eq!(sooner(Rest::Wake, Rest::Until(3)), Rest::Until(3));
    assert_eq!(sooner(Rest::Blocked, Rest::Until(3)), Rest::Blocked);
    assert_eq!(sooner(Rest::Blocked, Rest::None), Rest::None);
    assert_eq!(sooner(Rest::Wake, Rest::Wake), Rest::Wake);
}
