//! Method: streams are written as JSON, as a server would send them, one frame a string, and go
//! through digest and checker; the violations found are compared.

use super::*;
use crate::cli::load::dialect::Form;
use crate::cli::load::interest::Draw;
use crate::market::ChannelSet;

const SECOND: u64 = 1_000_000_000;
const GREETING: &str = r#"[{"T":"success","msg":"connected","v":1}]"#;

fn ledger(names: Option<&[&str]>) -> Ledger {
    let names: Option<Vec<String>> =
        names.map(|names| names.iter().map(|n| n.to_string()).collect());
    let channels = ChannelSet::of(Channel::Trades).with(ChannelSet::of(Channel::Quotes));
    let mut symbols = SymbolTable::default();
    let interest = Interest::new(names.as_deref(), channels, &mut symbols);
    let (first_seen, findings) = (FirstSeen::default(), Findings::default());
    Ledger { symbols, interest, terms: Terms::Protocol, first_seen, findings }
}

/// One connection that asked at `asked_ns` gets the frames half a second later.
fn feed(ledger: &mut Ledger, asked_ns: u64, frames: &[&str]) {
    let mut check = StreamCheck::default();
    let origin = Origin { connection: 3, asked_ns, now_ns: asked_ns + SECOND / 2 };
    for frame in frames {
        let mut digest = Digest::default();
        Form::Array.parse(frame.as_bytes(), &mut ledger.symbols, &mut digest);
        check.apply(&digest, origin, ledger);
    }
}

