//! Plain calls on one accepted socket. None of them waits for the peer.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use socket2::{SockRef, Socket};

/// Closes the socket once no operation of the ring holds it. `abort` sends a reset and drops what
/// the peer has not taken (`SO_LINGER` 0, socket(7)): the kernel keeps nothing of a dead peer.
pub fn close(fd: OwnedFd, abort: bool) {
    let socket = Socket::from(fd);
    if abort {
        // A socket that cannot be aborted any more is in a state in which close suffices.
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
}

/// Sends all of `bytes`, or says that the socket did not take them whole. A part may be sent.
pub fn send_at_once(fd: BorrowedFd<'_>, bytes: &[u8]) -> bool {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    bytes.is_empty()
        || SockRef::from(&fd).send_with_flags(bytes, flags).is_ok_and(|sent| sent == bytes.len())
}

/// Ends our direction: the peer reads what was sent, then the end of the stream.
pub fn shutdown_write(fd: BorrowedFd<'_>) {
    // It fails only where the connection is already gone, which the receive reports.
    let _ = SockRef::from(&fd).shutdown(Shutdown::Write);
}

/// The peer's address; none where the peer has already reset the connection.
///
/// A multishot accept cannot report it (io_uring_prep_multishot_accept(3)).
pub fn peer_address(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    SockRef::from(&fd).peer_addr().ok()?.as_socket()
}
