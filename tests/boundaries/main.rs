//! Error boundaries of the real binary.
//!
//! Method: faults are asked for (`--fault-injection`) while subscribers of every trade watch; who
//! is not concerned must lose nothing and stay connected, and who was cut resumes without a gap.

mod client;
mod drain;
mod feeds;
mod server;
mod shards;
