//! The tables that README.md and tuning/README.md show.

use crate::constants::{Constant, Origin};
use crate::engine::engine;
use crate::model::{Audience, Demand, Interest, Market, Node, Resource, fullest};
use crate::readers::reader;
use crate::{constants as c, storm};

/// 500 symbols with ten ticks a second each, ten flushes a second: W2's market.
pub const MARKET: Market = Market { symbols: 500.0, ticks_hz: 5_000.0, flush_hz: 10.0 };

/// 20,000 symbols with a tick a second each: L6's rate for who asks for 100 of them.
const WIDE: Market = Market { symbols: 20_000.0, ticks_hz: 20_000.0, flush_hz: 10.0 };

pub const NODE: Node =
    Node { shards: 16.0, gbit: 25.0, memory_gib: 64.0, descriptors: 1_048_576.0 };

/// A watchlist that many have, every update.
const LIST: Audience = Audience { interest: Interest::Same(50.0), max_hz: None };
const LIST_SLOW: Audience = Audience { max_hz: Some(1.0), ..LIST };
const OWN: Audience = Audience { interest: Interest::Own(100.0), max_hz: None };

const MILLION: f64 = 1e6;

/// All tables, each with its heading row, in the README's order.
pub fn all() -> Vec<String> {
    vec![of_interests(), of_resources(), of_clients(), of_ticks(), of_storms(), of_links()]
}

/// Nodes for so many: one more than they need, so that one may be lost.
fn nodes_for(clients: f64, room: f64) -> f64 {
    (clients / room).ceil() + 1.0
}

/// Who asks for what, in which market.
const AUDIENCES: [(&str, Market, Audience); 6] = [
    ("50 of 500 symbols, as many others", MARKET, LIST),
    ("the same, `max_hz=1`", MARKET, LIST_SLOW),
    ("`*` of 500", MARKET, Audience { interest: Interest::All, max_hz: None }),
    ("`*` of 500, `max_hz=1`", MARKET, Audience { interest: Interest::All, max_hz: Some(1.0) }),
    ("a hundred of its own of 20,000", WIDE, OWN),
    ("the same of 20,000, `max_hz=1`", WIDE, Audience { max_hz: Some(1.0), ..OWN }),
];

fn of_interests() -> String {
    let head = "a client asks for | updates/s | sends/s | kbit/s | CPU µs a second \
                | clients a node | full first | nodes for 1 million | Gbit/s in all";
    let rows = AUDIENCES.map(|(name, market, audience)| {
        let demand = audience.demand(&market);
        let (room, first) = NODE.room(&market, &demand);
        vec![
            name.into(),
            count(demand.updates_hz),
            figure(demand.sends_hz),
            count(demand.cable_hz * 8.0 / 1e3),
            figure(demand.cpu_us),
            count(room),
            first.word().into(),
            count(nodes_for(MILLION, room)),
            count(MILLION * demand.cable_hz * 8.0 / 1e9),
        ]
    });
    table(head, &rows)
}

fn of_resources() -> String {
    let head = "a node full of who asks for | clients a shard | cores of shards | network card \
                | memory | descriptors | ingest thread";
    let rows = AUDIENCES.map(|(name, market, audience)| {
        let demand = audience.demand(&market);
        let (room, _) = NODE.room(&market, &demand);
        let load = NODE.load(&market, &demand, room);
        let full = load.map(|(_, full)| percent(full));
        [vec![name.into(), count(room / NODE.shards)], full.to_vec()].concat()
    });
    table(head, &rows)
}

fn of_clients() -> String {
    let head = "clients | nodes | a node's fullest | sends/s | cores of shards | Gbit/s to clients \
                | copies/s of NATS | of a NATS core | Gbit/s of NATS \
                | ten times the clients on the same machines";
    let demand = LIST.demand(&MARKET);
    let (room, _) = NODE.room(&MARKET, &demand);
    let rows = [1e3, 1e4, 1e5, 1e6, 1e7].map(|clients| {
        // One more from the first that does not fit one node on.
        let nodes = if clients <= room { 1.0 } else { nodes_for(clients, room) };
        let on_each = clients / nodes;
        let (first, full) = fullest(&NODE.load(&MARKET, &demand, on_each));
        let nats = engine(&MARKET, nodes, false);
        vec![
            count(clients),
            count(nodes),
            format!("{}, {}", first.word(), percent(full)),
            count(clients * demand.sends_hz),
            figure(clients * demand.cpu_us / 1e6),
            figure(clients * demand.cable_hz * 8.0 / 1e9),
            count(nats.copies_hz),
            percent(nats.cores),
            figure(nats.out_hz * 8.0 / 1e9),
            over(&MARKET, &demand, 10.0 * on_each),
        ]
    });
    table(head, &rows)
}

