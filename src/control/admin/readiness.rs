//! Whether the process lives, and whether a client that comes now would be served.

use super::view::{ShardState, View};
use crate::hub::Pressure;

/// What keeps the process from living on: its supervisor should start it anew. A shard that ends
/// while the server stops is as it should be.
pub fn ailments(view: &View) -> Vec<String> {
    let of = |shard: usize| match view.shard_state(shard) {
        ShardState::Stuck => Some(format!("shard {shard} is stuck")),
        ShardState::Ended if !view.state.is_draining() => Some(format!("shard {shard} has ended")),
        _ => None,
    };
    (0..view.shards.len()).filter_map(of).collect()
}

/// Why a balancer should send clients elsewhere; none where they would be served with prices. So a
/// live feed is wanted here, and not by `Server::is_serving`, which only ends the start: another
/// node may have one, but a service without ticks at night has started all the same.
pub fn reasons(view: &View) -> Vec<String> {
    let mut reasons = ailments(view);
    if view.state.is_draining() {
        reasons.push("the server stops".into());
        return reasons;
    }
    if !view.has_live_feed() {
        let told = view.feeds().map(|(feed, counters)| {
            let age = match counters.last_ns() {
                None => ", nothing has come yet",
                Some(_) => "",
            };
            format!("{} is {}{age}", feed.name, counters.condition().word())
        });
        let told: Vec<String> = told.collect();
        reasons.push(format!("no feed is live: {}", told.join("; ")));
    }
    let mut shards = view.shards.iter().map(|shard| &shard.counters);
    if shards.clone().all(|counters| counters.overload().pressure() >= Pressure::Refuse) {
        reasons.push("every shard refuses new clients for want of memory".into());
    } else if shards.clone().all(|counters| counters.overload().lag_refuses()) {
        reasons.push("every shard refuses new clients because it is late".into());
    } else if shards.all(|counters| counters.room() == 0) {
        reasons.push("every shard is full or refuses new clients".into());
    }
    reasons
}
