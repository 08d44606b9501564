//! The sequences of a server's feeds: which feeds are lines of one, in which epoch each counts, and
//! how each is doing.
//!
//! Feeds of one line give the same records with the same numbers, as the redundant lines of an
//! exchange do: what one loses, the other brings. To all behind the ingest thread they are one
//! feed.

use super::source::Source;
use crate::limits::NAME_BYTES_MAX;
use crate::market::{Feed, FeedState, Name};
use std::hash::{DefaultHasher, Hash, Hasher};

/// One feed's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its position among the server's feeds.
    pub number: usize,
    /// What its symbols belong to: the number of its line, where lines count in order of their
    /// first feeds.
    pub feed: Feed,
    pub has_partner: bool,
}

#[derive(Debug)]
pub struct Sequences {
    /// Of numbers that are given here.
    own: String,
    /// How often a feed came back to these.
    returns: u32,
    /// By line.
    lines: Vec<Line>,
    current: Name,
}

#[derive(Debug, Default)]
struct Line {
    epoch: Option<String>,
    /// Epochs that a line of several feeds has left, the newest first.
    left: Vec<String>,
    feeds: Vec<OfLine>,
    told: Option<FeedState>,
}

/// One feed of a line.
#[derive(Debug)]
struct OfLine {
    number: usize,
    state: FeedState,
    has_epoch: bool,
}

/// A feed of a line that is this many epochs behind the others could take the line back.
const LEFT_MAX: usize = 8;

impl Sequences {
    /// `own` is the epoch of numbers that are given here, at most 32 bytes.
    pub fn new(own: &str, members: &[Member]) -> Sequences {
        let count = members.iter().map(|member| usize::from(member.feed.0) + 1).max();
        let mut lines: Vec<Line> = (0..count.unwrap_or(0)).map(|_| Line::default()).collect();
        for member in members {
            // The state before the first tick.
            let (number, state) = (member.number, FeedState::Stale);
            let feed = OfLine { number, state, has_epoch: false };
            lines[usize::from(member.feed.0)].feeds.push(feed);
        }
        Sequences { own: own.to_string(), returns: 0, lines, current: name(own) }
    }

    /// The epoch that clients know.
    pub fn current(&self) -> Name {
        self.current
    }

    /// The epoch in which a line counts now.
    pub fn epoch_of(&self, feed: Feed) -> Option<&str> {
        self.lines[usize::from(feed.0)].epoch.as_deref()
    }

    /// A feed has another epoch than before; the newest that any feed of its line has is the
    /// line's, and it does not go back. True where the line's is a new one.
    pub fn begin(&mut self, member: Member, epoch: Option<&str>) -> bool {
        let line = &mut self.lines[usize::from(member.feed.0)];
        line.feed(member).has_epoch = epoch.is_some();
        if line.epoch.as_deref() == epoch {
            return false;
        }
        if member.has_partner {
            let is_behind = match epoch {
                Some(epoch) => line.left.iter().any(|left| left == epoch),
                None => line.feeds.iter().any(|feed| feed.has_epoch),
            };
            if is_behind {
                return false;
            }
            line.left.splice(..0, line.epoch.take());
            line.left.truncate(LEFT_MAX);
        }
        self.returns += u32::from(epoch.is_none());
        line.epoch = epoch.map(str::to_string);
        self.current = self.common();
        true
    }

    /// A feed's state has changed. Gives that of its line, the best of its feeds', where it is
    /// another than before.
    pub fn set_state(&mut self, member: Member, state: FeedState) -> Option<FeedState> {
        let line = &mut self.lines[usize::from(member.feed.0)];
        line.feed(member).state = state;
        let best = line.feeds.iter().map(|feed| feed.state).min();
        let changed = best.filter(|best| line.told != Some(*best));
        line.told = best;
        changed
    }

    /// What was told last of a line.
    pub fn state(&self, feed: Feed) -> FeedState {
        self.lines[usize::from(feed.0)].told.unwrap_or(FeedState::Stale)
    }

    /// That of the lines where all have the same; otherwise one that changes when any does.
    fn common(&self) -> Name {
        let first = self.lines.first().and_then(|line| line.epoch.as_deref());
        match first {
            Some(epoch) if self.lines.iter().all(|l| l.epoch.as_deref() == first) => name(epoch),
            None if self.lines.iter().all(|line| line.epoch.is_none()) && self.returns == 0 => {
                name(&self.own)
            }
            _ => {
                let epochs: Vec<_> = self.lines.iter().map(|line| &line.epoch).collect();
                hashed(&(&self.own, self.returns, epochs))
            }
        }
    }
}

