//! SIGTERM, SIGINT and SIGHUP, waited for beside a condition of the caller's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// How often a server that runs looks at its shards. Each look wakes a thread (80 us with all that
/// belongs to it), which at 50 a second was the largest part of what an idle server costs. The
/// watchdog counts no look for more than this.
pub const LOOK_RUNNING: Duration = Duration::from_millis(200);

/// How often one that stops does: this is how late it may notice that its last client has left.
pub const LOOK_STOPPING: Duration = Duration::from_millis(10);

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken<T> {
    /// One that stops the server.
    Signal(&'static str),
    /// [`StopAsker`]: the server is to stop.
    Asked,
    /// SIGHUP: the configuration is to be read again.
    Reload,
    Condition(T),
}

/// The signals that stop the server, and the one that has it read its configuration again. From
/// its making on they no longer end the process.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    asked: StopAsker,
}

/// Stops the server from within the process, as a first SIGTERM does. It is none, though: a
/// supervisor's signal comes after it, and cuts nobody.
#[derive(Debug, Clone, Default)]
pub struct StopAsker {
    was_asked: Arc<AtomicBool>,
    asked: Arc<Notify>,
}

impl StopAsker {
    /// Only the first one counts.
    pub fn ask(&self) {
        if !self.was_asked.swap(true, Ordering::AcqRel) {
            self.asked.notify_one();
        }
    }
}

impl Signals {
    /// Errors: no descriptor or memory is left for the runtime.
    pub fn new() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let context = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangup = signal(SignalKind::hangup())?;
        drop(context);
        Ok(Signals { runtime, terminate, interrupt, hangup, asked: StopAsker::default() })
    }

    pub fn stop_asker(&self) -> StopAsker {
        self.asked.clone()
    }

    /// Waits for the next signal, or until `condition`, which is asked every `look`, gives
    /// something.
    pub fn wait<T>(
        &mut self,
        look: Duration,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Woken<T> {
        let Signals { runtime, terminate, interrupt, hangup, asked } = self;
        runtime.block_on(async {
            let mut look = tokio::time::interval(look);
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Woken::Signal("SIGTERM"),
                    _ = interrupt.recv() => return Woken::Signal("SIGINT"),
                    () = asked.asked.notified() => return Woken::Asked,
                    _ = hangup.recv() => return Woken::Reload,
                    _ = look.tick() => {
                        if let Some(given) = condition() {
                            return Woken::Condition(given);
                        }
                    }
                }
            }
        })
    }
}
