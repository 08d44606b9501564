//! Which runs count, and what those of one server come to.

use crate::measure::{Figures, Latency};
use crate::results::{CellResults, Outcome};
use crate::servers::{FLOOR_CONNECT, FLOOR_RING, FLOOR_SEND, FLOORS};
use crate::stats::{Spread, paired_ratios};
use crate::workload::Cell;

/// Fewer updates than this share of what was sent are too few.
const DELIVERED_MIN: f64 = 0.98;

/// Fewer sends than this share of the floor's: updates were merged into larger ones. Of peers
/// only the load's reads are known, and a load that is behind joins some of them.
const FRAMES_MIN: f64 = 0.98;
const READS_MIN: f64 = 0.9;

/// The most that the p99 may be, in that of the floor.
const P99_RATIO_MAX: f64 = 1.1;

/// A load with less rest than this may be what was measured.
const LOAD_SHARE_MAX: f64 = 0.95;

/// More of the server's core than this was somebody else's: the machine was not quiet.
const OTHERS_SHARE_MAX: f64 = 0.05;

/// What a server came to in a cell: over the rounds that count or, where too few do, over those in
/// which every client got everything, however late.
#[derive(Debug)]
pub struct Summary<'a> {
    pub server: &'a str,
    pub rounds: usize,
    /// Rounds that do not count, and why.
    pub invalid: Vec<(usize, String)>,
    all: Vec<&'a Figures>,
    valid: Vec<(usize, &'a Figures)>,
    /// Those that count, and those that only were too slow or merged.
    complete: Vec<(usize, &'a Figures)>,
    floor: Vec<(usize, &'a Figures)>,
}

/// Why a run does not count.
enum Fault {
    /// Somebody did not get something.
    Incomplete(String),
    /// All got all, but later than the floor's clients or in fewer sends.
    Unlike(String),
}

/// The floor that a cell is told against: of those measured the first.
pub fn floor_of(results: &CellResults) -> Option<&'static str> {
    [FLOOR_SEND, FLOOR_RING].into_iter().find(|floor| results.figures(floor).next().is_some())
}

/// All servers of a cell.
pub fn summaries(results: &CellResults) -> Vec<Summary<'_>> {
    results.servers().into_iter().map(|server| Summary::new(results, server)).collect()
}

impl<'a> Summary<'a> {
    pub fn new(results: &'a CellResults, server: &'a str) -> Summary<'a> {
        let mut floor: Vec<_> =
            floor_of(results).map(|floor| results.figures(floor).collect()).unwrap_or_default();
        floor.retain(|(_, figures)| incomplete(&results.cell, FLOOR_SEND, figures).is_none());
        let mut summary = Summary {
            server,
            rounds: 0,
            invalid: Vec::new(),
            all: Vec::new(),
            valid: Vec::new(),
            complete: Vec::new(),
            floor,
        };
        for run in results.runs.iter().filter(|run| run.server == server) {
            summary.rounds += 1;
            match &run.outcome {
                Outcome::Failed(why) => summary.invalid.push((run.round, why.clone())),
                Outcome::Figures(figures) => {
                    summary.judge(&results.cell, run.round, figures);
                }
            }
        }
        summary
    }

    fn judge(&mut self, cell: &Cell, round: usize, figures: &'a Figures) {
        let floor = self.floor.iter().find(|(other, _)| *other == round).map(|(_, floor)| *floor);
        match fault(cell, self.server, figures, floor) {
            None => {
                self.valid.push((round, figures));
                self.complete.push((round, figures));
            }
            Some(Fault::Unlike(why)) => {
                self.invalid.push((round, why));
                self.complete.push((round, figures));
            }
            Some(Fault::Incomplete(why)) => self.invalid.push((round, why)),
        }
        self.all.push(figures);
    }

    /// What may have disturbed the rounds, those that count as well.
    pub fn remarks(&self) -> Vec<String> {
        let most = |of: fn(&Figures) -> f64| self.all.iter().map(|f| of(f)).fold(0.0, f64::max);
        let sum = |of: fn(&Figures) -> u64| self.all.iter().map(|f| of(f)).sum::<u64>();
        let mut remarks = Vec::new();
        let load = most(Figures::load_share);
        if load > LOAD_SHARE_MAX {
            remarks.push(format!("the load took up to {:.0} % of its core", 100.0 * load));
        }
        let others = most(|figures| figures.others_share);
        if others > OTHERS_SHARE_MAX {
            let share = 100.0 * others;
            remarks.push(format!("others took up to {share:.0} % of the server's core"));
        }
        let (bursts, late) = (sum(|figures| figures.bursts), sum(|figures| figures.bursts_late));
        if late > 0 {
            let latest = most(|figures| figures.burst_late_ms_max);
            remarks.push(format!("{late} of {bursts} bursts late, the latest by {latest:.1} ms"));
        }
        // The last round stands for all.
        remarks.extend(self.all.last().and_then(|figures| figures.turns.clone()));
        remarks
    }

    /// Half of the rounds count at least.
    pub fn counts(&self) -> bool {
        !self.valid.is_empty() && 2 * self.valid.len() >= self.rounds
    }

    pub fn valid_count(&self) -> usize {
        self.valid.len()
    }

    /// Every client got everything, in half of the rounds at least.
    pub fn is_complete(&self) -> bool {
        !self.complete.is_empty() && 2 * self.complete.len() >= self.rounds
    }

    fn figures(&self) -> &[(usize, &'a Figures)] {
        if self.counts() { &self.valid } else { &self.complete }
    }

    pub fn spread(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.figures().iter().filter_map(|(_, figures)| of(figures)))
    }

    /// To the floor of the same round.
    pub fn ratio(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        ratio_between(self.figures(), &self.floor, of)
    }

    /// To another server of the same round.
    pub fn ratio_to(
        &self,
        other: &Summary,
        of: impl Fn(&Figures) -> Option<f64>,
    ) -> Option<Spread> {
        ratio_between(self.figures(), other.figures(), of)
    }
}

