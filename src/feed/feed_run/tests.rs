use super::*;
use crate::feed::source::Sink;
use crate::market::{Channel, Decimal, Feed, RecordBody, Symbol, SymbolId};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

const SECOND: i64 = 1_000_000_000;
const STALE: i64 = 5 * SECOND;
const SECOND_ONE: Member = Member { number: 1, feed: Feed(1), has_partner: false };
const ALONE: Member = Member { number: 0, feed: Feed(0), has_partner: false };

/// What a scripted source does at one poll.
enum Step {
    /// Trades of these symbols, at this event time.
    Trades(&'static [&'static str], i64),
    Then(Next),
    Panic,
}

struct Script {
    steps: VecDeque<Step>,
    is_live: bool,
    /// What becomes of each opening anew; no more than these.
    openings: VecDeque<Result<(), String>>,
}

impl Source for Script {
    fn poll(&mut self, _: i64, _: usize, sink: &mut Sink<'_>) -> Next {
        match self.steps.pop_front() {
            Some(Step::Trades(symbols, at_ns)) => {
                let give = |symbol: &&str| sink(trade(symbol, at_ns)).ok();
                symbols.iter().filter_map(give).for_each(drop);
                Next::More
            }
            Some(Step::Then(next)) => next,
            Some(Step::Panic) => panic!("a scripted panic"),
            None => Next::Wake,
        }
    }

    fn is_live(&self) -> bool {
        self.is_live
    }

    fn reopen(&mut self) -> Option<Result<(), String>> {
        self.openings.pop_front()
    }
}

fn trade(symbol: &str, event_ns: i64) -> Record<'static> {
    let body = RecordBody::Trade {
        id: None,
        price: Decimal::new(5, 0),
        size: Decimal::new(1, 0),
        exchange: Cow::Borrowed("Q"),
        tape: Cow::Borrowed(""),
        conditions: Cow::Borrowed(""),
    };
    Record { symbol: Symbol::parse(symbol).expect("a symbol"), event_ns, seq: None, body }
}

#[derive(Default)]
struct Narrow {
    room: usize,
    taken: Vec<Tick>,
}

impl TickQueue for Narrow {
    fn push(&mut self, tick: Tick) -> Result<(), Tick> {
        self.room = self.room.checked_sub(1).ok_or(tick)?;
        self.taken.push(tick);
        Ok(())
    }
}

fn run(is_live: bool, steps: impl IntoIterator<Item = Step>) -> FeedRun {
    run_again(is_live, steps, [])
}

fn run_again(
    is_live: bool,
    steps: impl IntoIterator<Item = Step>,
    openings: impl IntoIterator<Item = Result<(), String>>,
) -> FeedRun {
    let (steps, openings) = (steps.into_iter().collect(), openings.into_iter().collect());
    let source = Box::new(Script { steps, is_live, openings });
    let mut sequences = Sequences::new("own", &[ALONE]);
    FeedRun::new(ALONE, source, &mut sequences, STALE, 0)
}

fn shared(rooms: &[usize]) -> Shared<Narrow> {
    let queue = |room: &usize| Narrow { room: *room, taken: Vec::new() };
    let outlets = rooms.iter().map(|room| (Outlet::default(), queue(room))).collect();
    let sequences = Sequences::new("own", &[ALONE, SECOND_ONE]);
    Shared { numbering: Numbering::default(), sequences, outlets }
}

fn states(queue: &Narrow) -> Vec<(FeedState, i64)> {
    let state = |tick: &Tick| match tick.body() {
        TickBody::FeedState { state, last_ns, .. } => Some((state, last_ns)),
        _ => None,
    };
    queue.taken.iter().filter_map(state).collect()
}

#[test]
fn states_follow_the_ticks() {
    let quiet = || Step::Then(Next::At(100 * SECOND));
    let steps = [quiet(), Step::Trades(&["A"], SECOND), quiet(), quiet(), Step::Then(Next::Ended)];
    let (mut feed, mut shared) = (run(false, steps), shared(&[100]));
    // Before the first tick it is stale already, and not told again.
    assert_eq!(feed.turn(9 * SECOND, &mut shared), Rest::Until(100 * SECOND));
    assert_eq!(feed.turn(10 * SECOND, &mut shared), Rest::None);
    assert_eq!(feed.turn(11 * SECOND, &mut shared), Rest::Until(15 * SECOND));
    assert_eq!(feed.turn(15 * SECOND, &mut shared), Rest::Until(100 * SECOND));
    assert_eq!(feed.turn(16 * SECOND, &mut shared), Rest::Wake);
    let at = 10 * SECOND;
    let expected =
        [(FeedState::Stale, 0), (FeedState::Ok, at), (FeedState::Stale, at), (FeedState::Down, at)];
    assert_eq!(states(&shared.outlets[0].1), expected);
    assert_eq!(feed.turn(17 * SECOND, &mut shared), Rest::Wake);
}

