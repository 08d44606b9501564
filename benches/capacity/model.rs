//! What one client asks of its node, and how many of them a node has room for.

use crate::bytes::{FRAME_HEAD_BYTES, on_cable};
use crate::constants as c;
use tapecast::limits::FRAME_PAYLOAD_BYTES_MAX;

/// One market, the same for all clients. Each symbol has an equal part of the ticks.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    pub symbols: f64,
    pub ticks_hz: f64,
    /// Flushes a second of a node (`flush_ms`).
    pub flush_hz: f64,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub enum Interest {
    /// So many symbols, which many others ask for as well.
    Same(f64),
    All,
    /// So many, drawn by itself.
    Own(f64),
}

#[derive(Debug, Clone, Copy)]
pub struct Audience {
    pub interest: Interest,
    pub max_hz: Option<f64>,
}

/// What one client that keeps up takes.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    pub updates_hz: f64,
    pub sends_hz: f64,
    /// Bytes a second on the cable, TCP's and Ethernet's heads included.
    pub cable_hz: f64,
    /// CPU of its shard, in µs a second.
    pub cpu_us: f64,
    pub memory_bytes: f64,
}

impl Audience {
    pub fn demand(&self, market: &Market) -> Demand {
        let (symbols, is_own) = match self.interest {
            Interest::Same(symbols) => (symbols, false),
            Interest::All => (market.symbols, false),
            Interest::Own(symbols) => (symbols, true),
        };
        let each_hz = market.ticks_hz / market.symbols;
        let flush_hz = self.max_hz.map_or(market.flush_hz, |hz| hz.min(market.flush_hz));
        let ticks = each_hz / flush_hz;
        let updates = match self.max_hz {
            // Trades are all sent; of quotes only the newest, if there is any (Poisson).
            Some(_) => {
                let quotes = 1.0 - (-(1.0 - c::TRADES.value) * ticks).exp();
                symbols * (c::TRADES.value * ticks + quotes)
            }
            None => symbols * ticks,
        };
        let flushes_hz = flush_hz * (1.0 - (-symbols * ticks).exp());
        let in_flush = updates * flush_hz / flushes_hz;
        let payload = in_flush * c::UPDATE_BYTES.value;
        let frames = (payload / FRAME_PAYLOAD_BYTES_MAX as f64).ceil();
        let cable = frames * on_cable(payload / frames + FRAME_HEAD_BYTES);
        let rare_us = match flushes_hz <= 1.0 {
            true => c::SEND_RARE.value - c::SEND_ONE.value,
            false => 0.0,
        };
        let send_us = rare_us + send_us(in_flush / frames, is_own);
        let session = if is_own { &c::OWN_SESSION_BYTES } else { &c::SESSION_BYTES };
        let behind = c::BEHIND_SHARE.value * c::STALLED_BYTES.value;
        Demand {
            updates_hz: updates * flush_hz,
            sends_hz: flushes_hz * frames,
            cable_hz: flushes_hz * cable,
            cpu_us: flushes_hz * frames * send_us,
            memory_bytes: session.value + c::SLAB_BYTES.value + behind,
        }
    }
}

/// CPU of a send by the updates in it: straight lines between what was measured, and beyond the
/// last the same for each update.
fn send_us(updates: f64, is_own: bool) -> f64 {
    let same = [
        (1.0, c::SEND_ONE.value),
        (50.0, 50.0 * c::UPDATE_OF_50.value),
        (74.5, 74.5 * c::UPDATE_OF_74.value),
    ];
    let own = [
        (1.0, c::OWN_SEND_ONE.value),
        (9.0, 9.0 * c::OWN_UPDATE_OF_9.value),
        (18.0, 18.0 * c::OWN_UPDATE_OF_18.value),
    ];
    let points: &[(f64, f64)] = if is_own { &own } else { &same };
    let updates = updates.max(1.0);
    for pair in points.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if updates <= to {
            return low + (high - low) * (updates - from) / (to - from);
        }
    }
    let (last, us) = points[points.len() - 1];
    us / last * updates
}

