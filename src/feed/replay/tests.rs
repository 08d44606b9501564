use super::*;
use crate::feed::{FeedKind, FeedSpec};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SECOND: i64 = 1_000_000_000;

/// A file of its own for each test, removed at its end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Temporary {
        let name = format!("tapecast-replay-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).expect("the temporary folder takes files");
        Temporary(path)
    }

    fn replay(&self, options: &str) -> Replay {
        let nobody: Subscribed = Arc::new(|| 0);
        self.replay_for(options, &nobody)
    }

    fn replay_for(&self, options: &str, subscribed: &Subscribed) -> Replay {
        let text = format!("replay:{}{options}", self.0.display());
        let Ok(FeedSpec { kind: FeedKind::Replay(spec), .. }) = text.parse() else {
            panic!("{text}")
        };
        Replay::open(&spec, subscribed).expect("the file is there")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("it was written by this test");
    }
}

/// Trades at seconds 1, 2, 3 …, one line each.
fn text(count: i64) -> String {
    let line = |n| format!("{{\"T\":\"t\",\"S\":\"A\",\"p\":1,\"s\":1,\"t\":{}}}\n", n * SECOND);
    (1..=count).map(line).collect()
}

/// Event times, in seconds, of one poll, and what came after them.
fn poll(replay: &mut Replay, now_ns: i64) -> (Vec<i64>, Next) {
    let mut times = Vec::new();
    let next = replay.poll(now_ns, 1_000, &mut |record| {
        times.push(record.event_ns / SECOND);
        Ok(())
    });
    (times, next)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

#[test]
fn plain_gzip_and_zstd_are_told_by_their_first_bytes() {
    let plain = text(4);
    let (first, second) = plain.as_bytes().split_at(50);
    let members = [gzip(first), gzip(second)].concat();
    let frames = [first, second].map(|part| zstd::encode_all(part, 1).expect("a Vec takes all"));
    for (name, bytes) in
        [("plain", plain.as_bytes()), ("gzip", &members), ("zstd", &frames.concat())]
    {
        let file = Temporary::new(name, bytes);
        let mut replay = file.replay(",speed=max");
        assert_eq!(poll(&mut replay, 0), (vec![1, 2, 3, 4], Next::Ended), "{name}");
    }
    let empty = Temporary::new("empty", b"");
    assert_eq!(poll(&mut empty.replay(""), 0), (vec![], Next::Ended));
}

#[test]
fn speed_paces_by_event_times() {
    let file = Temporary::new("speed", text(3).as_bytes());
    let mut replay = file.replay(",speed=10");
    assert_eq!(poll(&mut replay, 500), (vec![1], Next::At(500 + SECOND / 10)));
    assert_eq!(poll(&mut replay, 501), (vec![], Next::At(500 + SECOND / 10)));
    // The clock is set back by 400 ns: so is what is due.
    assert_eq!(poll(&mut replay, 101), (vec![], Next::At(100 + SECOND / 10)));
    assert_eq!(poll(&mut replay, 10 * SECOND), (vec![2, 3], Next::Ended));
}

#[test]
fn loop_starts_over_and_restamp_gives_times_of_now() {
    let file = Temporary::new("loop", text(2).as_bytes());
    let mut replay = file.replay(",speed=max,loop");
    assert_eq!(poll(&mut replay, 0), (vec![1, 2], Next::Again));
    assert_eq!(poll(&mut replay, 0), (vec![1, 2], Next::Again));
    let mut replay = file.replay(",speed=max,loop,restamp");
    assert_eq!(poll(&mut replay, 7 * SECOND), (vec![7, 7], Next::More));
    let bad = Temporary::new("loop-bad", b"nonsense\n");
    let mut replay = bad.replay(",loop");
    let (_, Next::Failed(why)) = poll(&mut replay, 0) else { panic!("no good line") };
    assert!(why.contains("no good line") && replay.bad_lines_count() == 1, "{why}");
}

#[test]
fn wait_holds_until_sessions_have_subscribed() {
    let file = Temporary::new("wait", text(1).as_bytes());
    let sessions = Arc::new(AtomicU64::new(1));
    let count = Arc::clone(&sessions);
    let subscribed: Subscribed = Arc::new(move || count.load(Ordering::Relaxed));
    let mut replay = file.replay_for(",wait=2", &subscribed);
    assert_eq!(poll(&mut replay, 5), (vec![], Next::At(5 + WAIT_POLL_NS)));
    sessions.store(2, Ordering::Relaxed);
    assert_eq!(poll(&mut replay, 5), (vec![1], Next::Ended));
}

#[test]
fn the_budget_bounds_a_poll() {
    let file = Temporary::new("budget", text(100).as_bytes());
    let mut replay = file.replay(",speed=max");
    let mut given = 0;
    while replay.poll(0, 7, &mut |_| {
        given += 1;
        Ok(())
    }) == Next::More
    {
        assert!(given <= 100);
    }
    assert_eq!(given, 100);
}

/// Method: a gzip file cut short and one with a wrong byte; what came before still comes.
#[test]
fn a_damaged_file_fails_with_its_name() {
    let mut whole = gzip(text(5_000).as_bytes());
    let cut = Temporary::new("cut", &whole[..whole.len() / 2]);
    let middle = whole.len() / 2;
    whole[middle..middle + 40].fill(0xff);
    let wrong = Temporary::new("wrong", &whole);
    for file in [cut, wrong] {
        let mut replay = file.replay(",speed=max");
        let mut given = 0;
        let why = loop {
            match replay.poll(0, 100, &mut |_| {
                given += 1;
                Ok(())
            }) {
                Next::More => {}
                Next::Failed(why) => break why,
                other => panic!("{other:?}"),
            }
        };
        assert!(given > 0 && why.contains("tapecast-replay") && why.contains("damaged"), "{why}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_at_the_start() {
    let nobody: Subscribed = Arc::new(|| 0);
    for (path, word) in [("/nowhere/file.gz", "/nowhere/file.gz"), ("/", "regular file")] {
        let spec: FeedSpec = format!("replay:{path}").parse().expect("a replay");
        let error = spec.open(&nobody).err().expect("it cannot be read").to_string();
        assert!(error.contains(word) && error.starts_with("--feed replay"), "{error}");
    }
}

/// Method: a fault in the middle of a pass; what came before it is not given again, nor the fault.
#[test]
fn a_replay_that_died_goes_on_behind_the_line_it_died_of() {
    let text = text(3) + "{\"T\":\"fault\"}\n" + &text(5);
    let file = Temporary::new("fault", text.as_bytes());
    let mut replay = file.replay(",speed=max");
    replay.enable_faults();
    let (mut times, now_ns) = (Vec::new(), 5);
    let died = crate::panics::catch(|| {
        replay.poll(now_ns, 1_000, &mut |record| {
            times.push(record.event_ns / SECOND);
            Ok(())
        })
    });
    let message = died.expect_err("it panics").message;
    assert_eq!((&times[..], message), (&[1, 2, 3][..], "a fault was asked for by line 4".into()));
    assert_eq!(replay.reopen(), Some(Ok(())));
    let (rest, next) = poll(&mut replay, now_ns);
    assert_eq!((rest, next), (vec![1, 2, 3, 4, 5], Next::Ended));
}
