//! Method: scripted sources with numbers of their own, polled in turn as the ingest thread does it.

use super::*;
use crate::feed::outlet::{Outlet, TickQueue};
use crate::feed::sequences::{Member, Sequences};
use crate::feed::source::{Next, Sink};
use crate::feed::{FeedCondition, Numbering};
use crate::market::{Decimal, Feed, Symbol};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

const SECOND: i64 = 1_000_000_000;

/// One poll: the epoch in which it comes, and numbers of trades of `A`.
type Poll = (Option<&'static str>, &'static [u64]);

struct Script {
    polls: VecDeque<Poll>,
    /// Of the last poll.
    epoch: Option<&'static str>,
    line: Option<&'static str>,
    has_history: bool,
}

impl Source for Script {
    fn poll(&mut self, _: i64, _: usize, sink: &mut Sink<'_>) -> Next {
        let Some((epoch, seqs)) = self.polls.pop_front() else { return Next::Wake };
        self.epoch = epoch;
        seqs.iter().for_each(|seq| sink(trade(*seq)).unwrap_or_default());
        Next::More
    }

    fn is_live(&self) -> bool {
        true
    }

    fn line(&self) -> Option<&str> {
        self.line
    }

    fn epoch(&self) -> Option<&str> {
        self.polls.front().map_or(self.epoch, |(epoch, _)| *epoch)
    }

    fn recover(&mut self) -> bool {
        self.has_history
    }
}

fn trade(seq: u64) -> Record<'static> {
    let body = RecordBody::Trade {
        id: None,
        price: Decimal::new(5, 0),
        size: Decimal::new(1, 0),
        exchange: Cow::Borrowed(""),
        tape: Cow::Borrowed(""),
        conditions: Cow::Borrowed(""),
    };
    Record { symbol: Symbol::parse("A").expect("a symbol"), event_ns: 1, seq: Some(seq), body }
}

#[derive(Default)]
struct Taken(Vec<Tick>);

impl TickQueue for Taken {
    fn push(&mut self, tick: Tick) -> Result<(), Tick> {
        self.0.push(tick);
        Ok(())
    }
}

struct Desk {
    runs: Vec<FeedRun>,
    shared: Shared<Taken>,
}

impl Desk {
    /// Feeds of one line where there are two.
    fn new(scripts: Vec<Script>) -> Desk {
        let has_partner = scripts.len() > 1;
        let member = |number| Member { number, feed: Feed(0), has_partner };
        let members: Vec<Member> = (0..scripts.len()).map(member).collect();
        let mut sequences = Sequences::new("own", &members);
        let run = |(member, script)| {
            FeedRun::new(member, Box::new(script), &mut sequences, 5 * SECOND, 0)
        };
        let runs = members.into_iter().zip(scripts).map(run).collect();
        let outlets = vec![(Outlet::default(), Taken::default())];
        Desk { runs, shared: Shared { numbering: Numbering::default(), sequences, outlets } }
    }

    /// One turn of each feed; what came out, in short.
    fn turn(&mut self, now_ns: i64) -> Vec<String> {
        for run in &mut self.runs {
            run.turn(now_ns, &mut self.shared);
        }
        let Shared { numbering, outlets, .. } = &mut self.shared;
        let mut expired = Vec::new();
        numbering.expire(Feed(0), now_ns, &mut expired);
        let (outlet, queue) = &mut outlets[0];
        expired.into_iter().for_each(|tick| outlet.offer(tick, queue));
        let short = |tick: Tick| match tick.body() {
            TickBody::Trade(head, _) => Some(format!("{}", head.seq)),
            TickBody::Lost { from, to, .. } => Some(format!("lost {from}-{to}")),
            TickBody::Begins { after, .. } => Some(format!("behind {after}")),
            TickBody::Epoch { epoch, .. } => Some(format!("epoch {}", epoch.as_str())),
            TickBody::FeedState { state, .. } => Some(state.name().to_string()),
            _ => None,
        };
        let taken = std::mem::take(&mut self.shared.outlets[0].1.0);
        taken.into_iter().filter_map(short).collect()
    }
}

