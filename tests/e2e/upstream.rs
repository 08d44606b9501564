//! One node fed by another: `--feed websocket:`.
//!
//! Method: the first node reads a pipe, so that the test decides what it has and when; a relay
//! stands between the two, which is cut, made mute, or led to another node. What a client of the
//! second node gets is held against what was written, or against what a client of the first got.

use crate::harness::client::is;
use crate::harness::relay::Relay;
use crate::harness::{Client, Message, PATIENCE, Server, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ChildStdin;
use std::time::{Duration, Instant};

/// Nodes ask, and give up, sooner than by default, so that no test is long.
const STALE_MS: u64 = 2_000;

struct First {
    server: Server,
    stdin: ChildStdin,
}

impl First {
    fn start() -> First {
        let mut server = Server::with_feed("stdin", "--shards 1");
        let stdin = server.stdin.take().expect("it is piped");
        First { server, stdin }
    }

    /// A trade and a quote of each symbol, at this second.
    fn feed(&mut self, symbols: &[String], second: u32, id: u64) {
        let mut text = String::new();
        let time = format!("2013-10-08T13:{:02}:{:02}.5Z", second / 60, second % 60);
        for symbol in symbols {
            text.push_str(&format!(
                "{{\"T\":\"t\",\"S\":\"{symbol}\",\"i\":{id},\"x\":\"P\",\"p\":1.50,\"s\":{id},\
                 \"c\":[\"@\",\"I\"],\"z\":\"B\",\"t\":\"{time}\"}}\n\
                 {{\"T\":\"q\",\"S\":\"{symbol}\",\"bx\":\"Q\",\"bp\":1.25,\"bs\":{id},\
                 \"ax\":\"N\",\"ap\":2,\"as\":1,\"t\":\"{time}\"}}\n"
            ));
        }
        self.write(&text);
    }

    fn write(&mut self, lines: &str) {
        self.stdin.write_all(lines.as_bytes()).expect("the server reads");
    }
}

fn second(relay: SocketAddr, flags: &str) -> Server {
    second_with(relay, STALE_MS, flags)
}

fn second_with(relay: SocketAddr, stale_ms: u64, flags: &str) -> Server {
    let feed = format!("websocket:ws://{relay}/v1/stream,stale_ms={stale_ms}");
    Server::with_feed(&feed, &format!("--shards 1 {flags}"))
}

fn symbols(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_string()).collect()
}

/// A client of a node that has come to the epoch of another.
fn client_in(epoch: &str, node: &Server) -> Client {
    wait_for("the epoch of the first node", || {
        let client = Client::connect(node.address, "/v1/stream");
        (client.epoch == epoch).then_some(client)
    })
}

fn subscribe(client: &mut Client, symbols: &[String], channels: &[&str]) {
    let mut command = json!({"action": "subscribe"});
    for channel in channels {
        command[*channel] = json!(symbols);
    }
    client.send(command);
    let answer = client.find("the answer", |event| event["T"] == "subscription");
    assert_eq!(answer[channels[0]].as_array().map(Vec::len), Some(symbols.len()));
}

/// Market events of one kind.
fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["T"] == kind).collect()
}

/// Gaps that are not of what was before the second node came: it tells of these, too.
fn gaps_within(events: &[Value]) -> Vec<&Value> {
    let first = |gap: &Value| {
        let mut same = events.iter().filter(|event| event["T"] == "t" && event["S"] == gap["S"]);
        same.next().and_then(|trade| trade["sq"].as_u64()).unwrap_or(0)
    };
    of(events, "gap").into_iter().filter(|gap| gap["to"].as_u64() >= Some(first(gap))).collect()
}

fn sequence(events: &[Value], symbol: &str) -> Vec<u64> {
    let trades = events.iter().filter(|event| is(event, "t", symbol));
    trades.map(|trade| trade["sq"].as_u64().expect("a number")).collect()
}

