//! Many machines: publishers, NATS and three nodes, with clients that go to another node when
//! theirs is lost.
//!
//! Method: real processes under load, and one thing that is killed or stopped at a time. Watchers
//! are clients that note every item: what a node gives under a number must be what all others give
//! under it, and a trade that is missing must lie in a gap. Every wait ends.

#[path = "../nats/harness.rs"]
#[allow(unused_imports, reason = "tests/nats uses the rest of it")]
mod harness;
#[path = "../nats/server.rs"]
#[allow(dead_code, reason = "tests/nats uses the rest of it")]
mod nats_server;
#[path = "../publish/publisher.rs"]
#[allow(dead_code, reason = "tests/publish uses the rest of it")]
mod publisher;
mod rig;
mod watcher;

mod losses;

use harness::wait_for;
