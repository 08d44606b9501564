//! Method: texts as servers write them, and what is made of each; no socket is in it.

use super::*;
use serde_json::Value;

fn upstream() -> Upstream {
    Upstream::new(vec!["*".to_string()], None, 2_500)
}

fn credentials() -> Option<Credentials> {
    Some(Credentials { key: "K".to_string(), secret: "S".to_string() })
}

const GREETING: &str = r#"[{"T":"success","msg":"connected","epoch":"e1","limits":{"since":2}}]"#;

fn json_of(outcome: &Outcome) -> Value {
    let Outcome::Command(command) = outcome else { panic!("{outcome:?} is no command") };
    serde_json::from_str(command).expect("a command is JSON")
}

fn text_of(outcome: &Outcome) -> String {
    let Outcome::Lines(lines) = outcome else { panic!("{outcome:?} is no lines") };
    String::from_utf8(lines.clone()).expect("text")
}

fn epoch(name: &str) -> Outcome {
    Outcome::Epoch(name.to_string())
}

#[test]
fn alpaca_is_told_who_asks_and_gives_items_as_they_are() {
    let mut upstream = upstream();
    let mut conversation = Conversation::new(&mut upstream, credentials());
    let out = conversation.take(r#"[{"T":"success","msg":"connected"}]"#).expect("good");
    assert_eq!(json_of(&out[0]), json!({"action": "auth", "key": "K", "secret": "S"}));
    assert_eq!(out.len(), 1, "nothing is asked for before the answer");
    let out = conversation.take(r#"[{"T":"success","msg":"authenticated"}]"#).expect("good");
    let asked = json!({"action": "subscribe", "trades": ["*"], "quotes": ["*"]});
    assert_eq!((json_of(&out[0]), out.len()), (asked, 1));
    let out = conversation.take(r#"[{"T":"subscription","trades":["*"]}]"#).expect("good");
    assert!(out.is_empty() && !conversation.has_flowed);
    let trade = "{\"T\":\"t\",\n\"S\":\"A\",\"p\":1.50,\"s\":1,\"t\":5,\"vw\":[1]}";
    let out = conversation.take(&format!("[{trade},{{\"T\":\"d\"}},7]")).expect("good");
    assert_eq!(text_of(&out[0]), trade.replace('\n', " ") + "\n");
    assert_eq!((out.len(), conversation.bad_items_count), (1, 1));
    assert!(conversation.has_flowed);
}

#[test]
fn a_tapecast_is_asked_for_its_own_and_resumed() {
    let mut upstream = upstream();
    let mut first = Conversation::new(&mut upstream, None);
    let out = first.take(GREETING).expect("good");
    let asked = json!({"action": "subscribe", "trades": ["*"], "quotes": ["*"], "bars": ["*"],
        "heartbeat_ms": 2500, "ts": "ns"});
    assert_eq!((json_of(&out[0]), &out[1]), (asked, &epoch("e1")));
    let items = r#"[{"T":"t","S":"A","sq":7},{"T":"q","S":"B","sq":2},{"T":"t","S":"C","sq":1},
        {"T":"hb","t":5,"feed":"ok"}]"#;
    let out = first.take(items).expect("good");
    assert_eq!((text_of(&out[0]).lines().count(), out.len()), (3, 1));

    let mut second = Conversation::new(&mut upstream, None);
    let out = second.take(GREETING).expect("good");
    assert_eq!(
        json_of(&out[0])["since"],
        json!({"C": {"trades": 1}, "B": {"trades": 0, "quotes": 2}})
    );
    assert_eq!(json_of(&out[1])["since"], json!({"A": {"trades": 7}}));
    assert_eq!(json_of(&out[2])["trades"], json!(["*"]));
    assert_eq!(out.len(), 3, "the same epoch is not told again");
}

/// Method: gaps with and without ends, before and after something is known, and in an epoch that
/// is new on the second connection.
#[test]
fn gaps_become_lines_with_both_ends() {
    let gap = |from: u64, to: u64| {
        format!("{{\"S\":\"A\",\"T\":\"gap\",\"ch\":\"trades\",\"from\":{from},\"to\":{to}}}\n")
    };
    let mut upstream = upstream();
    let mut first = Conversation::new(&mut upstream, credentials());
    first.take(GREETING).expect("good");
    let out = first.take(r#"[{"T":"success","msg":"authenticated"}]"#).expect("good");
    assert_eq!(out[1], epoch("e1"));
    let out = first
        .take(
            r#"[{"T":"t","S":"A","sq":7},{"T":"gap","S":"A","ch":"trades","to":9},
                {"T":"gap","S":"A","ch":"trades","from":10,"to":12},
                {"T":"gap","S":"A","ch":"trades"},{"T":"gap","S":"A","ch":"quotes","to":5}]"#,
        )
        .expect("good");
    let expected = "{\"T\":\"t\",\"S\":\"A\",\"sq\":7}\n".to_string() + &gap(8, 9) + &gap(10, 12);
    assert_eq!(text_of(&out[0]), expected);

    let mut second = Conversation::new(&mut upstream, credentials());
    second.take(&GREETING.replace("e1", "e2")).expect("good");
    let out = second.take(r#"[{"T":"success","msg":"authenticated"}]"#).expect("good");
    let asked = json_of(&out[0]);
    assert_eq!((&asked["epoch"], &asked["since"]["A"]["trades"]), (&json!("e1"), &json!(12)));
    assert_eq!(out[1], epoch("e2"));
    let out = second.take(r#"[{"T":"gap","S":"A","ch":"trades","to":3}]"#).expect("good");
    assert_eq!(text_of(&out[0]), gap(1, 3));
    let out = second
        .take(r#"[{"T":"t","S":"A","sq":4},{"T":"epoch","epoch":"e3"},{"T":"t","S":"A","sq":1}]"#);
    let out = out.expect("good");
    assert!(
        matches!(&out[..], [Outcome::Lines(_), Outcome::Epoch(e), Outcome::Lines(_)] if e == "e3")
    );
    let ending =
        Conversation::new(&mut upstream, None).take(r#"[{"T":"success","msg":"connected"}]"#);
    assert!(ending.expect_err("another server").is_refusal);
}

/// Method: the highest number that there is, and a gap that begins behind it.
#[test]
fn behind_the_highest_number_nothing_is_lost() {
    let mut upstream = upstream();
    let mut conversation = Conversation::new(&mut upstream, credentials());
    conversation.take(GREETING).expect("good");
    conversation.take(r#"[{"T":"success","msg":"authenticated"}]"#).expect("good");
    let last = u64::MAX;
    let items = format!(
        r#"[{{"T":"t","S":"A","sq":{last}}},{{"T":"gap","S":"A","ch":"trades","to":{last}}}]"#
    );
    let out = conversation.take(&items).expect("good");
    assert_eq!(text_of(&out[0]), format!("{{\"T\":\"t\",\"S\":\"A\",\"sq\":{last}}}\n"));
}

/// Method: each error before and after the subscription stands.
#[test]
fn errors_before_the_subscription_are_refusals_with_a_cure() {
    for (code, word, is_refusal) in [
        (401, "secret_file=", true),
        (402, "secret_file=", true),
        (405, "fewer", true),
        (406, "another client", true),
        (409, "subscription", true),
        (404, "error 404", false),
        (500, "error 500", false),
    ] {
        let mut upstream = upstream();
        let mut conversation = Conversation::new(&mut upstream, credentials());
        conversation.take(GREETING).expect("good");
        let error = format!(r#"[{{"T":"error","code":{code},"msg":"no"}}]"#);
        let ending = conversation.take(&error).expect_err(word);
        assert!(ending.why.contains(word) && ending.is_refusal == is_refusal, "{ending:?}");
        assert_eq!(ending.hint.is_some(), is_refusal, "{ending:?}");
    }
    let mut upstream = upstream();
    let mut conversation = Conversation::new(&mut upstream, None);
    conversation.take(GREETING).expect("good");
    conversation.take(r#"[{"T":"subscription"}]"#).expect("good");
    let out = conversation.take(r#"[{"T":"error","code":405,"msg":"no"}]"#).expect("it flows");
    assert!(matches!(&out[..], [Outcome::Note(note)] if note.contains("405")));
    assert!(conversation.take("{}").expect_err("no array").is_refusal);
}

#[test]
fn closes_say_when_to_come_back() {
    let mut upstream = upstream();
    let mut conversation = Conversation::new(&mut upstream, None);
    conversation.take(r#"[{"T":"shutdown","in_ms":5,"retry_ms":700}]"#).expect("good");
    let told = conversation.closed(1012, r#"{"retry_ms":5,"jitter_ms":6}"#);
    assert_eq!(told.hint, Some(RetryHint { retry_ms: 5, jitter_ms: 6 }));
    assert_eq!(conversation.closed(1001, "").hint, Some(RetryHint::spread(700)));
    assert!(!conversation.closed(1006, "").is_refusal);
    assert!(conversation.closed(1008, "you\u{1b}[2J").is_refusal);
    assert!(!conversation.closed(1008, "you\u{1b}[2J").why.contains('\u{1b}'));
}
