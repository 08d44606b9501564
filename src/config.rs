//! The configuration: settings and their defaults in one tree, and how they are read from a file,
//! from variables and from flags.
//!
//! Every setting is declared once, in `tables/`, with its key, meaning, reason, form and field: see
//! [`Setting`], which says how one is added. Must not know sockets or threads, nor the command
//! line's library: a flag comes in as a key and a text. The main types are [`Settings`], and
//! [`Config`], which knows where each of them is from.

mod admission;
mod boundaries;
mod clash;
mod error;
mod file;
mod load;
mod log;
mod nats;
mod setting;
mod show;
mod sockets;
mod tables;
mod value;

pub use admission::AdmissionSettings;
pub use boundaries::BoundarySettings;
pub use error::{ConfigError, ConfigErrors, Origin};
pub use load::{Change, Config, FILE_VARIABLE, Sources};
pub use log::{LogFormat, LogSettings, check_level};
pub use nats::NatsSettings;
pub use setting::{Changes, Setting, Table, declared, find};
pub use show::{commented_defaults, effective};
pub use sockets::SocketOptions;
pub use tables::ALL as TABLES;
pub use value::Form;

use crate::hub::HubSettings;
use std::net::SocketAddr;

/// All that `tapecast serve` can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// `None`: one per core that the process may use.
    pub shards: Option<usize>,
    /// As given to `--feed`.
    pub feeds: Vec<String>,
    pub hub: HubSettings,
    pub admission: AdmissionSettings,
    pub sockets: SocketOptions,
    /// Over which the closes of a stop are spread.
    pub drain_ms: u64,
    /// A feed without a tick for so long is told to be stale.
    pub feed_stale_ms: u64,
    pub nats: NatsSettings,
    /// Of the whole server, in the process and in the kernel; `None`: what the control group or
    /// the machine allows.
    pub memory_budget_bytes: Option<u64>,
    pub boundaries: BoundarySettings,
    pub log: LogSettings,
    /// Of the admin port; `None`: there is none.
    pub admin: Option<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 9001)),
            shards: None,
            feeds: vec!["synthetic".to_string()],
            hub: HubSettings::default(),
            admission: AdmissionSettings::default(),
            sockets: SocketOptions::default(),
            drain_ms: 5_000,
            feed_stale_ms: 5_000,
            nats: NatsSettings::default(),
            memory_budget_bytes: None,
            boundaries: BoundarySettings::default(),
            log: LogSettings::default(),
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 9002))),
        }
    }
}
