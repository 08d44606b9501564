//! What the kernel is told about every socket.

/// Set once on the listening socket and inherited by each accepted one, so that
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
    /// `TCP_DEFER_ACCEPT` (tcp(7)): a connection is accepted when its first bytes have come.
    pub defer_accept: bool,
    /// `SO_INCOMING_CPU` of each listener is its shard's core.
    pub incoming_cpu: bool,
}

/// The reasons stand with the declarations, in `tables/sockets.rs`.
impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            user_timeout_ms: 10_000,
            send_buffer_bytes: 48 * 1024,
            receive_buffer_bytes: 16 * 1024,
            notsent_lowat_bytes: 32 * 1024,
            keepalive_idle_s: 30,
            keepalive_interval_s: 10,
            keepalive_count: 3,
            backlog: 4096,
            defer_accept: true,
            incoming_cpu: false,
        }
    }
}
