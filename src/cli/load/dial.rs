//! A connect that has begun.

use super::driver::Plan;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;

pub fn begin_connect(plan: &Plan) -> io::Result<TcpStream> {
    let domain = Domain::for_address(plan.address);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = plan.receive_buffer_bytes {
        // Before the connect, since the window is announced in the handshake (tcp(7)).
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&plan.address.into()) {
        Ok(()) => {}
        // EINPROGRESS has no stable kind of its own in std.
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}