impl Line {
    fn feed(&mut self, member: Member) -> &mut OfLine {
        let feed = self.feeds.iter_mut().find(|feed| feed.number == member.number);
        feed.expect("every feed is a member from the start")
    }
}

/// The places of feeds, in their order.
pub fn members(sources: &[Box<dyn Source>]) -> Vec<Member> {
    let lines: Vec<Option<&str>> = sources.iter().map(|source| source.line()).collect();
    let mut members: Vec<Member> = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        let same = |other: &usize| line.is_some() && lines[*other] == *line;
        let earlier = (0..number).find(same).map(|other| members[other].feed);
        let count = members.iter().map(|member| member.feed.0 + 1).max().unwrap_or(0);
        let feed = earlier.unwrap_or(Feed(count));
        let has_partner = (0..lines.len()).any(|other| other != number && same(&other));
        members.push(Member { number, feed, has_partner });
    }
    members
}

fn name(epoch: &str) -> Name {
    Name::new(epoch).unwrap_or_else(|| hashed(&epoch))
}

/// The same for the same on every node.
fn hashed(what: &impl Hash) -> Name {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    Name::new(&format!("{:016x}", hasher.finish())).expect("16 digits are a name")
}

const _: () = assert!(NAME_BYTES_MAX >= 16, "a hash is written as a name");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{FeedSpec, Subscribed};
    use std::sync::Arc;

    fn sources(specs: &[&str]) -> Vec<Box<dyn Source>> {
        let nobody: Subscribed = Arc::new(|| 0);
        let spec = |text: &&str| text.parse::<FeedSpec>().expect("a spec");
        specs.iter().map(|text| spec(text).open(&nobody).expect("it opens")).collect()
    }

    #[test]
    fn feeds_without_a_line_are_each_their_own() {
        let members = members(&sources(&["synthetic", "stdin"]));
        let alone = |number| Member { number, feed: Feed(number as u8), has_partner: false };
        assert_eq!(members, [alone(0), alone(1)]);
    }

    #[test]
    fn the_common_epoch_changes_when_any_does() {
        let member = |number| Member { number, feed: Feed(number as u8), has_partner: false };
        let mut sequences = Sequences::new("own", &[member(0), member(1)]);
        assert_eq!(sequences.current().as_str(), "own");
        let [a, b] = [member(0), member(1)];
        assert!(sequences.begin(a, Some("e1")) && !sequences.begin(a, Some("e1")));
        let mixed = sequences.current();
        assert!(sequences.begin(b, Some("e1")));
        assert_eq!(sequences.current().as_str(), "e1");
        assert!(sequences.begin(b, None));
        let again = sequences.current();
        assert_ne!(again, mixed, "numbers that are given here began anew");
        assert!(sequences.begin(a, None));
        assert!(!["own", "e1", again.as_str()].contains(&sequences.current().as_str()));
        assert!(sequences.begin(a, Some(&"x".repeat(40))));
    }

    /// One feed moves on, the other comes back to where it was, without an epoch in between.
    #[test]
    fn a_line_does_not_go_back() {
        let member = |number| Member { number, feed: Feed(0), has_partner: true };
        let (a, b) = (member(0), member(1));
        let mut sequences = Sequences::new("own", &[a, b]);
        assert!(sequences.begin(a, Some("e1")) && !sequences.begin(b, Some("e1")));
        assert!(sequences.begin(a, Some("e2")));
        assert!(!sequences.begin(b, None) && !sequences.begin(b, Some("e1")));
        assert_eq!(sequences.epoch_of(Feed(0)), Some("e2"));
        assert!(!sequences.begin(b, Some("e2")) && sequences.begin(b, Some("e3")));
    }

    #[test]
    fn a_line_is_as_well_as_the_best_of_its_feeds() {
        let member = |number| Member { number, feed: Feed(0), has_partner: true };
        let (a, b) = (member(0), member(1));
        let mut sequences = Sequences::new("own", &[a, b]);
        assert_eq!(sequences.set_state(a, FeedState::Ok), Some(FeedState::Ok));
        assert_eq!(sequences.set_state(b, FeedState::Ok), None);
        assert_eq!(sequences.set_state(a, FeedState::Down), None, "the other goes on");
        assert_eq!(sequences.set_state(b, FeedState::Stale), Some(FeedState::Stale));
        assert_eq!(sequences.set_state(b, FeedState::Down), Some(FeedState::Down));
    }
}