/// A machine: a core for each shard, and two more for ingest, interrupts and all else.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub shards: f64,
    pub gbit: f64,
    pub memory_gib: f64,
    pub descriptors: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Cores,
    Cable,
    Memory,
    Descriptors,
    Ingest,
}

impl Resource {
    pub fn word(self) -> &'static str {
        match self {
            Resource::Cores => "cores of shards",
            Resource::Cable => "network card",
            Resource::Memory => "memory",
            Resource::Descriptors => "descriptors",
            Resource::Ingest => "ingest thread",
        }
    }
}

impl Node {
    /// How full each resource is with so many clients: 1 is all of it.
    pub fn load(&self, market: &Market, demand: &Demand, clients: f64) -> [(Resource, f64); 5] {
        let tick_s = (c::ENCODE_NS.value + c::MARK_NS.value + c::PUSH_NS.value) / 1e9;
        let cores = market.ticks_hz * tick_s * self.shards + clients * demand.cpu_us / 1e6;
        let ingest_s = (c::LINE_NS.value + self.shards * c::PUSH_NS.value) / 1e9;
        // What tuning/README.md asks for: n + n/7 + 20 a shard + 256.
        let descriptors = clients * 8.0 / 7.0 + 20.0 * self.shards + 256.0;
        // Clients may use 80 % of the machine, see the limits in the README.
        let memory = 0.8 * self.memory_gib * f64::from(1 << 30);
        [
            (Resource::Cores, cores / self.shards),
            (Resource::Cable, clients * demand.cable_hz * 8.0 / (self.gbit * 1e9)),
            (Resource::Memory, clients * demand.memory_bytes / memory),
            (Resource::Descriptors, descriptors / self.descriptors),
            (Resource::Ingest, market.ticks_hz * ingest_s),
        ]
    }

    /// The most clients with which nothing is fuller than is aimed at, and what that is. 0 where
    /// the market alone is too much.
    pub fn room(&self, market: &Market, demand: &Demand) -> (f64, Resource) {
        let (empty, one) = (self.load(market, demand, 0.0), self.load(market, demand, 1.0));
        let rooms = empty.iter().zip(&one).map(|((resource, base), (_, with_one))| {
            let free = c::AIM.value - base;
            let each = with_one - base;
            let room = if free <= 0.0 { 0.0 } else { (free / each).floor() };
            (room, *resource)
        });
        rooms.min_by(|a, b| a.0.total_cmp(&b.0)).expect("five resources")
    }
}

/// What is fullest.
pub fn fullest(load: &[(Resource, f64)]) -> (Resource, f64) {
    let first = load.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    first.expect("there are resources")
}

pub fn check() {
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-3, "{a} is not {b}");
    // W1, W2 and the L rows come out as they went in.
    near(send_us(1.0, false), c::SEND_ONE.value);
    near(send_us(50.0, false), 50.0 * c::UPDATE_OF_50.value);
    near(send_us(9.0, true), 9.0 * c::OWN_UPDATE_OF_9.value);
    let market = Market { symbols: 500.0, ticks_hz: 5_000.0, flush_hz: 10.0 };
    let all = Audience { interest: Interest::Same(50.0), max_hz: None }.demand(&market);
    near(all.updates_hz, 500.0);
    near(all.sends_hz, 10.0);
    // Nobody gets more by asking for less, and where all of a symbol's quotes merge, one remains.
    let slow = Audience { interest: Interest::Same(50.0), max_hz: Some(0.1) }.demand(&market);
    near(slow.updates_hz, 50.0 * (0.1 + 1.0));
    assert!(slow.cable_hz < all.cable_hz && slow.cpu_us < all.cpu_us, "{slow:?}");
    let node = Node { shards: 16.0, gbit: 25.0, memory_gib: 64.0, descriptors: 1_048_576.0 };
    let (room, resource) = node.room(&market, &all);
    let (first, full) = fullest(&node.load(&market, &all, room));
    assert_eq!((first, resource), (Resource::Cable, Resource::Cable));
    assert!((0.599..=0.6).contains(&full), "{full}");
    let flood = Market { ticks_hz: 5e6, ..market };
    assert_eq!(node.room(&flood, &all).0, 0.0, "the market alone is too much");
}
