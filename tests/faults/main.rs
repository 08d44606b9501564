//! Real faults against the built binary: dead, stuck and hostile peers.
//!
//! Method: a server with one shard on the first core; 1,000 healthy clients of that shard, which
//! check that they get every trade and every quote; hostile clients in a network namespace of
//! their own, driven from the other core. A fault is played in rounds that alternate with quiet.
//! Asserted: each hostile session ends within its deadline and for the reason that the fault
//! should have, by the server's own log; no healthy client is closed or misses anything; after
//! each round the server has as many descriptors as before. Latencies are reported, not asserted.
//!
//! Needs root and `ip`, for the namespaces. Nothing is sent out of them.

mod closing;
mod commands;
mod frames;
mod link;
mod processes;
mod stage;
mod upgrades;
