//! What the servers are put through. A workload is one cell or, for the sweeps, several.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One situation that every server of a run is measured in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    /// As on the command line: W1 ... W5, L1 ... L6, M1, S1, G1.
    pub workload: String,
    /// The workload, and for a sweep the point of it; unique.
    pub name: String,
    pub shows: String,
    pub connections: usize,
    pub interest: Interest,
    pub market: Market,
    /// Batching window that Tapecast is started with; 0 sends as soon as the turn comes.
    pub flush_ms: u64,
    /// Rest of the load between two looks at its sockets: where sends are spread over time each
    /// would wake it, and the server's core pays for that here, as it would not on a network.
    #[serde(default)]
    pub rest_us: u64,
    pub troubles: Troubles,
    /// Given where the number of users is to be found.
    pub published: Option<Published>,
    /// Given where the connections are this share of the users that were found.
    #[serde(default)]
    pub part: Option<f64>,
    /// Tapecast and the floor stand side by side, and their bursts take turns.
    #[serde(default)]
    pub in_turns: bool,
    /// Given for a point of a sweep.
    pub point: Option<Point>,
}

/// What a connection subscribes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Interest {
    /// All the same first symbols.
    Same(usize),
    /// Everyone a random subset; of so many different ones, where that is given.
    Random { each: usize, of: usize, cohorts: Option<usize> },
    /// Whatever comes (`*`); a list so long fits no upgrade.
    All,
}

/// What the feed sends: every `every_us` a burst of the next `burst` symbols in turn, each
/// `repeats` times. No burst: no ticks at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Market {
    pub symbols: usize,
    pub burst: usize,
    pub repeats: usize,
    pub every_us: u64,
}

impl Market {
    const NONE: Market = Market { symbols: 50, burst: 0, repeats: 1, every_us: 100_000 };

    const fn new(symbols: usize, burst: usize, every_ms: u64) -> Market {
        Market { symbols, burst, repeats: 1, every_us: every_ms * 1000 }
    }

    pub fn is_quiet(&self) -> bool {
        self.burst == 0
    }

    /// Updates a second that one subscriber of `each` symbols gets.
    pub fn updates_per_second(&self, each: usize) -> f64 {
        let bursts = 1e6 / self.every_us as f64;
        bursts * (self.burst * self.repeats) as f64 * each as f64 / self.symbols as f64
    }
}

/// Connections that are not as they should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Troubles {
    /// Shares that never read, and that read slowly.
    pub stall: f64,
    pub slow: f64,
    /// Connections a second that come, subscribe and go.
    pub churn_hz: u32,
}

/// What somebody else published, to find our number of users at that latency.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Published {
    pub by: String,
    pub users: usize,
    pub cores: usize,
    pub updates_per_user: f64,
    pub mean_ms: f64,
    /// The rate per client was raised by this where connections were the limit; set by the search.
    pub raised: usize,
    /// The users are given, and not to be found: whether so many are carried is what is asked.
    #[serde(default)]
    pub given: bool,
}

/// Where on which axis of the sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub axis: String,
    pub value: usize,
}

impl Cell {
    fn new(workload: &str, shows: &str, connections: usize, each: usize, market: Market) -> Cell {
        Cell {
            workload: workload.into(),
            name: workload.into(),
            shows: shows.into(),
            connections,
            interest: Interest::Same(each),
            market,
            flush_ms: 0,
            rest_us: 0,
            troubles: Troubles::default(),
            published: None,
            part: None,
            in_turns: false,
            point: None,
        }
    }

    fn at(mut self, axis: &str, value: usize) -> Cell {
        self.name = format!("{} {axis}={value}", self.workload);
        self.point = Some(Point { axis: axis.into(), value });
        self
    }

    fn capped(self, connections_max: usize) -> Cell {
        Cell { connections: self.connections.min(connections_max), ..self }
    }

    /// As in a sentence.
    pub fn symbols_text(&self) -> String {
        match self.symbols_each() {
            1 => "1 symbol each".into(),
            each => format!("{each} symbols each"),
        }
    }

    /// Symbols that one connection has.
    pub fn symbols_each(&self) -> usize {
        match self.interest {
            Interest::Same(each) | Interest::Random { each, .. } => each,
            Interest::All => self.market.symbols,
        }
    }

    /// Connections that read all that comes, at once.
    pub fn readers(&self) -> f64 {
        self.connections as f64 * (1.0 - self.troubles.stall - self.troubles.slow)
    }

    /// From one send to a connection to the next, where nobody merges any.
    pub fn send_every(&self) -> Duration {
        let each = self.market.updates_per_second(self.symbols_each()).max(f64::MIN_POSITIVE);
        let update_us = 1e6 * self.market.repeats as f64 / each;
        let batch_us = (1000 * self.flush_ms).max(self.market.every_us) as f64;
        Duration::from_micros(update_us.max(batch_us) as u64)
    }

