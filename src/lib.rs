//! Tapecast: one market data feed in, very many WebSocket subscribers out.

pub mod cli;
pub mod config;
pub mod control;
pub mod feed;
pub mod hub;
pub mod limits;
pub mod market;
pub mod panics;
pub mod server;
pub mod session;
pub mod shard;
pub mod wire;
