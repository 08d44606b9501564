//! The control thread: what the operator and the system say to the process.
//!
//! The tokio runtime lives here and in `feed/` only. Must not touch a session: it reads counters
//! and sends messages. The main types are [`Signals`], [`Watchdog`], [`AdminPort`] and [`Systemd`].

mod admin;
mod logging;
mod signals;
mod systemd;
mod watchdog;

pub use admin::{
    Admin, AdminError, AdminPort, FeedView, Notes, RunState, ShardView, View, age_ms, by_word,
    report,
};
pub use logging::{LogLevel, LogLevelError};
pub use signals::{LOOK_RUNNING, LOOK_STOPPING, Signals, StopAsker, Woken};
pub use systemd::{Sight, Systemd};
pub use watchdog::{Stuck, Watchdog};