    /// The same at a share of the users that were found: a full core shows what it carries, and
    /// what a send costs only one that has some rest.
    pub fn at_part(&self, part: f64) -> Cell {
        Cell {
            name: format!("{} at {:.0} %", self.name, 100.0 * part),
            connections: ((self.connections as f64 * part) as usize).max(1),
            part: Some(part),
            in_turns: self.can_take_turns(),
            ..self.clone()
        }
    }

    /// The same, with Tapecast and the floor alone.
    fn in_turns(&self) -> Cell {
        Cell { name: in_turns(&self.name), in_turns: true, ..self.clone() }
    }

    /// Whether a pause for the other's turn leaves a send what it is: nothing is batched across
    /// it, and the receivers acknowledge as they do without.
    fn can_take_turns(&self) -> bool {
        let every = self.send_every();
        self.flush_ms == 0 && !(FREQUENT < every && every < RARE)
    }

    /// With every burst so many times as large.
    pub fn raised(mut self, factor: usize) -> Cell {
        self.market.burst *= factor;
        if let Some(published) = &mut self.published {
            published.raised *= factor;
        }
        self
    }
}

/// Of the users that were found for a row; what an update costs is measured with so many.
pub const PART: f64 = 0.65;

/// The name of a workload where Tapecast and the floor take turns.
pub fn in_turns(name: &str) -> String {
    format!("{name} in turns")
}

/// From one send to a connection to the next: with a turn of the other in between it is still
/// within a retransmission timeout of 200 ms, or was not before.
const FREQUENT: Duration = Duration::from_millis(50);
pub const RARE: Duration = Duration::from_millis(300);

/// Of the workloads whose sends are spread over time.
const SPREAD_REST_US: u64 = 300;

/// Of the command line, in the order in which they are measured.
pub const NAMES: [&str; 14] =
    ["W1", "W2", "W3", "W4", "W5", "L1", "L2", "L3", "L4", "L5", "L6", "M1", "S1", "G1"];

/// The cells of one workload; empty where there is none of the name.
pub fn cells(name: &str, connections_max: usize, batch_ms: u64) -> Vec<Cell> {
    let one = match name {
        "W1" => Cell::new(name, "many small sends", 5_000, 1, Market::new(1, 1, 40)),
        "W2" => w2(name),
        "W3" => Cell::new(name, "memory, CPU at rest, connect rate", 15_000, 50, Market::NONE),
        "W4" => Cell::new(name, "latency", 1_000, 10, Market::new(10, 10, 10)),
        "W5" => Cell::new(name, "time to the last subscriber", 15_000, 1, Market::new(1, 1, 1000)),
        "L1" => liberator(name, "low", 100_000, 4.0, 0),
        "L2" => liberator(name, "medium", 40_000, 3.0, 0),
        "L3" => liberator(name, "high", 12_000, 6.0, 0),
        "L4" => {
            let row = liberator(name, "high, batched", 30_000, 55.0, batch_ms);
            return with_raised(row, 4, connections_max);
        }
        "L5" => liberator(name, "very high", 4_000, 9.0, 0),
        "L6" => {
            let row = liberator(name, "very high, batched", 16_000, 55.0, batch_ms);
            let eightfold = with_published_users(row.clone());
            let mut rows = with_raised(row, 2, connections_max);
            rows.push(eightfold.capped(connections_max));
            return rows;
        }
        "M1" => {
            let two = [(24_000, 2.35), (192_000, 597.0)];
            let cell = |(users, mean_ms)| messages_of_512_bytes(name, users, mean_ms);
            return two.map(cell).map(|cell| cell.capped(connections_max)).to_vec();
        }
        "S1" => Cell {
            shows: "what the others notice of 10 % stalled, 10 % slow, and 200 churning a second"
                .into(),
            troubles: Troubles { stall: 0.1, slow: 0.1, churn_hz: 200 },
            ..w2(name)
        },
        "G1" => {
            return growth(name, connections_max);
        }
        _ => return Vec::new(),
    };
    let one = one.capped(connections_max);
    match name {
        "W1" | "W2" | "W4" | "W5" => vec![one.clone(), one.in_turns()],
        _ => vec![one],
    }
}

fn w2(name: &str) -> Cell {
    Cell::new(name, "batches to one cohort", 5_000, 50, Market::new(50, 50, 100))
}

