//! Where clients come in: the listeners of this process, its own or passed by systemd.

use super::StartError;
use crate::config::Settings;
use crate::shard::{listen, passed_listeners, prefer_core};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// All listeners, and how the shards share them.
#[derive(Debug)]
pub struct Listening {
    /// Of the first.
    pub address: SocketAddr,
    /// Owned by the process, so that a shard's end loses no connection that waits for its accept.
    sockets: Vec<OwnedFd>,
    shards: usize,
}

impl Listening {
    /// What systemd passed, all of it; else one listener a shard on `--listen`. `cores` has that
    /// of each shard.
    pub fn begin(settings: &Settings, cores: &[usize]) -> Result<Listening, StartError> {
        let shards = cores.len();
        let passed = passed_listeners(&settings.sockets, shards)?;
        let is_passed = !passed.is_empty();
        let sockets = match is_passed {
            true => passed,
            false => listen(settings.listen, shards, &settings.sockets)?,
        };
        let listening = Listening {
            address: local_address(&sockets[0]).map_err(StartError::Address)?,
            sockets,
            shards,
        };
        if settings.sockets.incoming_cpu {
            for (socket, core) in listening.sockets.iter().zip(cores.iter().cycle()) {
                prefer_core(socket, *core)?;
            }
        }
        if is_passed {
            listening.log_passed(settings.listen);
        }
        Ok(listening)
    }

    /// Those of one shard: the n-th listener belongs to the n-th shard, and where there are more of
    /// them, it goes round again.
    pub fn of_shard(&self, shard: usize) -> Vec<BorrowedFd<'_>> {
        self.sockets.iter().skip(shard).step_by(self.shards).map(AsFd::as_fd).collect()
    }

    /// Whether some shards would get fewer connections than others by their listeners alone.
    pub fn shares_out(&self) -> bool {
        !self.sockets.len().is_multiple_of(self.shards)
    }

    /// Closes them here. A client that comes now is refused by the kernel and tries another
    /// server; but the kernel keeps what systemd holds too, and the client waits there for the
    /// next start.
    pub fn end(&mut self) {
        self.sockets.clear();
    }

    fn log_passed(&self, unused: SocketAddr) {
        let addresses = self.sockets.iter().filter_map(|socket| local_address(socket).ok());
        let mut addresses: Vec<String> = addresses.map(|address| address.to_string()).collect();
        addresses.dedup();
        tracing::info!(
            "{} sockets were passed by systemd and are served by {} shards: {}; --listen {unused} \
             is not used",
            self.sockets.len(),
            self.shards,
            addresses.join(", ")
        );
    }
}

fn local_address(listener: &OwnedFd) -> io::Result<SocketAddr> {
    let bound = socket2::SockRef::from(listener).local_addr()?;
    bound.as_socket().ok_or_else(|| io::Error::other("not an internet address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    fn listening(sockets: usize, shards: usize) -> Listening {
        let listener = |_| TcpListener::bind("127.0.0.1:0").expect("a free port").into();
        let sockets: Vec<OwnedFd> = (0..sockets).map(listener).collect();
        let address = local_address(&sockets[0]).expect("bound");
        Listening { address, sockets, shards }
    }

    #[test]
    fn every_listener_belongs_to_one_shard_however_many_there_are() {
        for (sockets, shards) in [(1, 1), (1, 3), (2, 2), (5, 2), (6, 3)] {
            let listening = listening(sockets, shards);
            let of_shards = (0..shards).flat_map(|shard| listening.of_shard(shard));
            let mut served: Vec<_> = of_shards.map(|listener| listener.as_raw_fd()).collect();
            let mut all: Vec<_> = listening.sockets.iter().map(AsRawFd::as_raw_fd).collect();
            served.sort_unstable();
            all.sort_unstable();
            assert_eq!(served, all);
            assert_eq!(listening.shares_out(), sockets % shards > 0);
        }
    }
}