#[test]
fn bars_close_by_ticks_by_the_clock_and_at_the_end() {
    let bars = |is_live, now_ns, steps: [Step; 2]| {
        let (mut feed, mut shared) = (run(is_live, steps), shared(&[100]));
        feed.turn(0, &mut shared);
        feed.turn(now_ns, &mut shared);
        let is_bar = |tick: &&Tick| matches!(tick.body(), TickBody::BarTotals(..));
        shared.outlets[0].1.taken.iter().filter(is_bar).count()
    };
    let first = || Step::Trades(&["A", "B"], 5 * SECOND);
    let wait = || Step::Then(Next::Wake);
    assert_eq!(bars(true, 60 * SECOND, [first(), wait()]), 0);
    assert_eq!(bars(true, 61 * SECOND, [first(), wait()]), 2);
    assert_eq!(bars(false, 61 * SECOND, [first(), wait()]), 0);
    assert_eq!(bars(false, 0, [first(), Step::Trades(&["C"], 61 * SECOND)]), 2);
    assert_eq!(bars(false, 0, [first(), Step::Then(Next::Ended)]), 2);
    assert_eq!(bars(false, 0, [first(), Step::Then(Next::Again)]), 2);
}

/// Method: beside a trade of now comes one of the year after, first in a live feed, then in one
/// that has only its own time.
#[test]
fn a_time_far_ahead_ends_the_bars_of_no_live_feed() {
    let bars = |is_live| {
        let year = 365 * 86_400 * SECOND;
        let steps = [
            Step::Trades(&["A"], 5 * SECOND),
            Step::Trades(&["B"], year),
            Step::Trades(&["A"], 6 * SECOND),
            Step::Trades(&["A"], 65 * SECOND),
            Step::Then(Next::Wake),
        ];
        let (mut feed, mut shared) = (run(is_live, steps), shared(&[100]));
        for at in [5, 6, 6, 65, 121] {
            feed.turn(at * SECOND, &mut shared);
        }
        let trades = shared.outlets[0].1.taken.iter().filter_map(|tick| match tick.body() {
            TickBody::BarTotals(_, totals) => Some(totals.trades),
            _ => None,
        });
        (trades.collect::<Vec<_>>(), feed.counters().late_trades.load(Ordering::Relaxed))
    };
    assert_eq!(bars(true), (vec![2, 1], 1), "the one that is ahead is in none");
    assert_eq!(bars(false), (vec![1], 2), "time is what its records say");
}

#[test]
fn a_panic_of_a_source_is_its_own_end() {
    let steps = [Step::Trades(&["A"], SECOND), Step::Panic];
    let (mut feed, mut shared) = (run(true, steps), shared(&[100]));
    feed.turn(1, &mut shared);
    let Rest::Until(due_ns) = feed.turn(2, &mut shared) else { panic!("it is tried again") };
    assert_eq!(states(&shared.outlets[0].1).last(), Some(&(FeedState::Down, 1)));
    assert_eq!(feed.turn(3, &mut shared), Rest::Until(due_ns));
    assert_eq!(feed.turn(due_ns, &mut shared), Rest::Wake, "it cannot be opened again");
    assert_eq!(feed.turn(due_ns + SECOND, &mut shared), Rest::Wake);
}