/// Method: three minutes of two symbols, so that there are bars; the clients of both nodes get the
/// same bytes' worth of trades, quotes and bars.
#[test]
fn the_second_node_gives_what_the_first_gives() {
    let mut first = First::start();
    let relay = Relay::start(first.server.address);
    let node = second(relay.address, "");
    let names = symbols(&["A", "BRK.B"]);
    first.feed(&names, 0, 1);
    let mut near = Client::connect(first.server.address, "/v1/stream");
    let mut far = client_in(&near.epoch, &node);
    for client in [&mut near, &mut far] {
        subscribe(client, &names, &["trades", "quotes", "bars"]);
        // The snapshot, so that both begin at the same event.
        client.until("the first quote", |event| is(event, "q", "BRK.B"));
    }
    for id in 2..=180 {
        first.feed(&names, id - 1, u64::from(id));
    }
    let [near, far] = [near, far].map(|mut client| {
        let mut events = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        let has_bar =
            |events: &[Value], symbol| events.iter().any(|e| is(e, "b", symbol) && e["sq"] == 2);
        let has_last =
            |events: &[Value]| events.iter().any(|e| is(e, "q", "BRK.B") && e["sq"] == 180);
        while !(has_last(&events) && has_bar(&events, "A") && has_bar(&events, "BRK.B")) {
            assert!(Instant::now() < deadline, "{events:?}");
            events.extend(client.events());
        }
        events
    });
    for (kind, count) in [("t", 358), ("q", 358), ("b", 4)] {
        for symbol in ["A", "BRK.B"] {
            let [near, far] = [&near, &far].map(|events| -> Vec<&Value> {
                of(events, kind).into_iter().filter(|event| event["S"] == symbol).collect()
            });
            assert_eq!(near, far);
            assert_eq!(near.len(), count / 2, "{kind} of {symbol}");
        }
    }
    assert_eq!(gaps_within(&far), Vec::<&Value>::new());
    node.stop();
    first.server.stop();
}

const THIN_QUOTE: &str = "{\"T\":\"q\",\"S\":\"THIN\",\"bp\":1,\"bs\":1,\"ap\":2,\"as\":1,\
    \"t\":\"2013-10-08T13:00:01Z\"}\n";
const THIN_TRADE: &str =
    "{\"T\":\"t\",\"S\":\"THIN\",\"p\":1.5,\"s\":1,\"t\":\"2013-10-08T13:00:02Z\"}\n";

/// Method: the relay is cut; meanwhile the first node gets five trades of every one of 1,500
/// symbols, more than one `since` may name; one of a symbol that had only been quoted; and one of
/// a symbol that nobody had seen, whose loss is told when it trades again.
#[test]
fn a_cut_connection_is_resumed_without_loss() {
    let mut first = First::start();
    let relay = Relay::start(first.server.address);
    let node = second(relay.address, "");
    let names: Vec<String> = (0..1_500).map(|n| format!("S{n}")).collect();
    first.feed(&names, 0, 1);
    let epoch = Client::connect(first.server.address, "/v1/stream").epoch;
    let mut client = client_in(&epoch, &node);
    subscribe(&mut client, &["*".to_string()], &["trades", "quotes"]);
    first.write(THIN_QUOTE);
    // Snapshot or not, the second node has the first of all when it has this.
    first.feed(&names, 1, 2);
    let mut events =
        client.until("the second", |event| is(event, "q", "S1499") && event["bs"] == 2);
    relay.cut();
    for id in 3..=7 {
        first.feed(&names, 2, id);
    }
    first.write(THIN_TRADE);
    first.feed(&symbols(&["NEW"]), 3, 1);
    let mut witness =
        Client::connect(first.server.address, "/v1/stream?symbols=NEW&channels=quotes");
    witness.until("all of it", |event| is(event, "q", "NEW"));
    relay.mend(first.server.address);
    first.feed(&names, 4, 8);
    let is_done = |events: &[Value]| {
        let last = events.iter().filter(|event| event["T"] == "t" && event["i"] == 8);
        last.count() == 1_500
    };
    let deadline = Instant::now() + PATIENCE;
    while !is_done(&events) {
        assert!(Instant::now() < deadline, "{} events\n{}", events.len(), node.log());
        events.extend(client.events());
    }
    assert_eq!(gaps_within(&events), Vec::<&Value>::new());
    for name in &names {
        let got = sequence(&events, name);
        assert_eq!(got.last(), Some(&8), "{name}");
        assert!(got.windows(2).all(|pair| pair[1] == pair[0] + 1), "{name}: {got:?}");
        assert!(got[0] <= 2, "{name}: {got:?}");
    }
    assert_eq!(sequence(&events, "THIN"), [1]);
    first.feed(&symbols(&["NEW"]), 5, 2);
    let told = client.until("the second of it", |event| is(event, "t", "NEW") && event["i"] == 2);
    events.extend(told);
    let lost = json!({"T": "gap", "S": "NEW", "ch": "trades", "from": 1, "to": 1});
    assert!(events.contains(&lost), "{:?}", of(&events, "gap"));
    assert!(reconnects(&node) >= 1);
    node.stop();
    first.server.stop();
}

