//! Method: upgrades with the same and with other queries, between ticks; the texts that each
//! client gets.

use crate::hub::HubSettings;
use crate::hub::rig::{Rig, quote, trade};

const ALL: &str = "?symbols=*&channels=quotes";

fn rig() -> Rig {
    let mut rig = Rig::new(HubSettings::default());
    rig.define(0, "A");
    rig.define(1, "B");
    rig
}

/// What a client got of quotes, as (symbol, sequence number, part of a snapshot).
fn quotes(texts: &[String]) -> Vec<(String, u64, bool)> {
    let mut quotes = Vec::new();
    for text in texts {
        let events: Vec<serde_json::Value> = serde_json::from_str(text).expect("JSON");
        for event in events.iter().filter(|event| event["T"] == "q") {
            let symbol = event["S"].as_str().expect("a name").to_string();
            let seq = event["sq"].as_u64().expect("a number");
            quotes.push((symbol, seq, event.get("sn").is_some()));
        }
    }
    quotes
}

#[test]
fn the_same_query_is_answered_with_the_same_bytes() {
    let mut rig = rig();
    rig.hub.tick(&quote(0, 7));
    let mut answers = Vec::new();
    for _ in 0..3 {
        let slot = rig.open(ALL);
        answers.push(rig.texts(slot));
    }
    assert_eq!(quotes(&answers[0]), [("A".to_string(), 7, true)]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_snapshot_is_made_anew_where_a_value_is() {
    let mut rig = rig();
    rig.hub.tick(&quote(0, 1));
    let first = rig.open("?symbols=A&channels=quotes");
    assert_eq!(quotes(&rig.texts(first)), [("A".to_string(), 1, true)]);
    rig.hub.tick(&quote(1, 1));
    let same = rig.open("?symbols=A&channels=quotes");
    assert_eq!(quotes(&rig.texts(same)), [("A".to_string(), 1, true)], "of B nothing was asked");
    rig.hub.tick(&quote(0, 2));
    let newer = rig.open("?symbols=A&channels=quotes");
    assert_eq!(quotes(&rig.texts(newer)), [("A".to_string(), 2, true)]);
}

#[test]
fn a_snapshot_of_several_frames_is_whole_for_everyone() {
    let mut rig = Rig::new(HubSettings::default());
    for symbol in 0..2_000 {
        rig.define(symbol, &format!("SYM{symbol}"));
        rig.hub.tick(&quote(symbol, 1));
    }
    for _ in 0..2 {
        let slot = rig.open(ALL);
        let texts = rig.texts(slot);
        assert!(texts.len() > 3, "{} frames", texts.len());
        let mut got = quotes(&texts);
        assert_eq!(got.len(), 2_000);
        assert!(got.iter().all(|(_, seq, of_snapshot)| (*seq, *of_snapshot) == (1, true)));
        got.dedup_by(|a, b| a.0 == b.0);
        assert_eq!(got.len(), 2_000, "each symbol once");
    }
}

#[test]
fn the_first_value_after_the_join_is_an_update_and_not_a_snapshot() {
    let mut rig = rig();
    rig.hub.tick(&quote(0, 1));
    let early = rig.open(ALL);
    rig.hub.tick(&quote(1, 1));
    let late = rig.open(ALL);
    let of = |b: bool| [("A".to_string(), 1, true), ("B".to_string(), 1, b)];
    assert_eq!(quotes(&rig.texts(early)), of(false));
    assert_eq!(quotes(&rig.texts(late)), of(true));
}

/// Who joins while a window fills has its snapshot of that moment, and of the window what came
/// after it: every update, and nothing twice.
#[test]
fn who_joins_within_a_window_gets_the_rest_of_it() {
    let mut rig = Rig::new(HubSettings { flush_ms: 100, ..HubSettings::default() });
    rig.define(0, "A");
    let early = rig.open("?symbols=A");
    rig.pass(200);
    rig.texts(early);
    rig.hub.tick(&quote(0, 1));
    rig.hub.tick(&trade(0, 1));
    let late = rig.open("?symbols=A");
    assert_eq!(quotes(&rig.texts(late)), [("A".to_string(), 1, true)]);
    for seq in 2..5 {
        rig.hub.tick(&quote(0, seq));
        rig.hub.tick(&trade(0, seq));
    }
    rig.pass(200);
    let expected = |from: u64| (from..5).map(|seq| ("A".to_string(), seq, false));
    let (early, late) = (rig.texts(early), rig.texts(late));
    assert_eq!(quotes(&early), expected(1).collect::<Vec<_>>());
    assert_eq!(quotes(&late), expected(2).collect::<Vec<_>>());
    let trades = |texts: &[String]| texts.concat().matches(r#""T":"t""#).count();
    assert_eq!((trades(&early), trades(&late)), (4, 3));
}

/// Two cohorts with a window each share a batch; both are served whole.
#[test]
fn small_cohorts_share_a_batch() {
    let mut rig = rig();
    let slots = [rig.open("?symbols=A"), rig.open("?symbols=B"), rig.open("?symbols=A,B")];
    slots.iter().for_each(|slot| drop(rig.texts(*slot)));
    for symbol in [0, 1] {
        rig.hub.tick(&quote(symbol, 1));
    }
    assert!(rig.hub.next_batch(rig.now));
    assert_eq!(rig.hub.batch().sends().len(), 3);
    let taken = rig.hub.batch().sends().iter().map(|send| (send.end - send.start) as i32);
    let taken: Vec<i32> = taken.collect();
    rig.hub.sent(&taken, rig.now);
    assert!(!rig.hub.next_batch(rig.now), "all went out in one");
    rig.hub.check();
}
