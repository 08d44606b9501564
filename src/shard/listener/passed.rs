//! Listeners that systemd made and passed to this process (sd_listen_fds(3)).
//!
//! They stay open in systemd: who connects while this process is replaced waits in their backlog.

use super::{ListenError, tune};
use crate::config::SocketOptions;
use crate::limits::PASSED_BESIDE_MAX;
use socket2::{Domain, SockRef, Type};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The descriptors belong to who takes them first.
static ARE_TAKEN: AtomicBool = AtomicBool::new(false);

/// All that were passed, with the options that the process sets on its own listeners; none where
/// none were passed, or were taken before. What was accepted by the kernel before the options were
/// set has those of the socket unit.
pub fn passed_listeners(
    options: &SocketOptions,
    shards: usize,
) -> Result<Vec<OwnedFd>, ListenError> {
    if ARE_TAKEN.swap(true, Ordering::AcqRel) {
        return Ok(Vec::new());
    }
    let passed = sd_notify::listen_fds().map_err(ListenError::Passed)?;
    // SAFETY: systemd opened these descriptors for this very process (LISTEN_PID names it), the
    // crate has seen that they are open, nothing else takes them, and we come here once.
    let passed = passed.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let passed: Vec<OwnedFd> = passed.collect();
    let (count, max) = (passed.len(), shards + PASSED_BESIDE_MAX);
    if count > max {
        return Err(ListenError::TooManyPassed { count, max });
    }
    for listener in &passed {
        prepare(listener, options)?;
    }
    Ok(passed)
}

/// Refuses what is no listener of TCP, and sets the options of one that is.
fn prepare(passed: &OwnedFd, options: &SocketOptions) -> Result<(), ListenError> {
    use std::os::fd::AsRawFd;
    let socket = SockRef::from(passed);
    let is_internet = matches!(socket.domain(), Ok(Domain::IPV4 | Domain::IPV6));
    let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    if !is_internet || !is_stream || !socket.is_listener().unwrap_or(false) {
        return Err(ListenError::PassedOther(passed.as_raw_fd()));
    }
    tune(&socket, options).map_err(ListenError::Passed)?;
    // On a socket that listens already, this sets the length of its backlog and nothing else.
    let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
    socket.listen(backlog).map_err(ListenError::Passed)
}

#[cfg(test)]
mod tests {
    //! Method: sockets as systemd makes them, with the kernel's own options. That they come through
    //! the environment is tested with a child process, in `tests/systemd`.

    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    #[test]
    fn a_passed_listener_gets_the_options_and_its_connections_inherit_them() {
        let options = SocketOptions::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let passed = OwnedFd::from(listener);
        prepare(&passed, &options).expect("a listener of TCP");
        let _peer = TcpStream::connect(address).expect("connects");
        let (accepted, _) = TcpListener::from(passed).accept().expect("accepts");
        let socket = SockRef::from(&accepted);
        let user_timeout = Duration::from_millis(options.user_timeout_ms.into());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(user_timeout));
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * options.send_buffer_bytes as usize);
        assert_eq!(socket.recv_buffer_size().unwrap(), 2 * options.receive_buffer_bytes as usize);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), options.notsent_lowat_bytes);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    }

    #[test]
    fn what_is_no_listener_of_tcp_is_refused_by_its_number() {
        let path = std::env::temp_dir().join(format!("tapecast-passed-{}", std::process::id()));
        let unix = UnixListener::bind(&path).expect("a name of this process");
        let _ = std::fs::remove_file(&path);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let connected = TcpStream::connect(listener.local_addr().expect("bound"));
        let others: [OwnedFd; 4] = [
            unix.into(),
            UdpSocket::bind("127.0.0.1:0").expect("a free port").into(),
            connected.expect("connects").into(),
            std::fs::File::open("/dev/null").expect("it is everywhere").into(),
        ];
        for other in &others {
            let error = prepare(other, &SocketOptions::default()).expect_err("no listener");
            assert!(error.to_string().contains("ListenStream"), "{error}");
        }
    }
}
