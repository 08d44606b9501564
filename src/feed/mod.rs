//! Where ticks come from: sources of records, the one ingest thread that numbers them, and the
//! queue to each shard.
//!
//! A source ([`Source`], one file each) gives [`Record`](crate::market::Record)s when it is
//! polled. [`Ingest`] polls all of them, makes ticks of the records ([`Numbering`], [`Bars`]) and
//! offers these to every shard through an [`Outlet`] and an [`Inlet`]. Must not know shards,
//! sessions, encodings for clients, nor what a shard does with a tick.

mod bars;
mod bell;
mod feed_counters;
mod feed_run;
mod ingest;
mod inlet;
mod intake;
mod line_records;
mod lines;
mod log_limit;
pub mod nats;
mod numbering;
mod outlet;
mod replay;
mod retry;
mod selected;
mod sequences;
mod source;
mod spec;
mod stdin;
mod synthetic;
mod tick_lines;
mod tickers;
mod websocket;

pub use bars::Bars;
pub use bell::{Bell, BellListener};
pub use feed_counters::{FeedCondition, FeedCounters};
pub use ingest::{Ingest, IngestCounters, IngestError, IngestHandle, ShardFeedCounters, Tuning};
pub use inlet::Inlet;
pub use intake::{Closed, IntakeCounters, Reception, Report, descriptors};
pub use log_limit::LogLimit;
pub use numbering::{Numbering, Outcome, Refusal};
pub use outlet::{Outlet, TickQueue};
pub use retry::Retry;
pub use source::{Next, Sink, Source, Subscribed};
pub use spec::{FeedKind, FeedOpenError, FeedSpec, Pace, SpecError};
pub use tick_lines::{LineOf, TickLines};
pub use websocket::{Backoff, Connection, DialError, Dialer, RetryHint, TlsError};
