//! send(2), and the server's own ring.

use std::os::fd::RawFd;

use tapecast::shard::{RingSettings, SendNow, SocketRing};

pub fn send(fds: &[RawFd], payload: &[u8]) -> usize {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    fds.iter()
        .map(|fd| {
            // SAFETY: the payload is valid for its length.
            let sent = unsafe { libc::send(*fd, payload.as_ptr().cast(), payload.len(), flags) };
            usize::try_from(sent).expect("a drained socket takes it")
        })
        .sum()
}

pub fn server_ring() -> SocketRing {
    // SAFETY: no pointer is passed.
    let bell = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    SocketRing::new(RingSettings::default(), bell).expect("io_uring")
}

pub fn send_by(ring: &mut SocketRing, fds: &[RawFd], payload: &[u8], chunk: usize) -> usize {
    let (mut sends, mut results, mut sum) = (Vec::new(), Vec::new(), 0);
    for fds in fds.chunks(chunk) {
        sends.clear();
        sends.extend(fds.iter().map(|fd| SendNow { fd: *fd, start: 0, end: payload.len() }));
        ring.send_now(&sends, payload, &mut results);
        let taken = results.iter().map(|n| usize::try_from(*n).expect("a drained socket takes it"));
        sum += taken.sum::<usize>();
    }
    sum
}
