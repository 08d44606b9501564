//! The listening sockets, one a shard where they are the server's own, and the options that
//! accepted sockets inherit from them.
//!
//! They belong to the process and the shards borrow them: a shard that crashes loses no backlog.

mod passed;

pub use passed::passed_listeners;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::config::SocketOptions;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// How long the kernel keeps a silent connection to itself: until it sends its part of the
/// handshake for the second time, which is a second later. Clients of a WebSocket speak first.
const DEFER_ACCEPT_S: libc::c_int = 1;

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
    #[error(
        "the sockets that were passed by LISTEN_FDS cannot be used: {0}; start the service by its \
         units, or unset LISTEN_FDS and LISTEN_PID"
    )]
    Passed(io::Error),
    #[error(
        "descriptor {0}, which was passed by LISTEN_FDS, is no TCP socket that listens; give \
         tapecast.socket a ListenStream= with a port, and neither ListenDatagram= nor Accept=yes"
    )]
    PassedOther(i32),
    #[error(
        "{count} sockets were passed by LISTEN_FDS, and {max} are the most for these shards; \
         remove ListenStream= lines of tapecast.socket: one for each shard is enough"
    )]
    TooManyPassed { count: usize, max: usize },
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

/// Connections whose packets this core handles come to this listener of those that share its
/// address; those of a core that none has asked for are shared out as ever (`SO_INCOMING_CPU`,
/// socket(7)).
pub fn prefer_core(listener: &OwnedFd, core: usize) -> Result<(), ListenError> {
    let socket = SockRef::from(listener);
    let address = socket.local_addr().ok().and_then(|bound| bound.as_socket());
    let address = address.unwrap_or(SocketAddr::from(([0; 4], 0)));
    socket.set_cpu_affinity(core).map_err(|e| explain(address, "SO_INCOMING_CPU", e))
}

/// Whether the address could be listened on, without doing so: nobody can connect meanwhile.
pub fn try_address(address: SocketAddr, options: &SocketOptions) -> Result<(), ListenError> {
    let socket = open(address)?;
    tune(&socket, options).map_err(|e| explain(address, "setting the socket's options", e))?;
    socket.bind(&address.into()).map_err(|e| explain(address, "bind", e))
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
    defer_accept(socket, if options.defer_accept { DEFER_ACCEPT_S } else { 0 })?;
    socket.set_send_buffer_size(options.send_buffer_bytes as usize)?;
    socket.set_recv_buffer_size(options.receive_buffer_bytes as usize)
}

/// `TCP_DEFER_ACCEPT` (tcp(7)), which socket2 leaves out. 0 turns it off.
fn defer_accept(socket: &Socket, seconds: libc::c_int) -> io::Result<()> {
    let (value, length) = (&raw const seconds, size_of_val(&seconds) as libc::socklen_t);
    // SAFETY: the kernel reads one int, which outlives the call.
    let result = unsafe {
        let option = libc::TCP_DEFER_ACCEPT;
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, value.cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
