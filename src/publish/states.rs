//! How the feeds are doing, taken together.

use crate::feed::nats::PublisherState;
use crate::market::{Feed, FeedState};

/// The state of each feed, where lines of one sequence are one. The worst counts: a node cannot
/// tell its clients which of the publisher's feeds is away.
#[derive(Debug)]
pub struct States {
    feeds: Vec<FeedState>,
}

impl States {
    pub fn new(feeds: usize) -> States {
        States { feeds: vec![FeedState::Stale; feeds] }
    }

    /// True: it was another.
    pub fn note(&mut self, feed: Feed, state: FeedState) -> bool {
        let known = self.feeds.get_mut(usize::from(feed.0));
        known.is_some_and(|known| std::mem::replace(known, state) != state)
    }

    pub fn together(&self) -> PublisherState {
        match self.feeds.iter().max().unwrap_or(&FeedState::Stale) {
            FeedState::Ok => PublisherState::Ok,
            FeedState::Stale => PublisherState::Stale,
            FeedState::Down => PublisherState::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_the_feeds_counts() {
        let mut states = States::new(2);
        assert_eq!(states.together(), PublisherState::Stale);
        assert!(states.note(Feed(0), FeedState::Ok) && !states.note(Feed(0), FeedState::Ok));
        states.note(Feed(1), FeedState::Ok);
        assert_eq!(states.together(), PublisherState::Ok);
        states.note(Feed(1), FeedState::Down);
        assert_eq!(states.together(), PublisherState::Down);
        assert!(!states.note(Feed(9), FeedState::Ok));
    }
}
