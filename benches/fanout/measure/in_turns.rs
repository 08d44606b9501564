//! Two servers side by side, each with clients of its own, whose markets have their bursts in
//! turn.
//!
//! A shared machine changes its speed within seconds, so that runs one behind the other differ by
//! some percent though nothing else does. What changes more slowly than a turn changes for both.

use super::{Figures, Plan, RunError, Stand};
use crate::feed::{self, Feed, Schedule, Turns};
use crate::process;
use crate::servers::Server;
use crate::workload::{self, Cell};
use std::time::Duration;

/// A receiver to which nothing came for its retransmission timeout, at least 200 ms, acknowledges
/// the next 16 segments at once (Linux, net/ipv4/tcp_input.c, `tcp_event_data_recv`), which costs
/// the server's core a quarter more. So the pause between two turns is shorter than that, or the
/// market's own was longer already.
const TURN_NS: i64 = 100_000_000;

/// For the last burst of a turn to reach everybody before the other's first.
const REST_NS: i64 = 20_000_000;

/// Of a turn of one burst, where bursts are not so far apart that another has room in between.
const SINGLE_NS: i64 = 80_000_000;

/// What the core's softirqs cost is charged to whose turn it was, read so long before the next.
const LOOK_NS: i64 = 5_000_000;

/// How the two take turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Of one turn.
    pub bursts: i64,
    pub every_ns: i64,
    /// From one turn to that of the other.
    pub turn_ns: i64,
}

impl Timing {
    pub fn of(cell: &Cell) -> Timing {
        let every_ns = cell.market.every_us as i64 * 1_000;
        let bursts = (TURN_NS / every_ns).max(1);
        let turn_ns = match bursts {
            1 if every_ns >= workload::RARE.as_nanos() as i64 => every_ns / 2,
            1 => SINGLE_NS,
            _ => bursts * every_ns + REST_NS,
        };
        Timing { bursts, every_ns, turn_ns }
    }

    /// Turns that have as many bursts as the market has in so long.
    pub fn turns_in(&self, time: Duration) -> i64 {
        let turn = self.bursts * self.every_ns;
        (time.as_nanos() as i64 + turn - 1) / turn
    }

    /// From the first burst of the first turn.
    pub fn schedule(&self, first_ns: i64) -> Schedule {
        let turns = Turns { bursts: self.bursts, every_ns: 2 * self.turn_ns };
        Schedule { first_ns, every_ns: self.every_ns, turns: Some(turns) }
    }
}

/// Both at once, the first of them first; the times of the plan are those of each one's market.
pub fn run_in_turns(
    cell: &Cell,
    servers: [&Server; 2],
    plan: &Plan,
    seed: u64,
) -> Result<[Figures; 2], RunError> {
    let timing = Timing::of(cell);
    let (warmup, counted) = (timing.turns_in(plan.warmup), timing.turns_in(plan.window));
    let window = Duration::from_nanos((2 * counted * timing.turn_ns) as u64);
    let [first, second] = servers;
    let mut stands = [
        Stand::open(cell, first, plan, window, seed)?,
        Stand::open(cell, second, plan, window, seed)?,
    ];
    let start_ns = feed::now_ns() + feed::LEAD_NS;
    let mut feeds = Vec::new();
    for (stand, turn) in stands.iter_mut().zip(0..) {
        let schedule = timing.schedule(start_ns + turn * timing.turn_ns);
        feeds.push(stand.start_feed(cell, schedule, plan.core_load));
    }
    let from_ns = start_ns + 2 * warmup * timing.turn_ns - LOOK_NS;
    count(&mut stands, &feeds, &timing, (from_ns, counted), plan)?;
    let [first, second] = stands;
    let mut feeds = feeds.into_iter();
    Ok([first.close(feeds.next())?, second.close(feeds.next())?])
}

/// So many turns of each, from an instant before the first one's.
fn count(
    stands: &mut [Stand; 2],
    feeds: &[Feed],
    timing: &Timing,
    (from_ns, turns): (i64, i64),
    plan: &Plan,
) -> Result<(), RunError> {
    feed::sleep_until(from_ns);
    let segments_before = process::segments_sent();
    let bursts_before: Vec<_> = feeds.iter().map(Feed::begin_count).collect();
    let idle_before = process::core_idle_s(plan.core_server);
    let mut own_before = [0, 0];
    for (stand, own) in stands.iter_mut().zip(&mut own_before) {
        *own = stand.cpu.own_ns();
        stand.load.count().map_err(|error| stand.died_or(error))?;
    }
    let mut softirqs_ns = [0, 0];
    let mut before = stands[0].cpu.softirqs_ns();
    for turn in 1..=2 * turns {
        feed::sleep_until(from_ns + turn * timing.turn_ns);
        let now = stands[0].cpu.softirqs_ns();
        softirqs_ns[(turn as usize - 1) % 2] += now - before;
        before = now;
    }
    let wall_s = (2 * turns * timing.turn_ns) as f64 / 1e9;
    let idle_s = process::core_idle_s(plan.core_server) - idle_before;
    let segments = process::segments_sent() - segments_before;
    let mut cpu_s = [0.0, 0.0];
    for (at, stand) in stands.iter_mut().enumerate() {
        let own_ns = stand.cpu.own_ns() - own_before[at];
        cpu_s[at] = (own_ns + softirqs_ns[at]) as f64 / 1e9;
    }
    let others_share = ((wall_s - idle_s - cpu_s[0] - cpu_s[1]) / wall_s).max(0.0);
    for (at, stand) in stands.iter_mut().enumerate() {
        let figures = &mut stand.figures;
        // What both did in their turns, as a share of the time that each market had.
        figures.seconds = (turns * timing.bursts * timing.every_ns) as f64 / 1e9;
        figures.server_cpu_s = cpu_s[at];
        figures.others_share = others_share;
        figures.segments = segments / 2;
        figures.add_bursts(Some((&feeds[at], bursts_before[at])));
    }
    Ok(())
}
