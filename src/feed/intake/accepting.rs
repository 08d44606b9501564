//! The thread `feed-intake`: it accepts a feed's publishers and reads them.

use super::connection::{Connection, converse, turn_away};
use super::listening::Listening;
use super::reception::Reception;
use super::{IntakeLimits, connection};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

/// After an accept that failed, as it does where no descriptor is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that are being told that they are one too many; beyond that they are just closed.
pub const TURNED_AWAY_MAX: usize = 16;

/// The running thread; it ends when this is dropped.
pub struct Accepting {
    thread: Option<JoinHandle<()>>,
    /// Dropped, it ends the runtime.
    stop: Option<oneshot::Sender<()>>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Accepting {
    /// Works with a copy of the listening socket, so that it can be begun again.
    pub fn begin(
        listening: &Listening,
        limits: IntakeLimits,
        reception: &Arc<Reception>,
    ) -> io::Result<Accepting> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _context = runtime.enter();
            match listening {
                Listening::Tcp(listener) => {
                    Listener::Tcp(TcpListener::from_std(listener.try_clone()?)?)
                }
                Listening::Unix(listener, _) => {
                    Listener::Unix(UnixListener::from_std(listener.try_clone()?)?)
                }
            }
        };
        let (stop, stopped) = oneshot::channel();
        let (name, reception) = (listening.address(), Arc::clone(reception));
        let work = move || run(&runtime, &listener, &name, limits, &reception, stopped);
        let thread = thread::Builder::new().name("feed-intake".into()).spawn(work)?;
        Ok(Accepting { thread: Some(thread), stop: Some(stop) })
    }

    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) {
            tracing::error!("the thread of a feed's publishers had panicked");
        }
    }
}

fn run(
    runtime: &Runtime,
    listener: &Listener,
    name: &str,
    limits: IntakeLimits,
    reception: &Arc<Reception>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::select! {
            // An error is the sender's drop.
            _ = stopped => {}
            () = accept(listener, name, limits, reception) => {}
        }
    });
    // Whoever asks next finds the thread ended.
    reception.wake();
}

async fn accept(listener: &Listener, name: &str, limits: IntakeLimits, reception: &Arc<Reception>) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let farewells = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    for number in 1_u64.. {
        let connection = loop {
            match listener.accept().await {
                Ok(connection) => break connection,
                Err(error) => {
                    tracing::debug!("{name}: cannot accept: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let name = format!("{name} #{number}");
                let entered = connection::Entrance { name, reception, limits, place };
                tokio::spawn(converse(connection, entered.begin()));
            }
            Err(_) => {
                reception.turn_away();
                if let Ok(farewell) = Arc::clone(&farewells).try_acquire_owned() {
                    tokio::spawn(async move {
                        turn_away(connection, limits.connections).await;
                        drop(farewell);
                    });
                }
            }
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Connection> {
        match self {
            Listener::Tcp(listener) => Ok(Connection::Tcp(listener.accept().await?.0)),
            Listener::Unix(listener) => Ok(Connection::Unix(listener.accept().await?.0)),
        }
    }
}
