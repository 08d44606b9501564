//! The control thread: what the operator and the system say to the process.
//!
//! The tokio runtime lives here and in `feed/` only. Must not touch a session: it reads counters
//! and sends messages. Today it is signals; the admin port and systemd belong here too.

mod logging;
mod signals;
mod watchdog;

pub use logging::LogLevel;
pub use signals::{LOOK_RUNNING, LOOK_STOPPING, Signals, Woken};
pub use watchdog::{Stuck, Watchdog};
