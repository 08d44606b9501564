use super::*;

#[test]
fn texts_mean_what_they_say() {
    let synthetic = |text: &str| match text.parse() {
        Ok(FeedSpec { kind: FeedKind::Synthetic(spec), .. }) => spec,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(synthetic("synthetic"), SyntheticSpec::default());
    let spec = synthetic("synthetic:symbols=50,names=SYM,interval_ms=100,burst=50,trades=0");
    assert_eq!(spec.pace, Pace::Bursts { interval_ms: 100, burst: 50 });
    assert_eq!((spec.symbols, spec.trades_percent), (50, 0));
    assert_eq!((spec.names.as_deref(), spec.test_symbols), (Some("SYM"), true));
    let spec = synthetic("synthetic:rate=7,seed=9,test_symbols=off");
    assert_eq!((spec.pace, spec.seed, spec.test_symbols), (Pace::Rate(7), 9, false));
    let replay = |text: &str| match text.parse() {
        Ok(FeedSpec { kind: FeedKind::Replay(spec), .. }) => spec,
        other => panic!("{text}: {other:?}"),
    };
    let spec = replay("replay:a,b=c.gz,speed=max,loop,wait=3,restamp");
    let expected =
        ReplaySpec { path: "a,b=c.gz".into(), speed: None, repeat: true, wait: 3, restamp: true };
    assert_eq!(spec, expected);
    let spec = replay("replay:C:x,speed=0.5,only=A|B");
    assert_eq!((spec.path, spec.speed), ("C:x".into(), Some(0.5)));
    for (text, line) in [("stdin", None), ("stdin:only=A,line=itch-1", Some("itch-1"))] {
        let spec: FeedSpec = text.parse().expect(text);
        assert_eq!((&spec.kind, spec.line()), (&FeedKind::Stdin, line));
    }
}

#[test]
fn places_where_publishers_arrive_have_limits() {
    let parse = |text: &str| text.parse::<FeedSpec>().expect(text);
    let spec = parse("tcp:[::1]:9100,connections=5,rate=10,idle_s=60,only=A,line=x");
    let FeedKind::Tcp(tcp) = &spec.kind else { panic!("{spec:?}") };
    assert_eq!((tcp.address, spec.line()), ("[::1]:9100".parse().expect("it"), Some("x")));
    let limits = IntakeLimits { connections: 5, lines_per_second: Some(10), idle_s: Some(60) };
    assert_eq!((tcp.limits, spec.publishers_max()), (limits, Some(5)));
    let spec = parse("unix:/run/a,b.sock");
    let FeedKind::Unix(unix) = &spec.kind else { panic!("{spec:?}") };
    assert_eq!((unix.path.to_str(), unix.mode), (Some("/run/a,b.sock"), 0o660));
    assert_eq!((spec.publishers_max(), unix.limits.lines_per_second), (Some(64), None));
    assert_eq!((parse("api").kind, parse("api:only=A").kind()), (FeedKind::Api, "api"));
}

#[test]
fn feeds_that_differ_in_pace_alone_are_told_from_others() {
    let same = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|text| text.parse::<FeedSpec>().expect("a spec"));
        a.is_same_but_pace(&b)
    };
    assert!(same("synthetic", "synthetic:rate=5"));
    assert!(same("synthetic:rate=5", "synthetic:interval_ms=5,burst=1"));
    assert!(same("replay:a,loop", "replay:a,loop") && same("stdin", "stdin"));
    assert!(!same("synthetic", "synthetic:rate=5,seed=2"));
    assert!(!same("replay:a", "replay:a,speed=2") && !same("stdin", "synthetic"));
}

/// Method: wrong texts; each message must have these words.
#[test]
fn errors_name_key_value_and_cure() {
    for (text, words) in [
        ("nasdaq", vec!["nasdaq", "replay:PATH"]),
        ("stdin:x", vec!["stdin", "\"x\"", "only="]),
        ("stdin:only=", vec!["only=", "only=AAPL|BRK.*", "empty"]),
        ("stdin:except=A|*", vec!["except=A|*", "\"*\"", "empty"]),
        ("stdin:only=A B", vec!["only=A B", "0x20"]),
        ("stdin:map=A", vec!["map=A", "map=OLD:NEW"]),
        ("stdin:map=A:B:C", vec!["A:B:C", "OLD:NEW"]),
        ("stdin:map=A:B|C:B", vec!["two symbols become B"]),
        ("stdin:map=A:B|A:C", vec!["A is renamed twice"]),
        ("stdin:line=a b", vec!["line=a b", "letters"]),
        ("synthetic:line=a", vec!["line=a", "sq"]),
        ("synthetic:rat=5", vec!["\"rat=5\"", "rate="]),
        ("synthetic:rate=0", vec!["rate=0", "from 1 to"]),
        ("synthetic:rate=fast", vec!["rate=fast"]),
        ("synthetic:symbols=100000", vec!["symbols=100000", "99974"]),
        ("synthetic:rate=5,burst=5", vec!["rate", "interval_ms"]),
        ("synthetic:burst=5", vec!["give both"]),
        ("synthetic:seed=1,seed=2", vec!["seed", "twice"]),
        ("synthetic:trades=101", vec!["trades=101", "100"]),
        ("synthetic:names=A B", vec!["names=A B", "0x20"]),
        ("synthetic:names=", vec!["names=", "prefix"]),
        ("synthetic:test_symbols=no", vec!["test_symbols=no", "on or off"]),
        ("tcp", vec!["tcp", "no address", "tcp:127.0.0.1:9100"]),
        ("tcp:localhost:1", vec!["localhost:1", "no address"]),
        ("tcp:127.0.0.1:1,rat=5", vec!["127.0.0.1:1,rat=5", "options"]),
        ("tcp:127.0.0.1:1,rate=5,rat=5", vec!["\"rat=5\"", "connections="]),
        ("tcp:127.0.0.1:1,connections=0", vec!["connections=0", "from 1 to"]),
        ("tcp:127.0.0.1:1,idle_s=0", vec!["idle_s=0", "from 1 to"]),
        ("unix:,rate=5", vec!["unix", "path"]),
        ("unix:/x,mode=99", vec!["mode=99", "octal", "660"]),
        ("unix:/x,mode=7777", vec!["mode=7777", "octal"]),
        ("api:rate=5", vec!["api", "rate=5", "only="]),
        ("replay", vec!["path"]),
        ("replay:loop", vec!["path"]),
        ("replay:x,loop,sped=1", vec!["sped=1", "speed="]),
        ("replay:x,speed=-1", vec!["speed=-1", "max"]),
        ("replay:x,speed=nan", vec!["speed=nan"]),
        ("replay:x,wait=soon", vec!["wait=soon"]),
        ("replay:x,loop,line=a", vec!["line=a", "without loop"]),
        ("replay:x,loop,loop", vec!["loop", "twice"]),
    ] {
        let error = text.parse::<FeedSpec>().expect_err(text).to_string();
        let named = |word: &&str| error.contains(*word);
        assert!(words.iter().all(named), "{text}: {error}");
    }
}