/// Method: a source that panics, cannot be opened, can, and fails once more.
#[test]
fn a_feed_that_died_is_started_again_after_waits_that_grow() {
    let failed = || Step::Then(Next::Failed("scripted".into()));
    let steps = [Step::Trades(&["A"], SECOND), Step::Panic, failed(), Step::Trades(&["A"], SECOND)];
    let openings = [Err("not yet".into()), Ok(()), Ok(())];
    let (mut feed, mut shared) = (run_again(true, steps, openings), shared(&[100]));
    feed.set_retry(Retry::new(1_000, 60_000));
    let mut now = SECOND;
    feed.turn(now, &mut shared);
    for wait in [1, 2, 4] {
        assert_eq!(feed.turn(now, &mut shared), Rest::Until(now + wait * SECOND));
        assert_eq!(feed.turn(now + 1, &mut shared), Rest::Until(now + wait * SECOND));
        now += wait * SECOND;
    }
    assert_eq!(feed.turn(now, &mut shared), Rest::None);
    let begin = (FeedState::Stale, 0);
    let (ok, down) = (FeedState::Ok, (FeedState::Down, SECOND));
    let expected = [begin, (ok, SECOND), down, (ok, now)];
    assert_eq!(states(&shared.outlets[0].1), expected);
    assert_eq!(feed.counters().restarts.load(Ordering::Relaxed), 2);
    let seqs: Vec<u64> = shared.outlets[0].1.taken.iter().map(Tick::seq).collect();
    assert_eq!(seqs.iter().max(), Some(&2), "numbers go on");
}

#[test]
fn another_feeds_symbol_is_counted_and_refused() {
    let mut shared = shared(&[100]);
    run(true, [Step::Trades(&["A"], SECOND)]).turn(1, &mut shared);
    let mut second = run(true, [Step::Trades(&["A", "B"], SECOND)]);
    second.member = SECOND_ONE;
    second.turn(1, &mut shared);
    let counters = second.counters();
    assert_eq!(counters.refused.load(Ordering::Relaxed), 1);
    assert_eq!(counters.records.load(Ordering::Relaxed), 1);
}

/// Trades of each symbol in order, and none used before its definition; lost ones are counted.
fn judge(queue: &Narrow, seed: u64) -> (HashMap<SymbolId, u64>, u64) {
    let (mut next, mut codes, mut lost) = (HashMap::new(), 0, 0);
    for tick in &queue.taken {
        match tick.body() {
            TickBody::Symbol { id, .. } => assert_eq!(next.insert(id, 1), None, "seed {seed}"),
            TickBody::Code { code, .. } => codes = code,
            TickBody::Trade(head, trade) => {
                let next = next.get_mut(&head.symbol).expect("a symbol is defined before use");
                assert!(trade.exchange <= codes && head.seq == *next, "seed {seed}: {tick:?}");
                *next += 1;
            }
            TickBody::Lost { symbol, from, to, channel, .. } => {
                let next = next.get_mut(&symbol).expect("a symbol is defined before use");
                assert_eq!((from, channel), (*next, Channel::Trades), "seed {seed}");
                *next = to + 1;
                lost += to + 1 - from;
            }
            _ => {}
        }
    }
    (next, lost)
}

/// Method: 100 seeds; a live and a waiting feed share three shards whose room comes at random.
/// The waiting feed's trades must all arrive, the live one's arrive or be told as lost.
#[test]
fn a_waiting_feed_loses_nothing_and_a_live_one_says_what_it_lost() {
    let mut lost_total = 0;
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let waiting = (0..40).map(|_| Step::Trades(&["A", "B", "A"], SECOND));
        let live = (0..400).map(|_| Step::Trades(&["X", "Y"], SECOND));
        let mut feeds = [run(false, waiting), run(true, live)];
        feeds[1].member = SECOND_ONE;
        let mut shared = shared(&[0, 0, 0]);
        for now in 0..100_000 {
            let (_, queue) = &mut shared.outlets[random.usize(..3)];
            queue.room += random.usize(..12);
            let rests = feeds.each_mut().map(|feed| feed.turn(now, &mut shared));
            if !rests.iter().any(|rest| matches!(rest, Rest::None | Rest::Blocked)) {
                break;
            }
        }
        for (outlet, queue) in &mut shared.outlets {
            queue.room = usize::MAX;
            assert!(outlet.drain(queue), "seed {seed}");
            let (next, lost) = judge(queue, seed);
            let mut counts: Vec<u64> = next.values().map(|next| next - 1).collect();
            counts.sort_unstable();
            assert_eq!(counts, [40, 80, 400, 400], "seed {seed}");
            let of_waiting = |tick: &&Tick| {
                let id = tick.symbol();
                let name = |t: &Tick| match t.body() {
                    TickBody::Symbol { id: same, name, .. } if same == id => Some(name),
                    _ => None,
                };
                matches!(tick.body(), TickBody::Lost { .. })
                    && queue.taken.iter().find_map(name).is_some_and(|n| n.as_str() < "X")
            };
            assert_eq!(queue.taken.iter().filter(of_waiting).count(), 0, "seed {seed}");
            lost_total += lost;
        }
    }
    assert!(lost_total > 100, "the test must reach what it tests");
}
