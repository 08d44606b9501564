//! What must hold for any bytes, one file a parser. The fuzz targets and `cargo test` call the
//! same functions: a panic is a finding.
//!
//! Each target of the fuzzer uses one of them only.
#![allow(dead_code, reason = "each fuzz target is a binary that calls one function of these")]

pub mod commands;
pub mod feed_line;
pub mod frames;
pub mod session;
pub mod upgrade;
