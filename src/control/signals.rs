//! SIGTERM and SIGINT, waited for beside a condition of the caller's.

use std::io;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the caller's condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken<T> {
    Signal(&'static str),
    Condition(T),
}

/// The signals that stop the server. From its making on they no longer end the process.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Errors: no descriptor or memory is left for the runtime.
    pub fn new() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let context = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(context);
        Ok(Signals { runtime, terminate, interrupt })
    }

    /// Waits for the next signal, or until `condition` gives something.
    pub fn wait<T>(&mut self, mut condition: impl FnMut() -> Option<T>) -> Woken<T> {
        let Signals { runtime, terminate, interrupt } = self;
        runtime.block_on(async {
            let mut look = tokio::time::interval(LOOK);
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Woken::Signal("SIGTERM"),
                    _ = interrupt.recv() => return Woken::Signal("SIGINT"),
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
