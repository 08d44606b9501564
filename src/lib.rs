//! Tapecast: one market data feed in, very many WebSocket subscribers out.

pub mod cli;
pub mod limits;
pub mod market;
pub mod server;
pub mod wire;
