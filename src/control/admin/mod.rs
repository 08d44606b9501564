//! The admin port: health, metrics, inspection and the pages, over HTTP.
//!
//! It has a thread and a runtime of its own, pinned to no core, so that it answers while the stream
//! port is saturated, and costs a wake-up in five seconds while nobody asks. It reads the counters
//! that shards and feeds publish, and asks a shard by a message where only the shard knows; it must
//! not touch a session, and nothing here is waited for by a shard. The main types are
//! [`AdminPort`], bound and not yet served, and [`Admin`], which runs.

mod acts;
mod answers;
mod connections;
mod history;
mod metrics;
mod origin;
mod pages;
mod publish;
mod readiness;
pub mod report;
mod router;
mod sessions;
mod status;
mod symbols;
mod view;

pub use status::by_word;
pub use view::{FeedView, Notes, RunState, ShardView, View, age_ms};

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// Why there is no admin port; the text names the input and the cure.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(
        "--admin {0}: the address is in use by another program (see 'ss -ltnp'), perhaps another \
         tapecast; stop it, give another port, or turn the admin port off with --admin off"
    )]
    InUse(SocketAddr),
    #[error("--admin {0}: {1}; give an address of this machine, or turn it off with --admin off")]
    Bind(SocketAddr, io::Error),
    #[error("cannot start the thread of the admin port: {0}; raise the limit of threads")]
    Thread(io::Error),
    #[error("the admin port has no event loop: {0}; raise the limit of open files")]
    Runtime(io::Error),
}

/// A bound port, not served yet: whether it is free is known before anything else starts.
#[derive(Debug)]
pub struct AdminPort {
    listener: TcpListener,
    pub address: SocketAddr,
}

/// The running port.
#[derive(Debug)]
pub struct Admin {
    pub address: SocketAddr,
    stop: Arc<Notify>,
    thread: JoinHandle<()>,
}

impl AdminPort {
    pub fn bind(address: SocketAddr) -> Result<AdminPort, AdminError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => AdminError::InUse(address),
            _ => AdminError::Bind(address, error),
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(AdminPort { listener, address })
    }

    /// Serves it on a thread of its own.
    pub fn serve(self, view: View) -> Result<Admin, AdminError> {
        let AdminPort { listener, address } = self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(AdminError::Runtime)?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(AdminError::Runtime)?
        };
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let work = move || run(&runtime, listener, view, address, &stopped);
        let thread = thread::Builder::new().name("admin".into()).spawn(work);
        Ok(Admin { address, stop, thread: thread.map_err(AdminError::Thread)? })
    }
}

impl Admin {
    /// Ends it when the answers under way are given, within a second.
    pub fn stop(self) {
        self.stop.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the admin port's thread had panicked");
        }
    }
}

fn run(
    runtime: &Runtime,
    listener: tokio::net::TcpListener,
    view: View,
    address: SocketAddr,
    stop: &Notify,
) {
    let view = Arc::new(view);
    let router = router::router(view.clone(), address);
    runtime.block_on(async {
        let sampler = tokio::spawn(history::keep(view));
        connections::serve(listener, router, stop).await;
        sampler.abort();
    });
}
