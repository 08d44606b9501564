//! Tapecast: one market data feed in, very many WebSocket subscribers out.

pub mod hub;
pub mod limits;
pub mod market;
pub mod session;
pub mod wire;
pub mod shard;
