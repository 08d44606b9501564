//! The rules for one symbol and channel of one client: what may come next.

use super::act::{CHANNELS, Item, Since};
use super::decode::time;
use super::world::{Content, Marks, NAMES, QUOTES, TRADES, World};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the first item after the subscription must be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum First {
    Snapshot,
    Update,
    /// It has come.
    Seen,
}

#[derive(Debug, Clone)]
struct Pair {
    first: First,
    /// Newest sequence number that the client has; of trades, also through gaps.
    last: u64,
    /// Of trades: the gap that the answer to `since` must show before anything else.
    gap_due: Option<(Option<u64>, Option<u64>)>,
    /// Quotes may be merged here, since a command has just moved the client.
    may_jump: bool,
}

/// By symbol and channel; `None` where the client has not subscribed. And the epoch that the
/// client knows.
#[derive(Debug)]
pub struct Pairs([[Option<Pair>; 3]; NAMES.len()], pub usize);

pub fn has(items: &BTreeSet<Item>, name: &str, channel: usize) -> bool {
    items.iter().any(|(of, on)| *on == channel && (of == name || of == "*"))
}

impl Default for Pairs {
    fn default() -> Pairs {
        Pairs([const { [const { None }; 3] }; NAMES.len()], 0)
    }
}

impl Pairs {
    /// A subscription has been answered, which was executed when the world stood at `marks`.
    pub fn change(&mut self, new: &BTreeSet<Item>, marks: &Marks, since: &Since, valid: bool) {
        for (symbol, name) in NAMES.iter().enumerate() {
            let since = since.get(*name).copied().unwrap_or_default();
            for (channel, since) in since.into_iter().enumerate() {
                let pair = &mut self.0[symbol][channel];
                match (has(new, name, channel), &mut *pair) {
                    (true, Some(kept)) => kept.may_jump = true,
                    (true, None) if channel == TRADES => {
                        *pair = Some(Pair::trades(symbol, marks, since, valid));
                    }
                    (true, None) => {
                        let last = marks.seqs[symbol][channel];
                        *pair = Some(Pair::conflated(last, since, valid));
                    }
                    (false, _) => *pair = None,
                }
            }
        }
    }

    /// Numbers start again, and so does all that was subscribed: with the first of each, or with a
    /// snapshot of what other feeds had. Who was behind may lack the last of before.
    pub fn begin(&mut self, era: usize, world: &World) {
        assert_eq!(era, self.1 + 1, "epochs come in order, and each is told");
        let marks = world.begun(era);
        for (symbol, pairs) in self.0.iter_mut().enumerate() {
            for (channel, pair) in pairs.iter_mut().enumerate() {
                let Some(pair) = pair else { continue };
                assert_eq!(pair.gap_due, None, "the gap of a resume comes before the epoch's end");
                *pair = match channel {
                    TRADES => Pair::trades(symbol, marks, None, false),
                    _ => Pair::conflated(marks.seqs[symbol][channel], None, false),
                };
            }
        }
        self.1 = era;
    }

    /// A trade, quote or bar. `every`: the client keeps up, so that it gets every quote.
    pub fn item(&mut self, channel: usize, item: &Value, nanos: bool, every: bool, world: &World) {
        let symbol = symbol(item);
        let seq = item["sq"].as_u64().expect("sq");
        let pair = self.0[symbol][channel].as_mut();
        let pair = pair.unwrap_or_else(|| panic!("not subscribed to {item}"));
        let history = world.history(self.1, symbol);
        let content = history.events[channel].get(&seq);
        content.expect("an event that was").check(item, nanos);
        assert_eq!(pair.gap_due, None, "the gap of a resume comes before {item}");
        assert_eq!(item.get("sn").is_some(), pair.first == First::Snapshot, "snapshot flag {item}");
        if channel == TRADES {
            assert_eq!(seq, pair.last + 1, "the next trade, or a gap before it: {item}");
        } else if pair.first == First::Snapshot {
            assert!(seq >= pair.last, "a snapshot older than the subscription: {item}");
        } else {
            assert!(seq > pair.last, "after {} came {item}", pair.last);
        }
        if every && channel == QUOTES && pair.first == First::Seen && !pair.may_jump {
            let next = history.following(channel, pair.last);
            assert_eq!(Some(seq), next, "a quote was merged for one who keeps up");
        }
        (pair.first, pair.last, pair.may_jump) = (First::Seen, seq, false);
    }

