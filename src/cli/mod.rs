//! The commands: arguments in, exit code out.
//!
//! Thin where the work lies elsewhere; the client side of the program (`subscribe`, `load`) lives
//! here. Must not know a shard, a hub or a feed. Every command is a `clap::Args` struct and a
//! `run` that takes it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "output is what a command is for")]

pub mod backoff;
pub mod check;
pub mod load;
pub mod serve;
pub mod subscribe;
