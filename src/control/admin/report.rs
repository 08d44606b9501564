//! What the admin port says in JSON: the shapes of `/api/status` and `/api/sessions`, for who
//! writes them and for who reads them. Readers take fields that they do not know in silence, so
//! that they may be older than the server.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// From one point of the history to the next.
pub const HISTORY_INTERVAL: Duration = Duration::from_secs(5);

/// Five minutes of them.
pub const HISTORY_POINTS_MAX: usize = 60;

/// A word of a fixed set where it is written.
pub type Word = Cow<'static, str>;

pub type ByWord = BTreeMap<Word, u64>;

/// Everything that is counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub version: Word,
    /// Of the feeds' sequence numbers: another one is another process.
    pub epoch: String,
    pub uptime_s: f64,
    pub stream: Stream,
    /// `serving` or `draining`.
    pub state: Word,
    pub ready: bool,
    /// Why it is not ready.
    pub reasons: Vec<String>,
    pub totals: Totals,
    pub shards: Vec<Shard>,
    pub feeds: Vec<Feed>,
    /// Oldest first.
    pub history: Vec<Past>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    pub listen: String,
    pub path: Word,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Totals {
    pub sessions: u64,
    pub sessions_max: u64,
    /// Each shard takes every tick, so this is what the shard that has had most counts.
    pub ticks_in: u64,
    pub items_out: u64,
    pub frames_out: u64,
    pub bytes_out: u64,
    pub refused: ByWord,
    pub closed: ByWord,
    pub lagging: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Used {
    pub used: u64,
    pub limit: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limits {
    pub sessions: Used,
    pub half_open: Used,
    pub descriptors: Used,
    pub inlet: Used,
    pub memory_bytes: Used,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shard {
    pub shard: usize,
    pub core: usize,
    /// `turning`, `sleeping`, `stuck` or `ended`.
    pub state: Word,
    pub restarts: u64,
    pub limits: Limits,
    /// `normal`, `alert`, `refuse` or `shed`.
    pub breaker: Word,
    pub lag_refuses: bool,
    pub turn_lag_us: u64,
    pub tick_lag_us: u64,
    pub window_ms: u64,
    pub lagging: u64,
    pub ticks_in: u64,
    pub items_out: u64,
    pub frames_out: u64,
    pub bytes_out: u64,
    pub conflated: u64,
    pub gaps: u64,
    pub refused: ByWord,
    pub closed: ByWord,
    pub latency_us: Latency,
}

/// From the ingest of a tick to the sockets, over about the last minute.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Feed {
    pub feed: String,
    /// `live`, `stale`, `retrying` or `ended`.
    pub state: Word,
    pub ticks: u64,
    /// Ticks a second, over the last seconds.
    pub rate: f64,
    pub age_ms: Option<u64>,
    pub bad_lines: u64,
    /// Records that got no number: see the log.
    #[serde(default)]
    pub refused: u64,
    /// Records of symbols that its options leave out.
    #[serde(default)]
    pub filtered: u64,
    /// Where others bring its lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishers: Option<Publishers>,
    /// Where it is from NATS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats: Option<Nats>,
    pub reconnects: u64,
}

/// How a feed's connection to NATS does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nats {
    pub connected: bool,
    /// There is a stream of JetStream to read from.
    pub history: bool,
    pub reconnects: u64,
    pub slow_consumer: u64,
    pub lame_duck: u64,
    pub errors: u64,
    pub resyncs: u64,
    pub history_messages: u64,
    pub dropped_by_term: u64,
    pub dropped_by_epoch: u64,
    pub strange: u64,
}

/// What a feed's publishers have sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Publishers {
    /// Open now.
    pub connections: u64,
    /// Connections that were one too many.
    pub refused: u64,
    pub bytes: u64,
    /// Without blank ones and requests.
    pub lines: u64,
}

/// One [`HISTORY_INTERVAL`]; counts are of it alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Past {
    /// The end, in seconds before now, and so negative.
    pub t_s: f64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub ticks_in: u64,
    pub items_out: u64,
    pub sessions: u64,
    pub refused: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sessions {
    pub sessions: Vec<Session>,
    /// How many there are, in the list or not.
    pub total: u64,
    pub truncated: bool,
    /// Shards that have not answered within a second: their sessions are missing.
    pub silent_shards: Vec<usize>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// Its id, as clients get it: 16 hex digits.
    pub session: String,
    pub shard: usize,
    /// None where addresses are not to be told.
    pub address: Option<String>,
    pub age_s: u64,
    pub state: Word,
    pub subscriptions: u64,
    pub symbols: u64,
    pub behind_ticks: u64,
    /// Without progress; none where it makes some.
    pub behind_ms: Option<u64>,
    pub unsent_bytes: u64,
}
