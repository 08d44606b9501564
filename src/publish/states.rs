//! How the feeds are doing, taken together.

use super::options::PublishFeed;
use crate::feed::nats::PublisherState;
use crate::market::{Feed, FeedState};

/// The state of each feed. Lines of one sequence stand in for each other, so the best of them
/// counts; of different sequences the worst does.
#[derive(Debug)]
pub struct States {
    /// With the line to which the feed belongs.
    feeds: Vec<(Option<String>, FeedState)>,
}

impl States {
    pub fn new(feeds: &[PublishFeed]) -> States {
        let stale = |feed: &PublishFeed| (feed.line.clone(), FeedState::Stale);
        States { feeds: feeds.iter().map(stale).collect() }
    }

    pub fn note(&mut self, feed: Feed, state: FeedState) {
        if let Some((_, known)) = self.feeds.get_mut(usize::from(feed.0)) {
            *known = state;
        }
    }

    pub fn together(&self) -> PublisherState {
        let best_of_line = |(line, state): &(Option<String>, FeedState)| match line {
            None => *state,
            Some(_) => {
                let same = self.feeds.iter().filter(|(other, _)| other == line);
                same.map(|(_, state)| *state).min().unwrap_or(*state)
            }
        };
        let worst = self.feeds.iter().map(best_of_line).max();
        match worst.unwrap_or(FeedState::Stale) {
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
    fn lines_stand_in_for_each_other_and_other_feeds_do_not() {
        let feed = |line: &str| {
            let line = Some(line).filter(|line| !line.is_empty()).map(String::from);
            PublishFeed { line, epoch: None }
        };
        let mut states = States::new(&[feed("x"), feed("x"), feed("")]);
        assert_eq!(states.together(), PublisherState::Stale);
        states.note(Feed(0), FeedState::Ok);
        states.note(Feed(1), FeedState::Down);
        states.note(Feed(2), FeedState::Ok);
        assert_eq!(states.together(), PublisherState::Ok);
        states.note(Feed(2), FeedState::Down);
        assert_eq!(states.together(), PublisherState::Down);
    }
}
