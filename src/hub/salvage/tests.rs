use super::*;
use crate::hub::HubSettings;
use crate::hub::rig::{Rig, lost, quote, trade};
use crate::market::{
    BarPrices, BarTotals, Channel, Feed, FeedState, Head, Name, Symbol, SymbolId, TickBody,
};

const SMALL: usize = 8;

fn rig() -> Rig {
    let mut rig = Rig::new(HubSettings { tape_ticks: SMALL, ..HubSettings::default() });
    // A client names a symbol first, so that the hub's numbers are not the feed's.
    let slot = rig.open("?symbols=ELSEWHERE,B");
    rig.texts(slot);
    for (id, name) in [(0, "A"), (1, "B"), (2, "C")] {
        rig.define(id, name);
    }
    let name = Name::new("Q").expect("short");
    rig.hub.tick(&Tick::new(TickBody::Code { code: 3, name }));
    rig
}

fn bar(symbol: u32, seq: u64) -> [Tick; 2] {
    let head = Head {
        symbol: SymbolId(symbol),
        seq,
        event_ns: 0,
        ingest_ns: 1,
        price_scale: 0,
        size_scale: 0,
    };
    let prices = BarPrices { open: 1, high: 1, low: 1, close: 1 };
    let totals = BarTotals { volume: 1, trades: 1, vwap: 1 };
    [TickBody::BarPrices(head, prices), TickBody::BarTotals(head, totals)].map(Tick::new)
}

fn number(hub: &Hub, name: &str) -> u32 {
    hub.book.symbols.find(&Symbol::parse(name).expect("a symbol")).expect("it is known")
}

/// What a client that subscribes, or resumes, gets of everything.
fn view(hub: Hub, subscribe: &str) -> Vec<String> {
    let mut rig = Rig { hub, ..Rig::new(HubSettings::default()) };
    rig.pump();
    let slot = rig.open("");
    rig.texts(slot);
    rig.send(slot, &[subscribe]);
    let mut texts = rig.texts(slot);
    // The order of a snapshot is that of the hub's numbers, which are others.
    let mut items: Vec<String> = texts
        .split_off(1)
        .concat()
        .split("},{")
        .map(|i| i.replace(['[', ']', '{', '}'], ""))
        .collect();
    items.sort();
    texts.extend(items);
    texts
}

/// Method: tables with everything in them, more trades than the tape holds; the old hub and the
/// new one answer a new subscriber and a resuming one alike.
#[test]
fn the_market_is_as_it_was() {
    let mut rig = rig();
    for seq in 1..=10 {
        rig.hub.tick(&quote(0, seq));
        rig.hub.tick(&trade(1, seq));
        rig.pump();
    }
    rig.hub.tick(&lost(1, 11, 12));
    rig.hub.tick(&trade(2, 1));
    bar(0, 1).iter().for_each(|tick| rig.hub.tick(tick));
    rig.hub.tick(&bar(1, 1)[0]);
    let (feed, state) = (Feed(0), FeedState::Down);
    rig.hub.tick(&Tick::new(TickBody::FeedState { feed, state, last_ns: 7 }));
    let make = || Hub::renewed(&rig.hub, None, rig.now);
    assert_eq!(make().sessions(), 0);
    make().check();
    let all = r#"{"action":"subscribe","quotes":["*"],"bars":["*"],"trades":["*"]}"#;
    let fresh = view(make(), all);
    assert!(fresh.iter().any(|item| item.contains(r#""sq":10"#)), "{fresh:?}");
    assert!(fresh.iter().any(|item| item.contains("down")), "{fresh:?}");
    let resume = |seq| {
        let since = format!(r#""epoch":"epoch-1","since":{{"B":{{"trades":{seq}}}}}"#);
        format!(r#"{{"action":"subscribe","trades":["B"],{since}}}"#)
    };
    let resumed: Vec<_> = [2, 3, 9, 12].map(|seq| view(make(), &resume(seq))).into();
    let mut half = make();
    half.tick(&bar(1, 1)[1]);
    assert!(half.book.latest.bar(number(&half, "B")).is_some(), "the half waited");
    // Last, since a view takes the hub.
    let before = Hub::renewed(&make(), None, rig.now);
    assert_eq!(view(before, all), fresh, "once more makes no difference");
    let old_b = number(&rig.hub, "B");
    let evicted = rig.hub.book.tape.evicted_seq(old_b).expect("the tape is full");
    assert_eq!(evicted, 4, "ten trades of B, a loss and one of C on a tape of eight");
    assert!(resumed[0].iter().any(|item| item.contains(r#""from":3,"to":4"#)), "{resumed:?}");
    assert!(!resumed[1].iter().any(|item| item.contains(r#""from":5"#)), "{resumed:?}");
    assert!(resumed[2].iter().any(|item| item.contains(r#""sq":10"#)), "{resumed:?}");
    assert!(!resumed[3].iter().any(|item| item.contains("gap")), "{resumed:?}");
}

#[test]
fn the_tick_that_was_on_its_way_is_neither_lost_nor_doubled() {
    let mut rig = rig();
    rig.hub.tick(&trade(1, 1));
    let last = |hub: &Hub| (hub.book.tape.head(), hub.book.tape.last_seq(number(hub, "B")));
    assert_eq!(last(&Hub::renewed(&rig.hub, Some(&trade(1, 1)), rig.now)), (1, 1));
    assert_eq!(last(&Hub::renewed(&rig.hub, Some(&trade(1, 2)), rig.now)), (2, 2));
    let instead = in_place_of(&trade(1, 2)).expect("a trade is announced as lost");
    assert_eq!(
        instead,
        Tick::new(TickBody::Lost {
            symbol: SymbolId(1),
            channel: Channel::Trades,
            from: 2,
            to: 2,
            ingest_ns: 2,
        })
    );
    assert_eq!(last(&Hub::renewed(&rig.hub, Some(&instead), rig.now)), (2, 2));
    assert_eq!(in_place_of(&quote(1, 2)), None);
}

#[test]
fn counts_go_on_and_every_session_is_counted_as_closed() {
    let mut rig = rig();
    rig.open("?symbols=A");
    rig.pump();
    let hub = Hub::renewed_empty(&rig.hub, "epoch-1.1".into(), rig.now);
    let counters = hub.counters();
    assert_eq!(counters.opened, 2);
    assert_eq!(counters.closed[CloseReason::Internal.counter()], 2);
    assert_eq!((hub.epoch(), hub.book.symbols.len(), hub.sessions()), ("epoch-1.1", 0, 0));
}