/// What is over its end, fullest first.
fn over(market: &Market, demand: &Demand, clients: f64) -> String {
    let mut load = NODE.load(market, demand, clients);
    load.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told =
        |(resource, full): &(Resource, f64)| format!("{} {}", resource.word(), percent(*full));
    let over: Vec<String> = load.iter().filter(|(_, full)| *full > 1.0).map(told).collect();
    match over.is_empty() {
        true => format!("none is over; {}", told(&load[0])),
        false => over.join(", "),
    }
}

fn of_ticks() -> String {
    let head = "ticks/s of 500 symbols | `max_hz` | updates/s a client | nodes for 1 million \
                | full first | of each ingest thread | lines a NATS message \
                | publisher, Mbit/s | of a NATS core | JetStream, MB/s | its 1 GiB lasts";
    let rates = [500.0, 5e3, 5e4, 5e5];
    let rows = rates.iter().flat_map(|ticks_hz| [(*ticks_hz, LIST), (*ticks_hz, LIST_SLOW)]);
    let rows: Vec<_> = rows
        .map(|(ticks_hz, audience)| {
            let market = Market { ticks_hz, ..MARKET };
            let demand = audience.demand(&market);
            let (room, first) = NODE.room(&market, &demand);
            let nodes = nodes_for(MILLION, room);
            let nats = engine(&market, nodes, true);
            let [.., (_, ingest)] = NODE.load(&market, &demand, 0.0);
            vec![
                count(ticks_hz),
                audience.max_hz.map_or_else(|| "none".into(), figure),
                count(demand.updates_hz),
                count(nodes),
                first.word().into(),
                percent(ingest),
                count(nats.lines),
                figure(nats.in_hz * 8.0 / 1e6),
                percent(nats.cores),
                figure(nats.disk_hz / 1e6),
                format!("{} s", count(f64::from(1 << 30) / nats.disk_hz)),
            ]
        })
        .collect();
    table(head, &rows)
}

fn of_storms() -> String {
    let head = "nodes | clients want | clients of the lost node | others \
                | connects/s at most on one | CPU for them, of one core | refused and told when \
                | half are back | all are back";
    let mut rows = Vec::new();
    for (name, audience) in [("all", LIST), ("`max_hz=1`", LIST_SLOW)] {
        let room = NODE.room(&MARKET, &audience.demand(&MARKET)).0;
        for nodes in [2.0, nodes_for(MILLION / 10.0, room), nodes_for(MILLION, room)] {
            let clients = (room * (nodes - 1.0) / nodes).floor();
            rows.push(storm_row(&count(nodes), name, clients, nodes - 1.0));
        }
    }
    rows.dedup();
    // Everybody of a million at once, as after a fault of what stands before all nodes.
    let room = NODE.room(&MARKET, &LIST_SLOW.demand(&MARKET)).0;
    let nodes = nodes_for(MILLION, room);
    rows.push(storm_row("a million at once", "`max_hz=1`", MILLION, nodes));
    table(head, &rows)
}

fn storm_row(name: &str, asked: &str, clients: f64, others: f64) -> Vec<String> {
    let storm = storm::run(clients as u64, others as usize, 7);
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1e3);
    vec![
        name.into(),
        asked.into(),
        count(clients),
        count(others),
        count(storm.connects_max as f64),
        percent(storm.connects_max as f64 * c::CONNECT.value / 1e6),
        count(storm.refusals as f64),
        seconds(storm.half_back_ms),
        seconds(storm.all_back_ms),
    ]
}

fn of_links() -> String {
    let head = "link, kbit/s | updates/s | of all | age of a quote | trades";
    let rows = [1_000.0, 256.0, 128.0, 64.0, 32.0].map(|kbit| {
        let reader = reader(&MARKET, 50.0, kbit);
        let age = match reader.loses_trades {
            true => "–".into(),
            false => format!("{:.1} s", reader.age_s),
        };
        let trades = if reader.loses_trades { "some in a `gap`" } else { "all" };
        vec![count(kbit), count(reader.updates_hz), percent(reader.share), age, trades.into()]
    });
    table(head, &rows)
}

/// 5.55 is a little less in binary, and is 5.6 for everybody who reads it.
const HALF_UP: f64 = 1.0 + 1e-9;

/// Those of tuning/README.md, in its order, and what its text concludes from the first.
pub fn tuning() -> Vec<String> {
    let [least, most] = [&c::SEND_ONE, &c::SEND_RARE].map(|send| percent(send.value / 10.0));
    let sends = format!("100,000 of them are {least} to {most} of a core");
    vec![of_subscriber(), sends, of_ten_sends()]
}

