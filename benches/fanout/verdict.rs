//! Which runs count, and what those of one server come to.

mod faults;

use crate::measure::Figures;
use crate::results::{CellResults, Outcome};
use crate::servers::{FLOOR_CONNECT, TAPECAST};
use crate::stats::{Spread, paired_ratios};
use faults::{Fault, Floor, fault};
pub use faults::{floor_of, incomplete, is_undisturbed};

/// A load with less rest than this may be what was measured: to 16,000 clients that got a send
/// every 100 ms each, the same server was 27 ms later where the load took 86 % of its core than
/// where it took 76.
const LOAD_SHARE_MAX: f64 = 0.8;

/// A server and its floor that both use more of the core than this are both full: what they did
/// is what a core can do, and their ratio is one whatever they cost.
const SATURATED_SHARE_MIN: f64 = 0.95;

/// What a server came to in a cell: over the rounds that count or, where too few do, over those in
/// which every client got everything, however late.
#[derive(Debug)]
pub struct Summary<'a> {
    pub server: &'a str,
    pub rounds: usize,
    /// Rounds that do not count, and why.
    pub invalid: Vec<(usize, String)>,
    /// Of those, the ones that say nothing of the server.
    disturbed: usize,
    all: Vec<&'a Figures>,
    valid: Vec<(usize, &'a Figures)>,
    /// Those that count, and those that only were too slow or merged. Latencies are told over
    /// these: without the late rounds they would flatter.
    complete: Vec<(usize, &'a Figures)>,
    /// The floor's sound rounds.
    floor: Vec<(usize, &'a Figures)>,
}

/// All servers of a cell.
pub fn summaries(results: &CellResults) -> Vec<Summary<'_>> {
    results.servers().into_iter().map(|server| Summary::new(results, server)).collect()
}

impl<'a> Summary<'a> {
    pub fn new(results: &'a CellResults, server: &'a str) -> Summary<'a> {
        let floor = Floor::of(results);
        let mut summary = Summary {
            server,
            rounds: 0,
            invalid: Vec::new(),
            disturbed: 0,
            all: Vec::new(),
            valid: Vec::new(),
            complete: Vec::new(),
            floor: floor.sound(),
        };
        for run in results.runs.iter().filter(|run| run.server == server) {
            summary.rounds += 1;
            match &run.outcome {
                Outcome::Failed(why) => summary.invalid.push((run.round, why.clone())),
                Outcome::Figures(figures) => {
                    let of_round = (run.round, &**figures);
                    let fault = fault(&results.cell, server, of_round, &floor);
                    summary.take(run.round, figures, fault);
                }
            }
        }
        summary
    }

    fn take(&mut self, round: usize, figures: &'a Figures, fault: Option<Fault>) {
        self.all.push(figures);
        match fault {
            None => {
                self.valid.push((round, figures));
                self.complete.push((round, figures));
                return;
            }
            Some(Fault::Unlike(_)) => self.complete.push((round, figures)),
            Some(Fault::Disturbed(_)) => self.disturbed += 1,
            Some(Fault::Incomplete(_)) => {}
        }
        let why = fault.map(|fault| fault.words().to_string());
        self.invalid.extend(why.map(|why| (round, why)));
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
        let (restless, rounds) = (sum(|figures| u64::from(figures.restless)), self.rounds);
        if restless > 0 {
            remarks.push(format!(
                "the core did not come to rest before {restless} of {rounds} rounds"
            ));
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

    /// Half of the undisturbed rounds count at least, and a quarter of all: where others had the
    /// core most of the time, what is left may have had less of them, but not nothing.
    pub fn counts(&self) -> bool {
        self.is_enough(self.valid.len())
    }

    pub fn valid_count(&self) -> usize {
        self.valid.len()
    }

    pub fn complete_count(&self) -> usize {
        self.complete.len()
    }

    /// Every client got everything, in as many of the rounds.
    pub fn is_complete(&self) -> bool {
        self.is_enough(self.complete.len())
    }

    pub fn is_told(&self, over: Over) -> bool {
        match over {
            Over::Counted => self.counts(),
            Over::Complete => self.is_complete(),
        }
    }

    fn is_enough(&self, rounds: usize) -> bool {
        rounds > 0 && 2 * rounds >= self.rounds - self.disturbed && 4 * rounds >= self.rounds
    }

    fn figures(&self) -> &[(usize, &'a Figures)] {
        if self.counts() { &self.valid } else { &self.complete }
    }

    pub fn spread(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        spread(self.figures(), of)
    }

    /// To the floor of the same round.
    pub fn ratio(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(ratios_between(self.figures(), &self.floor, of))
    }

    /// To another server of the same round.
    pub fn ratio_to(
        &self,
        other: &Summary,
        of: impl Fn(&Figures) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(ratios_between(self.figures(), other.figures(), of))
    }

    /// Of a latency: over the late rounds as well.
    pub fn late_spread(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        spread(&self.complete, of)
    }

    pub fn late_ratio(&self, of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.floor_ratios(Over::Complete, of))
    }

    /// Of every round its own.
    pub fn floor_ratios(&self, over: Over, of: impl Fn(&Figures) -> Option<f64>) -> Vec<f64> {
        ratios_between(self.over(over), &self.floor, of)
    }

    pub fn ratios_to(
        &self,
        other: &Summary,
        over: Over,
        of: impl Fn(&Figures) -> Option<f64>,
    ) -> Vec<f64> {
        ratios_between(self.over(over), other.over(over), of)
    }

    fn over(&self, over: Over) -> &[(usize, &'a Figures)] {
        match over {
            Over::Counted => self.figures(),
            Over::Complete => &self.complete,
        }
    }

    /// Both it and its floor fill the core.
    pub fn is_saturated(&self) -> bool {
        let is_full = |figures: &[(usize, &Figures)]| {
            let share = spread(figures, |figures| Some(figures.server_share()));
            share.is_some_and(|share| share.median > SATURATED_SHARE_MIN)
        };
        is_full(&self.complete) && is_full(&self.floor)
    }
}

/// Which rounds a figure is taken over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// Those that count: of what a server costs.
    Counted,
    /// The late and merged as well: of how late it is.
    Complete,
}

fn spread(figures: &[(usize, &Figures)], of: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
    Spread::of(figures.iter().filter_map(|(_, figures)| of(figures)))
}

fn ratios_between(
    ours: &[(usize, &Figures)],
    theirs: &[(usize, &Figures)],
    of: impl Fn(&Figures) -> Option<f64>,
) -> Vec<f64> {
    let values = |list: &[(usize, &Figures)]| {
        let value = |(round, figures): &(usize, &Figures)| Some((*round, of(figures)?));
        list.iter().filter_map(value).collect::<Vec<_>>()
    };
    paired_ratios(&values(ours), &values(theirs))
}

/// The ratio of CPU per connect to the bare loop's, where that was measured.
pub fn connect_ratio(results: &CellResults, server: &str) -> Option<Spread> {
    let bare = Summary::new(results, FLOOR_CONNECT);
    Summary::new(results, server).ratio_to(&bare, |figures| Some(figures.connect_cpu_us))
}

/// Rounds whose numbers nobody disturbed, neither Tapecast's nor the floor's. A run that failed
/// was not disturbed by others: running it again would hide it.
pub fn undisturbed_rounds(results: &CellResults) -> usize {
    let floor = floor_of(results).unwrap_or(TAPECAST);
    let is_good = |round: usize| {
        let mut figures = results
            .runs
            .iter()
            .filter(|run| run.round == round && (run.server == TAPECAST || run.server == floor));
        figures.all(|run| run.figures().is_none_or(is_undisturbed))
    };
    let last = results.runs.iter().map(|run| run.round + 1).max();
    (0..last.unwrap_or(0)).filter(|round| is_good(*round)).count()
}