/// Caplin Liberator 6.1's published table, on the 8 cores of a Dell R620: every client a random
/// subset. Ticks are spread evenly over time: each symbol once in two seconds, or (very high)
/// once a second.
fn liberator(name: &str, rate: &str, users: usize, mean_ms: f64, flush_ms: u64) -> Cell {
    let kind = rate.trim_end_matches(", batched");
    let (each, of, market) = match kind {
        "low" => (2, 1_000, Market::new(1_000, 1, 2)),
        "medium" => (20, 1_000, Market::new(1_000, 1, 2)),
        "high" => (100, 1_000, Market::new(1_000, 1, 2)),
        _ => (100, 20_000, Market::new(20_000, 20, 1)),
    };
    let by = "Caplin Liberator 6.1, 8 cores".to_string();
    let updates_per_user = market.updates_per_second(each);
    Cell {
        interest: Interest::Random { each, of, cohorts: None },
        flush_ms,
        rest_us: SPREAD_REST_US,
        published: Some(Published {
            by,
            users,
            cores: 8,
            updates_per_user,
            mean_ms,
            raised: 1,
            given: false,
        }),
        ..Cell::new(name, &format!("everyone different, {rate}"), 18_000, each, market)
    }
}

/// A row of few sends of many updates, and the same with more updates in each: a core is full by
/// sends, so at a published latency the rate per client says how many updates it carries.
fn with_raised(row: Cell, factor: usize, connections_max: usize) -> Vec<Cell> {
    let raised = row.clone().raised(factor);
    let rate = raised.market.updates_per_second(raised.symbols_each());
    let raised = Cell { name: format!("{} at {rate} Hz", row.name), ..raised };
    vec![row.capped(connections_max), raised.capped(connections_max)]
}

/// As many users as were published, on one core in place of all of theirs.
fn with_published_users(mut row: Cell) -> Cell {
    let published = row.published.as_mut().expect("it is a row");
    published.given = true;
    let users = published.users;
    Cell { connections: users, name: format!("{} with {users} users", row.name), ..row }
}

/// A message of 512 bytes is a frame of four quotes of one symbol, which the feed sends together:
/// no single event of the protocol is so long. Each client has one of 100 symbols, each of which
/// sends its message ten times a second, spread evenly over time.
fn messages_of_512_bytes(name: &str, users: usize, mean_ms: f64) -> Cell {
    let market = Market { symbols: 100, burst: 1, repeats: 4, every_us: 1_000 };
    let published = Published {
        by: "MigratoryData, 12 cores".into(),
        users,
        cores: 12,
        updates_per_user: 10.0,
        mean_ms,
        raised: 1,
        given: false,
    };
    Cell {
        interest: Interest::Random { each: 1, of: 100, cohorts: None },
        rest_us: SPREAD_REST_US,
        name: format!("{name} {mean_ms} ms"),
        published: Some(published),
        ..Cell::new(name, "messages of 512 bytes, 10 a second each", 18_000, 1, market)
    }
}

/// Between two sends of G1 by connections, taken over a burst: 100,000 a second. So the bursts to
/// 18,000 are 180 ms apart. A receiver to which nothing came for its retransmission timeout (Linux,
/// net/ipv4/tcp_input.c, `tcp_event_data_recv`), at least 200 ms, acknowledges what comes next at
/// once, which over loopback costs the server's core a half more.
const SENDS_APART_US: u64 = 10;

/// W2, with one number of it changed at a time.
fn growth(name: &str, connections_max: usize) -> Vec<Cell> {
    let mut cells = Vec::new();
    let w2 = || w2(name).capped(connections_max);
    for connections in [500, 1_000, 2_000, 5_000, 10_000, 18_000] {
        // Ten sends a second to 18,000 are more than a core does: bursts would be merged there,
        // and only there. And to 500 a core would mostly rest, which has its own cost. So there
        // are as many sends a second at every point.
        let market = Market { every_us: SENDS_APART_US * connections as u64, ..w2().market };
        let shows = "cost by connections, 100,000 sends a second at every point".into();
        let cell = Cell { connections, market, shows, ..w2() };
        if connections <= connections_max {
            cells.push(cell.at("connections", connections));
        }
    }
    for symbols in [1, 50, 1_000, 20_000] {
        let burst = symbols.min(50);
        let market = Market { symbols, burst, repeats: 50 / burst, ..w2().market };
        let interest = if symbols > 1_000 { Interest::All } else { Interest::Same(symbols) };
        let cell = Cell { market, interest, shows: "cost by symbols".into(), ..w2() };
        cells.push(cell.at("symbols", symbols));
    }
    // Half of 100 symbols each, all of which tick in every burst: 50 ticks for everyone as in W2.
    for cohorts in [1, 10, 100, 1_000] {
        let interest = Interest::Random { each: 50, of: 100, cohorts: Some(cohorts) };
        let market = Market::new(100, 100, 100);
        let cell = Cell { interest, market, shows: "cost by cohorts".into(), ..w2() };
        cells.push(cell.at("cohorts", cohorts));
    }
    cells
}
