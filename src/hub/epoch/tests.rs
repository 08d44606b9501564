//! Method: whole upgrades and commands in, whole frames out; epochs come between the ticks.

use crate::hub::rig::{Rig, quote, trade};
use crate::hub::{Hub, HubSettings};
use crate::market::{Feed, Name, Tick, TickBody};

fn epoch(text: &str) -> Tick {
    Tick::new(TickBody::Epoch { feed: Feed(0), epoch: Name::new(text).expect("short") })
}

fn rig() -> Rig {
    let mut rig = Rig::new(HubSettings::default());
    rig.define(0, "A");
    rig
}

/// Kind and number of every item, in order.
fn items(texts: &[String]) -> Vec<String> {
    let parse = |text: &String| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let messages: Vec<_> = texts.iter().map(parse).collect();
    let events = messages.iter().flat_map(|message| message.as_array().expect("an array"));
    let short = |event: &serde_json::Value| {
        let word = |name: &str| event[name].as_str().unwrap_or("").to_string();
        match event["T"].as_str().expect("a kind") {
            "epoch" => format!("epoch {}", word("epoch")),
            "gap" => format!("gap {}-{}", event["from"], event["to"]),
            "success" => format!("{} {}", word("msg"), word("epoch")),
            kind if event["sn"] == 1 => format!("{kind}{} sn", event["sq"]),
            kind => format!("{kind}{}", event["sq"]),
        }
    };
    events.map(short).collect()
}

#[test]
fn what_came_before_goes_out_first_and_then_all_begins_anew() {
    let mut rig = rig();
    let client = rig.open("?symbols=A&channels=quotes,trades");
    rig.texts(client);
    for tick in [quote(0, 7), trade(0, 8), epoch("e2")] {
        rig.hub.tick(&tick);
    }
    assert!(rig.hub.is_full(), "the next tick waits");
    assert_eq!(items(&rig.texts(client)), ["q7", "t8", "epoch e2"]);
    assert!(!rig.hub.is_full());
    assert_eq!(rig.hub.epoch(), "e2");
    for tick in [trade(0, 1), quote(0, 1), quote(0, 2)] {
        rig.hub.tick(&tick);
    }
    rig.pass(1_000);
    assert_eq!(items(&rig.texts(client)), ["t1", "q1", "q2"]);
}

#[test]
fn who_comes_later_knows_only_the_new_epoch() {
    let mut rig = rig();
    let early = rig.open("?symbols=A");
    rig.texts(early);
    rig.hub.tick(&quote(0, 7));
    rig.pump();
    rig.hub.tick(&epoch("e2"));
    let client = rig.open("?symbols=A");
    let all = items(&rig.texts(client));
    assert_eq!(all[0], "connected e2");
    assert!(!all.iter().any(|item| item.starts_with('q')), "{all:?}");
    rig.hub.tick(&quote(0, 3));
    rig.pass(1_000);
    let late = rig.open("?symbols=A");
    assert!(items(&rig.texts(late)).contains(&"q3 sn".to_string()));
    assert_eq!(items(&rig.texts(early)), ["q7", "epoch e2", "q3"]);
}

/// Method: positions of the old epoch are asked for with it, and with the new one.
#[test]
fn a_position_of_another_epoch_is_a_gap() {
    let mut rig = rig();
    rig.hub.tick(&trade(0, 8));
    rig.hub.tick(&epoch("e2"));
    rig.pump();
    for seq in 1..=3 {
        rig.hub.tick(&trade(0, seq));
    }
    let ask = |epoch: &str| {
        let since = r#""since":{"A":{"trades":1}}"#;
        format!(r#"{{"action":"subscribe","trades":["A"],"epoch":"{epoch}",{since}}}"#)
    };
    for (epoch, expected) in [("epoch-1", vec!["gap null-3"]), ("e2", vec!["t2", "t3"])] {
        let client = rig.open("");
        rig.texts(client);
        rig.send(client, &[&ask(epoch)]);
        let got = items(&rig.texts(client));
        assert_eq!(got[got.len() - expected.len()..], expected[..], "{got:?}");
    }
}

/// Method: a name that only a client has given, a client that merges, and one without a
/// subscription; afterwards all goes on, and after the last has left nothing is held.
#[test]
fn subscriptions_survive_it() {
    let mut rig = rig();
    let queries = ["?symbols=A,MADEUP", "?symbols=*&max_hz=2", "?symbols=A&encoding=json", ""];
    let clients = queries.map(|query| rig.open(query));
    rig.hub.tick(&quote(0, 7));
    rig.pass(1_000);
    rig.pump();
    rig.hub.tick(&quote(0, 8));
    rig.hub.tick(&epoch("e2"));
    rig.pump();
    assert_eq!((rig.hub.subscribed(), rig.hub.sessions()), (3, 4));
    rig.hub.tick(&quote(0, 1));
    rig.define(1, "MADEUP");
    rig.hub.tick(&quote(1, 1));
    rig.pass(1_000);
    let got = clients.map(|client| items(&rig.texts(client)));
    let last = got.each_ref().map(|items| items[items.len() - 1].clone());
    assert_eq!(last, ["q1", "q1", "q1", "epoch e2"], "{got:?}");
    for client in clients {
        rig.send(client, &[r#"{"action":"unsubscribe","trades":["*"],"quotes":["*"]}"#]);
        rig.hub.end(client, crate::session::CloseReason::PeerLost, rig.now);
    }
    rig.pump();
    assert_eq!((rig.hub.subscribed(), rig.hub.cohorts()), (0, 0));
}

#[test]
fn an_epoch_that_is_in_force_changes_nothing() {
    let mut rig = rig();
    let client = rig.open("?symbols=A");
    rig.hub.tick(&quote(0, 7));
    rig.texts(client);
    rig.hub.tick(&epoch("epoch-1"));
    assert!(!rig.hub.is_full());
    assert_eq!(items(&rig.texts(client)), Vec::<String>::new());
    // A shard that lost its tables counts within the feeds' epoch, and does not go back to it.
    rig.hub = Hub::renewed_empty(&rig.hub, "epoch-1.1".into(), rig.now);
    rig.hub.tick(&epoch("epoch-1"));
    assert_eq!(rig.hub.epoch(), "epoch-1.1");
    rig.hub.tick(&epoch("epoch-2"));
    assert_eq!(rig.hub.epoch(), "epoch-2");
}
