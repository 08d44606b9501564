//! Why a round does not count: by itself, and beside the floor of the same round.

use crate::measure::{Figures, Latency};
use crate::results::CellResults;
use crate::servers::{FLOOR_CONNECT, FLOOR_RING, FLOOR_SEND, FLOORS, TAPECAST};
use crate::stats::Spread;
use crate::workload::{Cell, Interest};

/// Fewer updates than this share of what was sent are too few.
const DELIVERED_MIN: f64 = 0.98;

/// Fewer sends than this share, of the floor's or of one for every burst and reader: updates were
/// merged into larger ones. Of peers the reads of the load are known, which joins some of them
/// where it is behind.
const FRAMES_MIN: f64 = 0.98;
const READS_MIN: f64 = 0.9;

/// The most that the p99 may be, in that of the floor.
const P99_RATIO_MAX: f64 = 1.1;

/// The most that the floor's own p99 may be, in the median of its rounds: a floor that was late
/// once would let everyone pass in that round.
const FLOOR_P99_RATIO_MAX: f64 = 1.5;

/// More of the server's core than this was somebody else's: the machine was not quiet.
const OTHERS_SHARE_MAX: f64 = 0.05;

/// Why a round does not count.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Somebody did not get something.
    Incomplete(String),
    /// Others used the core, of the server or of its floor: the round says nothing of either.
    Disturbed(String),
    /// All got all, but later than the floor's clients or in fewer sends; or there is no floor
    /// to tell it by.
    Unlike(String),
}

impl Fault {
    pub fn words(&self) -> &str {
        let (Fault::Incomplete(why) | Fault::Disturbed(why) | Fault::Unlike(why)) = self;
        why
    }
}

/// The floor that a cell is told against: of those measured the first.
pub fn floor_of(results: &CellResults) -> Option<&'static str> {
    let floors: &[&str] = match results.cell.market.is_quiet() {
        true => &[FLOOR_CONNECT, FLOOR_SEND, FLOOR_RING],
        false => &[FLOOR_SEND, FLOOR_RING],
    };
    floors.iter().copied().find(|floor| results.figures(floor).next().is_some())
}

/// The rounds of a cell's floor, each with what is wrong with it.
pub struct Floor<'a> {
    rounds: Vec<(usize, &'a Figures, Option<Fault>)>,
}

impl<'a> Floor<'a> {
    pub fn of(results: &'a CellResults) -> Floor<'a> {
        let Some(name) = floor_of(results) else { return Floor { rounds: Vec::new() } };
        let judged = |(round, figures)| (round, figures, alone(&results.cell, name, figures));
        let mut rounds: Vec<_> = results.figures(name).map(judged).collect();
        let sound = rounds.iter().filter(|(.., fault)| fault.is_none());
        let usual = Spread::of(sound.filter_map(|(_, figures, _)| p99(figures)));
        for (_, figures, fault) in &mut rounds {
            let late = || floor_late(figures, usual?.median);
            *fault = fault.take().or_else(late);
        }
        Floor { rounds }
    }

    /// Those that others can be told by.
    pub fn sound(&self) -> Vec<(usize, &'a Figures)> {
        let sound = self.rounds.iter().filter(|(.., fault)| fault.is_none());
        sound.map(|(round, figures, _)| (*round, *figures)).collect()
    }

    /// An error is the fault of whoever had that round.
    fn at(&self, round: usize) -> Result<&'a Figures, Fault> {
        match self.rounds.iter().find(|(other, ..)| *other == round) {
            None => Err(Fault::Unlike("no floor in this round".into())),
            Some((_, figures, None)) => Ok(figures),
            Some((_, figures, Some(Fault::Disturbed(_)))) => {
                let why = others_used(figures, "floor").unwrap_or_default();
                Err(Fault::Disturbed(why))
            }
            Some((_, _, Some(fault))) => {
                let why = fault.words();
                Err(Fault::Unlike(format!(
                    "no floor in this round, whose own does not count: {why}"
                )))
            }
        }
    }
}

/// `None` where the round counts.
pub fn fault(
    cell: &Cell,
    server: &str,
    (round, figures): (usize, &Figures),
    floor: &Floor,
) -> Option<Fault> {
    if let Some(fault) = alone(cell, server, figures) {
        return Some(fault);
    }
    match floor.at(round) {
        // Who is at rest is told by itself; only noise reaches it from elsewhere.
        Err(Fault::Unlike(_)) | Ok(_) if cell.market.is_quiet() => None,
        Err(fault) => Some(fault),
        Ok(floor) => {
            let merged = || fewer_sends(cell, server, figures, floor);
            merged().or_else(|| later(figures, floor)).map(Fault::Unlike)
        }
    }
}

/// Whether others left the core to the server.
pub fn is_undisturbed(figures: &Figures) -> bool {
    figures.others_share <= OTHERS_SHARE_MAX
}

/// Why somebody did not get something; `None` where everybody got everything.
pub fn incomplete(cell: &Cell, server: &str, figures: &Figures) -> Option<String> {
    broken(cell, server, figures).or_else(|| short(cell, figures))
}

