//! The ingest node: takes feeds in, gives numbers, and sends all of it to NATS once, for as many
//! nodes as there are.
//!
//! [`Publisher::spawn`] starts one thread with a runtime of its own. It pops the one
//! [`Inlet`](crate::feed::Inlet) that the ingest thread fills, makes lines of the ticks, and
//! publishes them by symbol and channel ([`batch`]). While NATS is away or slow it takes nothing
//! from the inlet: what a live feed gives meanwhile is merged to the latest, or becomes a loss that
//! is told, as for a shard that is slow. Where several publishers have the same feed, one of them
//! holds the [`lease`] and the others listen. Must not know shards, sessions, nor what a node does
//! with a message.

mod batch;
mod connection;
mod counters;
mod flight;
mod held;
mod intake;
mod lease;
mod numbers;
mod options;
mod outgo;
mod positions;
mod publisher;
mod roles;
mod session;
mod states;
mod stream;
mod takeover;
mod unstored;

pub use counters::{PublishCounters, Role};
pub use options::{PublishError, PublishOptions, StreamOptions};
pub use publisher::{Publisher, PublisherHandle};
