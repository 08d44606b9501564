//! What the server has counted, as the last lines of its log.

use crate::control::by_word;
use crate::server::Server;
use crate::shard::ShardCounters;

/// Sums over all shards, by reason.
pub fn log(server: &Server) {
    let shards: Vec<&ShardCounters> = server.shards.iter().map(|shard| &*shard.counters).collect();
    let refused = told(shards.iter().flat_map(|counters| counters.refused()));
    let told_of = told(shards.iter().flat_map(|counters| counters.told()));
    let closed = told(shards.iter().flat_map(|counters| counters.closed()));
    let handed_on: u64 = shards.iter().map(|counters| counters.handed().0).sum();
    let handed_in: u64 = shards.iter().map(|counters| counters.handed().1).sum();
    for (shard, counters) in shards.iter().enumerate() {
        let times = counters.turn_times().read();
        let (turns, longest_us) = (times.count(), times.largest);
        let (half_us, most_us) = (times.permille(500), times.permille(990));
        tracing::info!(
            "shard {shard}: {turns} turns, half of them within {half_us} us, 99 % within {most_us} \
             us, the longest {longest_us} us"
        );
    }
    let failed: u64 = shards.iter().map(|counters| counters.accepts_failed()).sum();
    tracing::info!(
        "stopped. closed:{closed} refused:{refused} told:{told_of} handed_on={handed_on} \
         handed_in={handed_in} accepts_failed={failed}"
    );
}

/// Sums, as ` reason=count` each.
fn told(counts: impl Iterator<Item = (&'static str, u64)>) -> String {
    by_word(counts).into_iter().map(|(word, count)| format!(" {word}={count}")).collect()
}