/// What a round shows without any other. Broken promises stay what they are in a disturbed round.
fn alone(cell: &Cell, server: &str, figures: &Figures) -> Option<Fault> {
    let broken = || broken(cell, server, figures).map(Fault::Incomplete);
    let disturbed = || others_used(figures, "server").map(Fault::Disturbed);
    let short = || short(cell, figures).map(Fault::Incomplete);
    let merged = || merged(cell, server, figures).map(Fault::Unlike);
    // The floor's late rounds are told by its others, which is the caller's.
    broken().or_else(disturbed).or_else(short).or_else(merged)
}

fn others_used(figures: &Figures, whose: &str) -> Option<String> {
    let share = 100.0 * figures.others_share;
    (!is_undisturbed(figures)).then(|| format!("others took {share:.1} % of the {whose}'s core"))
}

fn broken(cell: &Cell, server: &str, figures: &Figures) -> Option<String> {
    // Who comes later is promised a snapshot, which a floor has not got.
    let is_excused = cell.troubles.churn_hz > 0 && FLOORS.contains(&server);
    let broken = if is_excused { 0 } else { figures.violations };
    let missing = figures.missing;
    if broken + missing > 0 {
        return Some(format!(
            "{missing} updates missing, {broken} out of order or not as promised"
        ));
    }
    let closed = figures.closed();
    (closed > 0).then(|| format!("{closed} connections were closed"))
}

fn short(cell: &Cell, figures: &Figures) -> Option<String> {
    if cell.market.is_quiet() {
        return None;
    }
    let each = cell.market.updates_per_second(cell.symbols_each());
    let one_burst = cell.readers() * each * cell.market.every_us as f64 / 1e6;
    let expected = cell.readers() * each * figures.seconds;
    let least = (expected * DELIVERED_MIN).min(expected - one_burst);
    let share = 100.0 * figures.ticks as f64 / expected;
    let is_short = (figures.ticks as f64) < least;
    is_short.then(|| format!("delivered {share:.1} % of the updates within the window"))
}

/// A frame of Tapecast and of the floors is a send, whatever is in it.
fn is_frame_a_send(server: &str) -> bool {
    server == TAPECAST || FLOORS.contains(&server)
}

/// Where every burst is for every reader and nothing is to be held back, it is a send for each,
/// of the floor as well: a full core would merge the bursts of both, and neither would show it
/// beside the other. The burst at the window's edge may be on either side.
fn merged(cell: &Cell, server: &str, figures: &Figures) -> Option<String> {
    let is_for_all = matches!(cell.interest, Interest::Same(_) | Interest::All)
        && cell.symbols_each() == cell.market.symbols;
    if !is_for_all || cell.flush_ms > 0 || cell.market.is_quiet() || !is_frame_a_send(server) {
        return None;
    }
    // Of S1 those who read: what the slow and the stalled get is not counted.
    let expected = cell.readers() * figures.bursts as f64;
    let least = (expected * FRAMES_MIN).min(expected - cell.readers());
    let share = figures.frames as f64 / expected;
    let is_merged = (figures.frames as f64) < least;
    is_merged.then(|| format!("merged: {share:.2} of a send for every burst and reader"))
}

/// Of a peer of single messages a frame says nothing of sends, and the load's reads have to.
fn fewer_sends(cell: &Cell, server: &str, figures: &Figures, floor: &Figures) -> Option<String> {
    let share = |ours: u64, theirs: u64| {
        let share = ours as f64 / (theirs as f64).max(1.0) * floor.seconds / figures.seconds;
        (theirs > 0).then_some(share)
    };
    let frames = share(figures.frames, floor.frames);
    let reads = share(figures.reads, floor.reads);
    let told = |share: f64, what: &str| format!("merged: {share:.2} of the floor's {what}");
    let few_frames = frames.filter(|share| *share < FRAMES_MIN).map(|share| told(share, "sends"));
    if is_frame_a_send(server) {
        return few_frames;
    }
    let few_reads = reads.filter(|share| *share < READS_MIN).map(|share| told(share, "reads"));
    // With one update in a burst a message is a frame whether it was sent alone or not.
    let is_single =
        cell.market.burst * cell.market.repeats == 1 || figures.frames >= 2 * floor.frames;
    few_reads.or(few_frames.filter(|_| !is_single))
}

fn p99(figures: &Figures) -> Option<f64> {
    figures.latency_us.map(|latency: Latency| latency.p99)
}

fn later(figures: &Figures, floor: &Figures) -> Option<String> {
    let (ours, theirs) = (p99(figures)?, p99(floor)?);
    let is_late = ours > P99_RATIO_MAX * theirs;
    is_late
        .then(|| format!("p99 of {:.1} ms is {:.2} times the floor's", ours / 1e3, ours / theirs))
}

fn floor_late(figures: &Figures, usual_us: f64) -> Option<Fault> {
    let own = p99(figures)?;
    let (ms, times) = (own / 1e3, own / usual_us);
    let why = || format!("p99 of {ms:.1} ms is {times:.2} times the median of its rounds");
    (own > FLOOR_P99_RATIO_MAX * usual_us).then(|| Fault::Unlike(why()))
}
