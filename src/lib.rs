//! Tapecast: one market data feed in, very many WebSocket subscribers out.

pub mod feed;
pub mod limits;
pub mod market;
