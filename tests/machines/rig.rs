//! NATS with a stream, publishers, three nodes, and a watcher at each.

use crate::harness::Server;
use crate::nats_server::NatsServer;
use crate::publisher::Publisher;
use crate::watcher::{Seen, Watcher, compare};
use std::net::SocketAddr;
use std::time::Duration;

/// Trades and quotes of 40 symbols.
pub const SYNTHETIC: &str = "--feed synthetic:symbols=40,rate=2000,trades=40,test_symbols=off";

pub struct Rig {
    pub nats: NatsServer,
    pub publishers: Vec<Publisher>,
    pub nodes: Vec<Server>,
    pub watchers: Vec<Watcher>,
}

impl Rig {
    /// `publishers` of this feed, of which the first leads; all three nodes give something. The
    /// watchers leave a node that is silent for `silence_max`.
    pub fn start(publishers: usize, feed: &str, silence_max: Duration) -> Rig {
        let nats = NatsServer::with_jetstream();
        let flags = format!("--jetstream --max-bytes 256M {feed}");
        let publishers: Vec<Publisher> = (0..publishers)
            .map(|at| {
                let publisher = Publisher::start(&nats, &flags);
                let is_up = if at == 0 { "publishes with term" } else { "connected to" };
                publisher.wait_for_log(is_up);
                publisher
            })
            .collect();
        let node = |_| Server::start(&node_flags(&nats));
        let nodes: Vec<Server> = (0..3).map(node).collect();
        // Before that its clients would see an epoch of its own.
        nodes.iter().for_each(|node| node.wait_for_log("a new epoch"));
        let addresses: Vec<SocketAddr> = nodes.iter().map(|node| node.address).collect();
        let watcher = |at: usize| {
            let mut order = addresses.clone();
            order.rotate_left(at);
            Watcher::start(order, silence_max)
        };
        let watchers = (0..3).map(watcher).collect();
        let rig = Rig { nats, publishers, nodes, watchers };
        rig.wait_for_more(1_000);
        rig
    }

    pub fn node_flags(&self) -> String {
        node_flags(&self.nats)
    }

    /// Until each watcher has got so many more items.
    pub fn wait_for_more(&self, count: usize) {
        self.watchers.iter().for_each(|watcher| watcher.wait_for_more(count));
    }

    /// Ends all; nothing may be missing without a gap, nor differ between nodes.
    pub fn end(self) -> Vec<Seen> {
        let seen: Vec<Seen> = self.watchers.into_iter().map(Watcher::end).collect();
        let lost: Vec<u64> = seen.iter().map(Seen::lost).collect();
        println!("trades that gaps told of, by client: {lost:?}");
        for seen in &seen {
            assert!(seen.holes.is_empty(), "without a gap: {:?}", &seen.holes[..1]);
        }
        let common = compare(&seen);
        assert!(common > 1_000, "{common} items were seen at all three nodes");
        for node in self.nodes {
            node.stop();
        }
        seen
    }
}

fn node_flags(nats: &NatsServer) -> String {
    format!("--feed nats:{} --shards 1", nats.url())
}