/// `t5`: trade 5. `q7`: quote 7. `s7`: quote 7 of a snapshot. `x7`: trade marked as snapshot.
/// `g-9`, `g4-9`, `g-`: gaps. `h3`: heartbeat with n 3. `e`: epoch.
fn frame(script: &str) -> String {
    let event = |word: &str| {
        let (kind, rest) = word.split_at(1);
        match kind {
            "t" => format!(r#"{{"T":"t","S":"A","t":1,"sq":{rest}}}"#),
            "x" => format!(r#"{{"T":"t","S":"A","t":1,"sq":{rest},"sn":1}}"#),
            "q" => format!(r#"{{"T":"q","S":"A","t":1,"sq":{rest}}}"#),
            "s" => format!(r#"{{"T":"q","S":"A","t":1,"sq":{rest},"sn":1}}"#),
            "h" => format!(r#"{{"T":"hb","t":1,"feed":"ok","n":{rest}}}"#),
            "e" => r#"{"T":"epoch","epoch":"2"}"#.to_string(),
            "g" => {
                let (from, to) = rest.split_once('-').expect("a gap has a dash");
                let member = |name: &str, value: &str| match value {
                    "" => String::new(),
                    value => format!(r#","{name}":{value}"#),
                };
                let (from, to) = (member("from", from), member("to", to));
                format!(r#"{{"T":"gap","S":"A","ch":"trades"{from}{to}}}"#)
            }
            other => panic!("{other} is no event of the script"),
        }
    };
    format!("[{}]", script.split_whitespace().map(event).collect::<Vec<_>>().join(","))
}

/// Violations of a single connection whose frames are the script's parts between bars.
fn violations(script: &str) -> Vec<Violation> {
    let mut ledger = ledger(Some(&["A"]));
    let frames: Vec<String> = script.split('|').map(frame).collect();
    let mut all = vec![GREETING];
    all.extend(frames.iter().map(String::as_str));
    feed(&mut ledger, 0, &all);
    ledger.findings.violations.into_keys().collect()
}

#[test]
fn good_streams_have_no_violation() {
    for good in [
        "",
        "t1 t2 t3 | t4",
        "t812 t813",
        "s7 q8 q9 q20 | q21",
        "q1 q2",
        "q5",
        "s7 s9 q10",
        "t1 t2 g3-5 t6",
        "t1 t2 g-5 t6",
        "g-5 t6 t7",
        "g3-5 t6",
        "t1 g-5 g6-8 t9",
        "t4 g- t90 t91",
        "g- t3 t4",
        "s5 t9 h2 q6 h3 | q7 h4",
        "s5 q6 t9 t10 e s1 t1 q2 t2",
    ] {
        assert_eq!(violations(good), [], "{good}");
    }
}

#[test]
fn each_kind_of_violation_is_found() {
    for (bad, kind) in [
        ("t1 t1", Violation::Order),
        ("t2 t1", Violation::Order),
        ("q2 | q2", Violation::Order),
        ("s9 q8", Violation::Order),
        ("s9 s9", Violation::Order),
        ("t0", Violation::Order),
        ("q18446744073709551615", Violation::Order),
        ("t1 t3", Violation::Loss),
        ("t1 | t3", Violation::Loss),
        ("t1 g2-4 t6", Violation::Loss),
        ("t1 g-4 t6", Violation::Loss),
        ("g-4 t6", Violation::Loss),
        ("t1 g- t5 t7", Violation::Loss),
        ("t1 g3-4", Violation::Gap),
        ("t5 g5-9", Violation::Gap),
        ("t5 g-5", Violation::Gap),
        ("g9-5", Violation::Gap),
        ("s5 q6 s7", Violation::Snapshot),
        ("q1 s2", Violation::Snapshot),
        ("x5", Violation::Snapshot),
        ("t1 t2 h1", Violation::Count),
        ("h1 t1", Violation::Count),
    ] {
        assert_eq!(violations(bad), [kind], "{bad}");
    }
}

#[test]
fn a_stream_begins_with_its_greeting_and_says_events() {
    let mut ledger = ledger(Some(&["A"]));
    feed(&mut ledger, 0, &["[]", GREETING]);
    feed(&mut ledger, 0, &[GREETING, "{}"]);
    let found: Vec<_> = ledger.findings.violations.into_iter().collect();
    assert_eq!(found, [(Violation::Format, 1), (Violation::Greeting, 1)]);
    assert_eq!(ledger.findings.texts[0], "connection 3: the first event is not the greeting");
}

#[test]
fn only_what_was_asked_for_may_come() {
    let foreign = [
        r#"[{"T":"q","S":"B","t":1,"sq":1}]"#,
        r#"[{"T":"b","S":"A","t":1,"sq":1}]"#,
        r#"[{"T":"gap","S":"B","ch":"trades","to":4}]"#,
    ];
    let mut named = ledger(Some(&["A"]));
    feed(&mut named, 0, &[GREETING, foreign[0], foreign[1], foreign[2]]);
    assert_eq!(named.findings.violations.get(&Violation::NotAsked), Some(&3));
    let mut all = ledger(None);
    feed(&mut all, 0, &[GREETING, foreign[0], foreign[2]]);
    assert_eq!(all.findings.violation_count(), 0, "{:?}", all.findings.texts);
}

/// Method: a first connection makes the value known; later ones ask before and after it could
/// be known on every shard.
#[test]
fn a_known_symbol_comes_with_a_snapshot_first() {
    let mut ledger = ledger(Some(&["A"]));
    feed(&mut ledger, SECOND, &[GREETING, &frame("q5 q6")]);
    feed(&mut ledger, 2 * SECOND, &[GREETING, &frame("q7")]);
    feed(&mut ledger, 9 * SECOND, &[GREETING, &frame("s8 q9")]);
    feed(&mut ledger, 9 * SECOND, &[GREETING, &frame("t8 t9")]);
    assert_eq!(ledger.findings.violation_count(), 0, "{:?}", ledger.findings.texts);
    feed(&mut ledger, 9 * SECOND, &[GREETING, &frame("q9 q10")]);
    assert_eq!(ledger.findings.violations.get(&Violation::Snapshot), Some(&1));
    // After a new epoch nothing is known of its values.
    feed(&mut ledger, 9 * SECOND, &[GREETING, &frame("e")]);
    feed(&mut ledger, 19 * SECOND, &[GREETING, &frame("q9")]);
    assert_eq!(ledger.findings.violation_count(), 1);
}

#[test]
fn what_is_allowed_is_counted() {
    let mut ledger = ledger(Some(&["A"]));
    let error = r#"[{"T":"error","code":405,"msg":"symbol limit exceeded"}]"#;
    let script = frame("q1 q2 q5 q9 t1 g2-4 g-9 h5");
    feed(&mut ledger, 0, &[GREETING, &script, error]);
    let findings = ledger.findings;
    assert_eq!((findings.jump_count, findings.merged_count), (2, 5));
    assert_eq!((findings.gap_count, findings.gap_lost_count), (2, 8));
    assert_eq!((findings.heartbeat_count, findings.errors.get(&405)), (1, Some(&1)));
    assert_eq!(findings.first_error.as_deref(), Some("symbol limit exceeded"));
}

/// Method: streams of a server that is not ours: no greeting, no snapshot, no gap.
#[test]
fn a_bare_sequence_may_begin_anywhere_and_has_no_hole() {
    let mut ledger = Ledger { terms: Terms::Sequence, ..ledger(Some(&["A"])) };
    feed(&mut ledger, 0, &[&frame("q7 t3 q8 q9 t4")]);
    assert_eq!(ledger.findings.violation_count(), 0, "{:?}", ledger.findings.texts);
    feed(&mut ledger, 0, &[&frame("q7 q9 q9 q8 t1 t5")]);
    let found: Vec<_> = ledger.findings.violations.clone().into_iter().collect();
    assert_eq!(found, [(Violation::Order, 2), (Violation::Loss, 2)]);
    assert_eq!(ledger.findings.unannounced_count, 1 + 3);
}

#[test]
fn a_connection_with_symbols_of_its_own_gets_no_others() {
    let draw = Draw { each: 1, of: 2, seed: 1, cohorts: u64::MAX };
    let own = draw.symbols(0);
    let mut ledger = ledger(Some(&["A", "B"]));
    let mut check = StreamCheck::new(Some(own.clone()));
    let origin = Origin { connection: 0, asked_ns: 0, now_ns: 0 };
    for frame in [GREETING, &frame("q1 q2"), &frame("q1").replace('A', "B")] {
        let mut digest = Digest::default();
        Form::Array.parse(frame.as_bytes(), &mut ledger.symbols, &mut digest);
        check.apply(&digest, origin, &mut ledger);
    }
    let foreign = if own.numbers() == [0] { 1 } else { 2 };
    assert_eq!(ledger.findings.violations.get(&Violation::NotAsked), Some(&foreign));
    assert_eq!((ledger.findings.violation_count(), check.slots.len()), (foreign, 2));
}
