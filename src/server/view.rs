//! What the admin port sees of the server.

use super::Server;
use crate::config::Settings;
use crate::control::{FeedView, LogLevel, Notes, ShardView, StopAsker, View};
use crate::feed::FeedSpec;
use std::time::Instant;

impl Server {
    /// What the feeds are called, in their order.
    pub fn feed_names(&self) -> Vec<String> {
        FeedSpec::names(&self.feeds)
    }

    /// `log` and `stop` are what the admin port changes besides.
    pub fn view(&self, settings: &Settings, log: LogLevel, stop: StopAsker) -> View {
        let shards = self.shards.iter().map(|shard| ShardView {
            core: shard.core,
            counters: shard.counters.clone(),
            inlet: shard.inlet.clone(),
            port: shard.port(),
        });
        View {
            began: Instant::now(),
            stream: self.address,
            shards: shards.collect(),
            feeds: feed_views(&self.feeds),
            ingest: self.ingest.counters().clone(),
            reception: self.reception.clone(),
            state: self.state.clone(),
            log_addresses: settings.log.addresses,
            log,
            stop,
            notes: Notes::default(),
        }
    }
}

fn feed_views(specs: &[FeedSpec]) -> Vec<FeedView> {
    let view = |(name, spec): (String, &FeedSpec)| FeedView {
        name,
        waits_for_sessions: spec.waits_for_sessions(),
        takes_publishers: spec.takes_publishers(),
    };
    FeedSpec::names(specs).into_iter().zip(specs).map(view).collect()
}