/// What was measured of one subscriber, as it stands in the constants.
fn of_subscriber() -> String {
    let micros =
        |constant: &Constant, many: f64| format!("{:.1} µs", HALF_UP * constant.value * many);
    let bytes = |constant: &Constant| format!("{} bytes", count(constant.value));
    let many = |constant: &Constant, updates: f64| {
        format!("{} ({:.3} an update)", micros(constant, updates), constant.value)
    };
    let rows = [
        ("memory of the process, at rest, 50 symbols", bytes(&c::SESSION_BYTES), &c::SESSION_BYTES),
        (
            "kernel's slab, at rest, both ends of the connection together",
            bytes(&c::SLAB_BYTES),
            &c::SLAB_BYTES,
        ),
        ("CPU of a connect with its upgrade", micros(&c::CONNECT, 1.0), &c::CONNECT),
        (
            "CPU of a send, one update in it, everybody the same",
            micros(&c::SEND_ONE, 1.0),
            &c::SEND_ONE,
        ),
        (
            "CPU of a send, 50 updates in it, everybody the same",
            many(&c::UPDATE_OF_50, 50.0),
            &c::UPDATE_OF_50,
        ),
        ("CPU of a send, once a second to everybody", micros(&c::SEND_RARE, 1.0), &c::SEND_RARE),
        (
            "CPU of a send, one update in it, everybody other symbols",
            micros(&c::OWN_SEND_ONE, 1.0),
            &c::OWN_SEND_ONE,
        ),
        ("the same, 9 updates in it", many(&c::OWN_UPDATE_OF_9, 9.0), &c::OWN_UPDATE_OF_9),
        ("the same, 18 updates in it", many(&c::OWN_UPDATE_OF_18, 18.0), &c::OWN_UPDATE_OF_18),
    ];
    let rows = rows.map(|(what, value, constant)| vec![what.into(), value, place(constant)]);
    table("of a subscriber | measured | where, commit", &rows)
}

/// The workload and the commit that a constant is from.
fn place(constant: &Constant) -> String {
    let Origin::Measured { section, row, commit, .. } = &constant.origin else {
        return "assumed".into();
    };
    // A row of the users' table names its workload; so does the heading of a workload of its own.
    let named = row.split(['|', '*']).map(str::trim).find(|word| !word.is_empty());
    let workload = match section.strip_prefix("## W") {
        Some(number) if number.parse::<u8>().is_ok() => format!("W{number}"),
        _ => named.unwrap_or_default().into(),
    };
    format!("{workload}, {commit}")
}

/// Ten sends a second of 50 updates, reckoned from the table above it.
fn of_ten_sends() -> String {
    let send_us = HALF_UP * c::UPDATE_OF_50.value * 50.0;
    let connect = |clients: f64| figure(clients * c::CONNECT.value / 1e6);
    let megabytes = |clients: f64, each: &Constant| count(clients * each.value / 1e6);
    let each = [1e4, 1e5].map(|clients| {
        let cores = clients * 10.0 * send_us / 1e6;
        [
            count(clients * 10.0),
            figure(cores),
            count((cores / c::AIM.value).ceil()),
            format!("{} MB", megabytes(clients, &c::SESSION_BYTES)),
            format!("{} MB", megabytes(clients, &c::SLAB_BYTES)),
            format!("{} s", connect(clients)),
        ]
    });
    let names = [
        "sends a second",
        "CPU, cores",
        "cores at 60 %, and some for the network card's interrupts",
        "process, clients at rest",
        "kernel, at rest, both ends (a server far from its clients has one)",
        "CPU of the connects after a restart",
    ];
    let rows = names
        .iter()
        .enumerate()
        .map(|(at, name)| vec![name.to_string(), each[0][at].clone(), each[1][at].clone()]);
    table("clients | 10,000 | 100,000", &rows.collect::<Vec<_>>())
}

/// As Markdown: the first column is text, the others are numbers or words.
fn table(head: &str, rows: &[Vec<String>]) -> String {
    let columns = head.split(" | ").count();
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = head.split(" | ").map(|cell| cell.trim().to_string()).collect();
    let mut text = line(&heads);
    text.push_str(&format!("| ---{} |\n", " | ---:".repeat(columns - 1)));
    for row in rows {
        assert_eq!(row.len(), columns, "{row:?}");
        text.push_str(&line(row));
    }
    text
}

/// Whole, with commas.
fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two digits that count.
fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => count(v),
        v if v >= 9.95 => format!("{v:.0}"),
        v if v >= 0.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        v if v >= 9.95 => format!("{} %", count(v)),
        v => format!("{v:.1} %"),
    }
}

pub fn check() {
    assert_eq!([999.0, 1_000.0, 1_234_567.4].map(count), ["999", "1,000", "1,234,567"]);
    assert_eq!([0.123, 1.0, 9.96, 1_234.0].map(figure), ["0.12", "1.0", "10", "1,234"]);
    assert_eq!([0.001, 0.6, 19.0].map(percent), ["0.1 %", "60 %", "1,900 %"]);
    let rows = [vec!["a".to_string(), "1".into()]];
    assert_eq!(table("x | y", &rows), "| x | y |\n| --- | ---: |\n| a | 1 |\n");
}