fn reconnects(node: &Server) -> u64 {
    let status = crate::admin::json(node, "/api/status");
    status["feeds"][0]["reconnects"].as_u64().expect("a number")
}

/// Method: the first node is killed, and another takes its place behind the relay. Clients of the
/// second node stay connected and are told.
#[test]
fn a_killed_upstream_is_a_new_epoch_for_clients_that_stay() {
    let mut first = First::start();
    let relay = Relay::start(first.server.address);
    let node = second(relay.address, "");
    let names = symbols(&["A"]);
    let old_epoch = Client::connect(first.server.address, "/v1/stream").epoch;
    let mut client = client_in(&old_epoch, &node);
    subscribe(&mut client, &names, &["trades", "quotes"]);
    for id in 1..=5 {
        first.feed(&names, id, u64::from(id));
    }
    client.until("the fifth", |event| is(event, "q", "A") && event["sq"] == 5);
    relay.cut();
    first.server.signal(Signal::KILL);
    first.server.wait_exit();
    let mut again = First::start();
    again.feed(&names, 10, 100);
    relay.mend(again.server.address);
    let told = client.find("the new epoch", |event| event["T"] == "epoch");
    assert_ne!(told["epoch"], old_epoch.as_str());
    let new_epoch = Client::connect(again.server.address, "/v1/stream").epoch;
    assert_eq!(told["epoch"], new_epoch.as_str());
    // The node knows the epoch before it has subscribed, and trades begin with the next one.
    wait_for("the node's subscription", || {
        let sessions = crate::admin::json(&again.server, "/api/sessions?state=all");
        let sessions = sessions["sessions"].as_array().expect("a list").clone();
        sessions.iter().any(|session| session["subscriptions"] != 0).then_some(())
    });
    again.feed(&names, 11, 101);
    let trade = client.find("a trade of now", |event| is(event, "t", "A") && event["i"] == 101);
    assert_eq!(trade["sq"], 2);
    assert_eq!(Client::connect(node.address, "/v1/stream").epoch, new_epoch);
    node.stop();
    again.server.stop();
}

/// Method: the connection stays and nothing passes. The watchdog must give it up; what the first
/// node had meanwhile comes on the next.
#[test]
fn a_mute_upstream_is_given_up() {
    let mut first = First::start();
    let relay = Relay::start(first.server.address);
    let node = second(relay.address, "--feed-stale-ms 500");
    let names = symbols(&["A"]);
    let epoch = Client::connect(first.server.address, "/v1/stream").epoch;
    let mut client = client_in(&epoch, &node);
    subscribe(&mut client, &names, &["trades"]);
    first.feed(&names, 0, 1);
    client.until("the first", |event| is(event, "t", "A"));
    relay.mute();
    for id in 2..=4 {
        first.feed(&names, 1, id);
    }
    let began = Instant::now();
    client.find("the state", |event| event["T"] == "feed" && event["state"] == "stale");
    let events = client.until("the last", |event| is(event, "t", "A") && event["sq"] == 4);
    assert_eq!(sequence(&events, "A"), [2, 3, 4]);
    assert_eq!(gaps_within(&events), Vec::<&Value>::new());
    assert!(began.elapsed() >= Duration::from_millis(STALE_MS / 2), "nothing could come before");
    node.wait_for_log(&format!("nothing came for {STALE_MS} ms"));
    assert_eq!(relay.connections(), 2);
    node.stop();
    first.server.stop();
}

/// Method: the quiet upstream has nothing to give for longer than what counts as silence; its
/// heartbeats and pongs keep the connection.
#[test]
fn a_quiet_upstream_is_kept() {
    // Half of it is what a pong may take.
    const QUIET_STALE_MS: u64 = 6_000;
    let mut first = First::start();
    let relay = Relay::start(first.server.address);
    let node = second_with(relay.address, QUIET_STALE_MS, "");
    let names = symbols(&["A"]);
    let epoch = Client::connect(first.server.address, "/v1/stream").epoch;
    let mut client = client_in(&epoch, &node);
    subscribe(&mut client, &names, &["trades"]);
    let quiet = Duration::from_millis(QUIET_STALE_MS + 2_000);
    let ended = Instant::now() + quiet;
    while let Some(left) = ended.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) {
        let came = client.next_within(left);
        assert!(matches!(came, None | Some(Message::Ping)), "{came:?}");
    }
    first.feed(&names, 0, 1);
    client.until("the first", |event| is(event, "t", "A"));
    assert_eq!((relay.connections(), reconnects(&node)), (1, 0));
    node.stop();
    first.server.stop();
}
