//! Tapecast: one market data feed in, very many WebSocket subscribers out.

pub mod config;
pub mod feed;
pub mod hub;
pub mod limits;
pub mod market;
pub mod session;
pub mod shard;
pub mod wire;
