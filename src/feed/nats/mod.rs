//! NATS: how a server is reached, and what a publisher and the nodes say to each other over it.
//!
//! A publisher sends lines of a feed with their sequence numbers on `PREFIX.t.SYMBOL` (trades),
//! `PREFIX.q.SYMBOL` (quotes) and `PREFIX.b.SYMBOL` (bars), and says on `PREFIX.meta` twice a
//! second that it is there ([`Meta`]). Each message says in its headers of which epoch and term it
//! is ([`Marks`]). Must not know shards, and gives numbers to nothing.

mod backlog;
mod connect;
mod counters;
mod headers;
mod history;
mod meta;
mod outbox;
mod reader;
mod reign;
mod source;
mod subject;

pub use connect::{Link, NatsError, Servers, connect, connect_once};
pub use counters::NatsCounters;
pub use headers::{EPOCH_BYTES_MAX, Marks, is_epoch};
pub use meta::{META_EVERY_MS, Meta, PublisherState};
pub use source::{Following, NatsFeed};
pub use subject::{PREFIX, Prefix, SubjectKind, unescape};