fn ratio_between(
    ours: &[(usize, &Figures)],
    theirs: &[(usize, &Figures)],
    of: impl Fn(&Figures) -> Option<f64>,
) -> Option<Spread> {
    let values = |list: &[(usize, &Figures)]| {
        let value = |(round, figures): &(usize, &Figures)| Some((*round, of(figures)?));
        list.iter().filter_map(value).collect::<Vec<_>>()
    };
    Spread::of(paired_ratios(&values(ours), &values(theirs)))
}

/// `None` where it counts.
fn fault(cell: &Cell, server: &str, figures: &Figures, floor: Option<&Figures>) -> Option<Fault> {
    incomplete(cell, server, figures).map(Fault::Incomplete).or_else(|| {
        let floor = floor.filter(|_| !cell.market.is_quiet())?;
        reason_against_floor(figures, floor).map(Fault::Unlike)
    })
}

fn incomplete(cell: &Cell, server: &str, figures: &Figures) -> Option<String> {
    // Who comes later is promised a snapshot, which a floor has not got.
    let is_excused = cell.troubles.churn_hz > 0 && FLOORS.contains(&server);
    let broken = if is_excused { 0 } else { figures.violations };
    let missing = figures.missing;
    if broken + missing > 0 {
        return Some(format!(
            "{missing} updates missing, {broken} out of order or not as promised"
        ));
    }
    if figures.closed() > 0 {
        return Some(format!("{} connections were closed", figures.closed()));
    }
    if cell.market.is_quiet() {
        return None;
    }
    let troubled = cell.troubles.stall + cell.troubles.slow;
    let readers = cell.connections as f64 * (1.0 - troubled);
    let each = cell.market.updates_per_second(cell.symbols_each());
    let one_burst = readers * each * cell.market.every_us as f64 / 1e6;
    let expected = readers * each * figures.seconds;
    let least = (expected * DELIVERED_MIN).min(expected - one_burst);
    let share = 100.0 * figures.ticks as f64 / expected;
    let is_short = (figures.ticks as f64) < least;
    is_short.then(|| format!("delivered {share:.1} % of the updates within the window"))
}

fn reason_against_floor(figures: &Figures, floor: &Figures) -> Option<String> {
    // A frame of the floor is a send. Of a server of single messages only its reads are sends.
    let is_framed_alike = figures.frames < 2 * floor.frames;
    let (ours, theirs, least) = match is_framed_alike {
        true => (figures.frames, floor.frames, FRAMES_MIN),
        false => (figures.reads, floor.reads, READS_MIN),
    };
    let share = ours as f64 / (theirs as f64).max(1.0) * floor.seconds / figures.seconds;
    if theirs > 0 && share < least {
        return Some(format!("merged: {share:.2} of the floor's sends"));
    }
    let p99 = |f: &Figures| f.latency_us.map(|latency: Latency| latency.p99);
    match (p99(figures), p99(floor)) {
        (Some(ours), Some(theirs)) if ours > P99_RATIO_MAX * theirs => {
            Some(format!("p99 of {:.1} ms is {:.2} times the floor's", ours / 1e3, ours / theirs))
        }
        _ => None,
    }
}

/// The ratio of CPU per connect to the bare loop's, where that was measured.
pub fn connect_ratio(results: &CellResults, server: &str) -> Option<Spread> {
    let bare = Summary::new(results, FLOOR_CONNECT);
    Summary::new(results, server).ratio_to(&bare, |figures| Some(figures.connect_cpu_us))
}
