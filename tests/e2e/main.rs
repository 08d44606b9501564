//! End to end: the built binary, real sockets, and clients that are not ours.
//!
//! Every test starts a server of its own on a free port and waits for events, with generous
//! deadlines: nothing here asserts speed. What a test needs of the machine (`ss`, Python and Node
//! packages) is installed by `tests/run`; where it is absent the test fails and says so.
//!
//! The market is the recording beside the project where it is there (`TAPECAST_RECORDING` names
//! another), and always one of the same shape that [`harness::recording`] makes.

mod admin;
mod alpaca;
mod checking;
mod closing;
mod commands;
mod config;
mod deadlines;
mod descriptors;
mod echo;
mod feeds;
mod harness;
mod http;
mod idle;
mod ingest;
mod lagging;
mod languages;
mod proxies;
mod recording;
mod replay;
mod resume;
mod starting;
mod top;
mod upstream;
