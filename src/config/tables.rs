//! Every setting, by table: the one list of them.
//!
//! Where a setting is added: its field and default in `Settings`, and its declaration in the file
//! of its table here. A new table goes into [`ALL`] as well. The flag, the variable, the help, the
//! check, `tapecast config` and the reload follow from it. What two settings must not be together
//! stands in `clash.rs`.

mod admin;
mod admission;
mod boundaries;
mod deadlines;
mod feeds;
mod log;
mod nats;
mod overload;
mod server;
mod sockets;

use super::setting::Table;

/// In the order of the file: what stands before all tables comes first.
pub const ALL: [&Table; 10] = [
    &server::TABLE,
    &admin::TABLE,
    &feeds::TABLE,
    &nats::TABLE,
    &admission::TABLE,
    &deadlines::TABLE,
    &overload::TABLE,
    &sockets::TABLE,
    &boundaries::TABLE,
    &log::TABLE,
];
