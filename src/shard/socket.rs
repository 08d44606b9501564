//! Plain calls on one accepted socket. None of them waits for the peer.

use crate::limits::UPGRADE_BYTES_MAX;
use socket2::{SockRef, Socket};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

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

/// `SO_MEMINFO` (linux/socket.h), which the libc crate leaves out on this architecture, and how
/// many values it has (linux/sock_diag.h).
const SO_MEMINFO: libc::c_int = 55;
const MEMINFO_VALUES: usize = 9;

/// What the kernel has charged for the socket's buffers: unread and unsent bytes with what lies
/// around them, and what it keeps in advance. `/proc/net/sockstat` adds up the same.
pub fn held_bytes(fd: BorrowedFd<'_>) -> Option<u64> {
    let mut values = [0_u32; MEMINFO_VALUES];
    let mut length = size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `values`, which outlives the call.
    let result = unsafe {
        let to = values.as_mut_ptr().cast();
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, to, &raw mut length)
    };
    let [unread, ahead, unsent] =
        [libc::SK_MEMINFO_RMEM_ALLOC, libc::SK_MEMINFO_FWD_ALLOC, libc::SK_MEMINFO_WMEM_QUEUED]
            .map(|index| u64::from(values[index as usize]));
    (result == 0).then_some(unread + ahead + unsent)
}

/// Bytes in the socket's send queue: not sent yet, or not acknowledged (`SIOCOUTQ`, tcp(7)).
pub fn unsent_bytes(fd: BorrowedFd<'_>) -> Option<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int, which outlives the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    (result == 0).then_some(u64::try_from(bytes).unwrap_or(0))
}

/// What has come already, as the start of `buffer`: nothing, or as much of it as fits.
pub fn receive_at_once<'b>(fd: BorrowedFd<'_>, buffer: &'b mut [u8]) -> &'b [u8] {
    let (start, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the buffer is valid for its length.
    let received = unsafe { libc::recv(fd.as_raw_fd(), start, length, libc::MSG_DONTWAIT) };
    &buffer[..usize::try_from(received).unwrap_or(0)]
}

/// Reads away what has come, up to the length of any request that is read; whether anything had.
/// Left unread, it would make of the close a reset, which can overtake the answer.
pub fn read_away(fd: BorrowedFd<'_>) -> bool {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: with MSG_TRUNC, TCP drops bytes and writes none (tcp(7)), so there is no buffer.
    let received = unsafe { libc::recv(fd.as_raw_fd(), ptr::null_mut(), UPGRADE_BYTES_MAX, flags) };
    received > 0
}

/// Connections that wait for their accept: what TCP_INFO tells of a listening socket in place of
/// unacknowledged segments (tcp_get_info in the kernel's tcp.c; ss(8) shows it as Recv-Q).
pub fn backlog_length(listener: BorrowedFd<'_>) -> usize {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let (option, fd) = (libc::TCP_INFO, listener.as_raw_fd());
    // SAFETY: the kernel writes at most `length` bytes, and every field is an integer, for which
    // the zeros that it leaves are valid.
    let info = unsafe {
        libc::getsockopt(fd, libc::IPPROTO_TCP, option, info.as_mut_ptr().cast(), &mut length);
        info.assume_init()
    };
    info.tcpi_unacked as usize
}

/// The peer's address; none where the peer has already reset the connection.
///
/// A multishot accept cannot report it (io_uring_prep_multishot_accept(3)).
pub fn peer_address(fd: BorrowedFd<'_>) -> Option<SocketAddr> {
    SockRef::from(&fd).peer_addr().ok()?.as_socket()
}