    pub fn gap(&mut self, item: &Value, world: &World) {
        assert_eq!(item["ch"], "trades", "only trades are lossless");
        let symbol = symbol(item);
        let pair = self.0[symbol][TRADES].as_mut();
        let pair = pair.unwrap_or_else(|| panic!("not subscribed to {item}"));
        let (from, to) = (item["from"].as_u64(), item["to"].as_u64());
        if let Some(due) = pair.gap_due.take() {
            assert_eq!(due, (from, to), "the gap of a resume");
            pair.last = to.unwrap_or(pair.last);
            return;
        }
        let to = to.expect("only a resume has no number to name");
        assert!(to > pair.last, "a gap of what has come: {item} after {}", pair.last);
        let history = world.history(self.1, symbol);
        match from {
            Some(from) => {
                assert!(history.losses.contains(&(from, to)), "no such loss: {item}");
                // A resume may have named a number in the middle of the loss.
                assert!(from <= pair.last + 1, "a loss in its place: {item} after {}", pair.last);
            }
            None => assert!(to <= history.evicted, "{item} is still on the tape"),
        }
        pair.last = to;
    }

    /// Nothing more will come: the client has the newest of all.
    pub fn at_rest(&self, world: &World) {
        assert_eq!(self.1, world.era(&world.epoch), "the epoch at rest");
        for (symbol, pairs) in self.0.iter().enumerate() {
            for (channel, pair) in pairs.iter().enumerate() {
                let Some(pair) = pair else { continue };
                let newest = world.symbols[symbol].seqs[channel];
                let of = format!("{} of {}", CHANNELS[channel], NAMES[symbol]);
                assert_eq!(pair.last, newest, "the newest of {of} at rest");
                assert_ne!(pair.first, First::Snapshot, "the snapshot of {of}");
                assert_eq!(pair.gap_due, None, "the gap of {of}");
            }
        }
    }

    /// What to say after a reconnect.
    pub fn had(&self) -> Since {
        let mut had = Since::new();
        for (name, pairs) in NAMES.iter().zip(&self.0) {
            let mut seqs = [None; 3];
            for (seq, pair) in seqs.iter_mut().zip(pairs) {
                let known = pair.as_ref().filter(|p| p.first == First::Seen && p.last > 0);
                *seq = known.map(|pair| pair.last);
            }
            if seqs.iter().any(Option::is_some) {
                had.insert(name.to_string(), seqs);
            }
        }
        had
    }
}

impl Pair {
    fn trades(symbol: usize, marks: &Marks, since: Option<u64>, valid: bool) -> Pair {
        let (newest, evicted) = (marks.seqs[symbol][TRADES], marks.evicted[symbol]);
        let (last, gap_due) = match since {
            None => (newest, None),
            Some(_) if !valid => (newest, Some((None, (newest > 0).then_some(newest)))),
            Some(seq) if evicted > seq => (seq, Some((Some(seq + 1), Some(evicted)))),
            // Above the newest: another server was ahead.
            Some(seq) => (seq.min(newest), None),
        };
        Pair { first: First::Update, last, gap_due, may_jump: true }
    }

    fn conflated(newest: u64, since: Option<u64>, valid: bool) -> Pair {
        let has = since.filter(|_| valid).map(|seq| seq.min(newest));
        let first = if newest > 0 && has.is_none() { First::Snapshot } else { First::Update };
        let last = has.unwrap_or(if first == First::Snapshot { newest } else { 0 });
        Pair { first, last, gap_due: None, may_jump: true }
    }
}

fn symbol(item: &Value) -> usize {
    let name = item["S"].as_str().expect("S");
    NAMES.iter().position(|known| *known == name).expect("a symbol that a feed sends")
}

impl Content {
    /// The item says what the feed said.
    fn check(&self, item: &Value, nanos: bool) {
        assert_eq!(time(&item["t"]), (self.t, nanos), "t of {item}");
        for (key, value) in &self.numbers {
            assert_eq!(item[key].as_f64(), Some(*value), "{key} of {item}");
        }
        for (key, value) in &self.texts {
            match (&item[key], *value) {
                (Value::Null, "") => {}
                (Value::Array(list), joined) => {
                    let list: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    assert_eq!(list.join(","), joined, "{key} of {item}");
                }
                (text, value) => assert_eq!(text.as_str(), Some(value), "{key} of {item}"),
            }
        }
    }
}