fn script(line: Option<&'static str>, polls: &[Poll]) -> Script {
    let polls = polls.iter().copied().collect();
    Script { polls, epoch: None, line, has_history: false }
}

#[test]
fn two_lines_are_one_feed() {
    let a = script(Some("x"), &[(None, &[1, 2, 5]), (None, &[6]), (None, &[])]);
    let b = script(Some("x"), &[(None, &[1, 3]), (None, &[4, 5, 9]), (None, &[])]);
    let mut desk = Desk::new(vec![a, b]);
    // The states: stale before the first record, and well with it, once for both.
    assert_eq!(desk.turn(SECOND), ["stale", "1", "ok", "2", "3"]);
    assert_eq!(desk.turn(SECOND + 1), ["4", "5", "6"]);
    assert_eq!(desk.turn(SECOND + 2), Vec::<String>::new(), "9 waits for what is before it");
    assert_eq!(desk.turn(2 * SECOND), ["lost 7-8", "9"]);
    let duplicates = desk.runs[1].counters().duplicates.load(Ordering::Relaxed);
    assert_eq!(duplicates, 2, "1 and 5 of the second line");
    assert_eq!(desk.turn(20 * SECOND), ["stale"]);
    assert!(desk.runs.iter().all(|run| run.counters().condition() == FeedCondition::Stale));
}

#[test]
fn an_epoch_of_the_source_is_the_clients() {
    let mut desk = Desk::new(vec![script(
        None,
        &[(Some("e1"), &[7, 8]), (Some("e1"), &[8]), (Some("e2"), &[1]), (None, &[40])],
    )]);
    assert_eq!(desk.turn(SECOND), ["stale", "epoch e1", "behind 6", "7", "ok", "8"]);
    assert_eq!(desk.turn(SECOND), Vec::<String>::new());
    assert_eq!(desk.turn(SECOND), ["epoch e2", "1"]);
    // Without one, numbers are given here, in an epoch that never was.
    let last = desk.turn(SECOND);
    assert!(last[0].starts_with("epoch ") && last[0] != "epoch own" && last[1] == "1", "{last:?}");
}

#[test]
fn a_line_that_stays_in_the_old_epoch_is_refused() {
    let a = script(Some("x"), &[(Some("e1"), &[1]), (Some("e2"), &[1]), (Some("e2"), &[2])]);
    let b = script(Some("x"), &[(Some("e1"), &[1]), (Some("e1"), &[2]), (Some("e2"), &[2, 3])]);
    let mut desk = Desk::new(vec![a, b]);
    desk.turn(SECOND);
    assert_eq!(desk.turn(SECOND), ["epoch e2", "1"]);
    assert_eq!(desk.runs[1].counters().refused.load(Ordering::Relaxed), 1);
    assert_eq!(desk.turn(SECOND), ["2", "3"]);
}

#[test]
fn a_source_with_history_is_asked_and_waited_for() {
    let polls: [Poll; 7] = [
        (Some("e"), &[1]),
        (Some("e"), &[4]),
        (Some("e"), &[2, 3]),
        (Some("e"), &[9]),
        (Some("e"), &[10]),
        (Some("e"), &[11]),
        (Some("e"), &[]),
    ];
    let mut desk = Desk::new(vec![Script { has_history: true, ..script(None, &polls) }]);
    desk.turn(SECOND);
    assert_eq!(desk.turn(SECOND), Vec::<String>::new());
    assert_eq!(desk.turn(2 * SECOND), ["2", "3", "4"]);
    assert_eq!(desk.turn(3 * SECOND), Vec::<String>::new());
    // What comes behind a hole that was asked for makes it wait no longer.
    assert_eq!(desk.turn(4 * SECOND), Vec::<String>::new());
    assert_eq!(desk.turn(5 * SECOND), ["lost 5-8", "9", "10", "11"]);
    let mut alone = Desk::new(vec![script(None, &polls)]);
    alone.turn(SECOND);
    assert_eq!(alone.turn(SECOND), ["lost 2-3", "4"], "nobody has it");
}
