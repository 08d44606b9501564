//! The socket at which publishers arrive: bound before the server starts, removed at its stop.

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections whose accept is awaited; more are refused by the kernel, and try again.
const BACKLOG: i32 = 128;

/// `SO_RCVBUF` of each connection: what a kernel grants without tuning, and doubles. Where it sizes
/// the buffer by itself, a publisher that outpaces us piles up 6 MiB. At 50 ms of round trip this
/// still takes 4 MB/s.
pub const RECEIVE_BUFFER_BYTES: usize = 208 * 1024;

/// `SO_SNDBUF` of each connection, doubled too: answers are short, and who does not read them shall
/// not have megabytes of them kept.
pub const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// A publisher whose machine is gone frees its place after some two minutes.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;

/// Why nobody can be listened for; the text names the input and the cure.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("--feed tcp:{0}: {1}; give a free address of this machine, or port 0 for any")]
    Tcp(SocketAddr, io::Error),
    #[error(
        "--feed unix:{0}: somebody answers there, perhaps another tapecast; stop it, or give \
         another path"
    )]
    Answered(PathBuf),
    #[error("--feed unix:{0}: it is there and no socket; remove it, or give another path")]
    NoSocket(PathBuf),
    #[error("--feed unix:{0}: {1}; give a path of at most 107 bytes in a folder that is writable")]
    Unix(PathBuf, io::Error),
}

/// A listening socket.
#[derive(Debug)]
pub enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket. Removed when it is dropped, if it is still this one.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listening {
    pub fn tcp(address: SocketAddr) -> Result<Listening, ListenError> {
        bind_tcp(address).map(Listening::Tcp).map_err(|why| ListenError::Tcp(address, why))
    }

    /// The file has these permissions. One that a process left behind without removing it is
    /// replaced: nobody answers there.
    pub fn unix(path: &Path, mode: u32) -> Result<Listening, ListenError> {
        let failed = |why| ListenError::Unix(path.to_path_buf(), why);
        let bound = match bind_unix(path, mode) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                clear_stale(path)?;
                bind_unix(path, mode)
            }
            other => other,
        };
        let listener = bound.map_err(failed)?;
        let file = fs::symlink_metadata(path).map_err(failed)?;
        let (device, inode) = (file.dev(), file.ino());
        Ok(Listening::Unix(listener, SocketFile { path: path.to_path_buf(), device, inode }))
    }

    /// As a publisher would write it.
    pub fn address(&self) -> String {
        match self {
            Listening::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("tcp:{address}"),
                Err(why) => format!("tcp:(unknown: {why})"),
            },
            Listening::Unix(_, file) => format!("unix:{}", file.path.display()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |file: &fs::Metadata| (file.dev(), file.ino()) == (self.device, self.inode);
        if fs::symlink_metadata(&self.path).is_ok_and(|file| is_ours(&file)) {
            // Who starts next replaces it, if this fails.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // After a restart, connections of before may still linger.
    socket.set_reuse_address(true)?;
    // Before listening: what is accepted has what the listener had.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    SockRef::from(&socket).set_nonblocking(true)?;
    // The file gets what the descriptor has, less the umask (unix_bind in the kernel): so it is at
    // no moment more open than asked for.
    let file = File::from(OwnedFd::from(socket));
    file.set_permissions(Permissions::from_mode(mode))?;
    let socket = Socket::from(OwnedFd::from(file));
    socket.bind(&SockAddr::unix(path)?)?;
    // And what the umask took.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// Removes the socket of a process that has gone.
fn clear_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |why| ListenError::Unix(path.to_path_buf(), why);
    if !fs::symlink_metadata(path).map_err(failed)?.file_type().is_socket() {
        return Err(ListenError::NoSocket(path.to_path_buf()));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // Where a backlog is full, a blocking connect would wait.
    socket.set_nonblocking(true).map_err(failed)?;
    match socket.connect(&SockAddr::unix(path).map_err(failed)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            tracing::info!("{} was left behind, and is replaced", path.display());
            fs::remove_file(path).map_err(failed)
        }
        _ => Err(ListenError::Answered(path.to_path_buf())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    /// A folder of the test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("tapecast-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder for temporary files");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_socket_file_has_its_mode_and_is_removed_at_the_end() {
        let folder = Folder::new("mode");
        let path = folder.0.join("feed.sock");
        for mode in [0o600, 0o660, 0o666] {
            let listening = Listening::unix(&path, mode).expect("it is free");
            let found = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(found & 0o7777, mode);
            assert_eq!(listening.address(), format!("unix:{}", path.display()));
            drop(listening);
            assert!(!path.exists());
        }
    }

    #[test]
    fn only_a_socket_at_which_nobody_answers_is_replaced() {
        let folder = Folder::new("stale");
        let path = folder.0.join("feed.sock");
        let answered = UnixListener::bind(&path).expect("it is free");
        let error = Listening::unix(&path, 0o660).expect_err("it is answered").to_string();
        assert!(error.contains("somebody answers") && error.contains("feed.sock"), "{error}");
        UnixStream::connect(&path).expect("it is as it was");
        drop(answered);
        let ours = Listening::unix(&path, 0o660).expect("the old one is replaced");
        // A file that is not ours any more is left alone.
        fs::remove_file(&path).expect("it is there");
        fs::write(&path, "another's").expect("room on disk");
        drop(ours);
        assert!(path.exists());
        let error = Listening::unix(&path, 0o660).expect_err("no socket").to_string();
        assert!(error.contains("no socket; remove it"), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn a_port_is_taken_once() {
        let any: SocketAddr = "[::1]:0".parse().expect("an address");
        let Listening::Tcp(first) = Listening::tcp(any).expect("a port is free") else {
            panic!("tcp")
        };
        let address = first.local_addr().expect("it is bound");
        let error = Listening::tcp(address).expect_err("it is taken").to_string();
        assert!(error.contains(&address.to_string()) && error.contains("port 0"), "{error}");
    }
}
