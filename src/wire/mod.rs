//! Bytes on the wire: the upgrade, frames, commands and events.

pub mod client;
