//! The listening sockets, one a shard, and the options that accepted sockets inherit from them.
//!
//! They belong to the process and the shards borrow them: a shard that crashes loses no backlog.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// Set once on the listening socket and inherited by each accepted one (tested below), so that
/// tuning costs no call per connection. `TCP_NODELAY` is always on: a frame is sent whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_USER_TIMEOUT` (tcp(7)): ends a peer that acknowledges nothing, or keeps its window at
    /// zero, for so long.
    pub user_timeout_ms: u32,
    /// `SO_SNDBUF` (socket(7)); the kernel doubles it and counts its own overhead against it.
    pub send_buffer_bytes: u32,
    /// `SO_RCVBUF`, doubled likewise.
    pub receive_buffer_bytes: u32,
    /// `TCP_NOTSENT_LOWAT`: a socket with so much unsent takes no more.
    pub notsent_lowat_bytes: u32,
    pub keepalive_idle_s: u32,
    pub keepalive_interval_s: u32,
    pub keepalive_count: u32,
    /// Connections that wait for their accept, per shard.
    pub backlog: u32,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            // Several retransmissions on a slow path, and a short stop of a laptop's radio, but
            // not a subscriber who has left the building.
            user_timeout_ms: 10_000,
            // The hard bound: 96 KiB with the doubling, whatever a peer does. Not 32: loopback's
            // segments are 64 KiB, and where the buffer holds only one of them the sender waits
            // 40 ms for its delayed acknowledgement each time (2 MB/s measured, not 4 GB/s).
            send_buffer_bytes: 48 * 1024,
            // A peer whose receive is stopped for its rate fills this (27 to 31 KiB measured), and
            // no session accounts for it. Commands are small, and 500 MB/s still come through;
            // left alone, it starts at 128 KiB and grows to 6 MiB.
            receive_buffer_bytes: 16 * 1024,
            // One frame of 32 KiB. This also bounds what send takes, so a peer that stops reading
            // costs the kernel this and what it has not acknowledged: 36 KiB measured with a
            // receive buffer of 8 KiB, 36 to 56 with the default. Half of it would hold 20 to 48,
            // and cut large frames for clients that keep up.
            notsent_lowat_bytes: 32 * 1024,
            // Only for connections that are silent in both directions: pings come sooner, and
            // this is for the time before the upgrade and where pings are turned off.
            keepalive_idle_s: 30,
            keepalive_interval_s: 10,
            keepalive_count: 3,
            // Ten thousand reconnects at once on a few shards; the kernel caps it at
            // net.core.somaxconn, 4,096 since Linux 5.4.
            backlog: 4096,
        }
    }
}

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "--listen {0}: the address is in use by another program (see 'ss -ltnp'); stop it, or \
         choose another port"
    )]
    InUse(SocketAddr),
    #[error(
        "--listen {0}: ports below {unprivileged} are for the privileged; choose a higher port, or \
         grant it with 'setcap cap_net_bind_service=+ep' or net.ipv4.ip_unprivileged_port_start",
        unprivileged = unprivileged_port_start()
    )]
    NoPermission(SocketAddr),
    #[error(
        "--listen {0}: this machine has no such address (see 'ip address'); use one that it has, \
         0.0.0.0 for all of IPv4, or [::] for all of both"
    )]
    NotOurs(SocketAddr),
    #[error("--listen {0}: this machine has no IPv6; give an IPv4 address, for example 0.0.0.0")]
    NoSuchFamily(SocketAddr),
    #[error("--listen {address}: {step} failed: {source}")]
    Other { address: SocketAddr, step: &'static str, source: io::Error },
}

/// Makes one `SO_REUSEPORT` listener per shard, all on the same address: with port 0, on the port
/// that the first was given.
pub fn listen(
    address: SocketAddr,
    shards: usize,
    options: &SocketOptions,
) -> Result<Vec<OwnedFd>, ListenError> {
    if address.port() != 0 {
        ensure_free(address)?;
    }
    let mut listeners = Vec::with_capacity(shards);
    let mut shared = address;
    for _ in 0..shards {
        let socket = listen_one(shared, options)?;
        if let Ok(Some(bound)) = socket.local_addr().map(|bound| bound.as_socket()) {
            shared.set_port(bound.port());
        }
        listeners.push(OwnedFd::from(socket));
    }
    Ok(listeners)
}

/// With `SO_REUSEPORT`, a bind succeeds although another process of the same user listens, and the
/// kernel then shares the connections out to both. A bind without it tells.
fn ensure_free(address: SocketAddr) -> Result<(), ListenError> {
    let socket = open(address)?;
    socket.bind(&address.into()).map_err(|e| explain(address, "bind", e))
}

fn listen_one(address: SocketAddr, options: &SocketOptions) -> Result<Socket, ListenError> {
    let socket = open(address)?;
    let failed = |step| move |e| explain(address, step, e);
    socket.set_reuse_port(true).map_err(failed("SO_REUSEPORT"))?;
    // Buffer sizes count only when set before listen: the window is agreed in the handshake.
    tune(&socket, options).map_err(failed("setting the socket's options"))?;
    socket.bind(&address.into()).map_err(failed("bind"))?;
    let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
    socket.listen(backlog).map_err(failed("listen"))?;
    Ok(socket)
}

/// A close-on-exec socket that old connections in TIME_WAIT do not keep from binding.
fn open(address: SocketAddr) -> Result<Socket, ListenError> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(|e| explain(address, "socket", e))?;
    socket.set_reuse_address(true).map_err(|e| explain(address, "SO_REUSEADDR", e))?;
    if address.is_ipv6() {
        // [::] serves IPv4 too, whatever net.ipv6.bindv6only says.
        socket.set_only_v6(false).map_err(|e| explain(address, "IPV6_V6ONLY", e))?;
    }
    Ok(socket)
}

fn tune(socket: &Socket, options: &SocketOptions) -> io::Result<()> {
    let seconds = |n: u32| Duration::from_secs(n.into());
    let keepalive = TcpKeepalive::new()
        .with_time(seconds(options.keepalive_idle_s))
        .with_interval(seconds(options.keepalive_interval_s))
        .with_retries(options.keepalive_count);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(Duration::from_millis(options.user_timeout_ms.into())))?;
    socket.set_tcp_notsent_lowat(options.notsent_lowat_bytes)?;
    socket.set_send_buffer_size(options.send_buffer_bytes as usize)?;
    socket.set_recv_buffer_size(options.receive_buffer_bytes as usize)
}

fn explain(address: SocketAddr, step: &'static str, source: io::Error) -> ListenError {
    match source.raw_os_error() {
        Some(libc::EADDRINUSE) => ListenError::InUse(address),
        Some(libc::EACCES | libc::EPERM) if step == "bind" => ListenError::NoPermission(address),
        Some(libc::EADDRNOTAVAIL) => ListenError::NotOurs(address),
        Some(libc::EAFNOSUPPORT) if address.is_ipv6() => ListenError::NoSuchFamily(address),
        _ => ListenError::Other { address, step, source },
    }
}

fn unprivileged_port_start() -> String {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    text.map_or("1024".to_string(), |text| text.trim().to_string())
}

#[cfg(test)]
mod tests;
