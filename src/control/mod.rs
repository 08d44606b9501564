//! The control thread: what the operator and the system say to the process.
//!
//! The tokio runtime lives here and in `feed/` only. Must not touch a session: it reads counters
//! and sends messages. Today it is signals, and what systemd is told; the admin port belongs here
//! too.

mod logging;
mod signals;
mod systemd;
mod watchdog;

pub use logging::LogLevel;
pub use signals::{LOOK_RUNNING, LOOK_STOPPING, Signals, Woken};
pub use systemd::{Sight, Systemd};
pub use watchdog::{Stuck, Watchdog};
