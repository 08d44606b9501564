//! Dialling a WebSocket server, plain or by TLS, for feeds and for `subscribe`.

use super::backoff::RetryHint;
use super::tls::{self, TlsError, TlsStream};
use crate::wire::client::{ClientStream, Endpoint, Refusal, Upgrade, UpgradeError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For the TCP connection, and then for TLS and the answer of the upgrade.
const DIAL_TIME_MAX: Duration = Duration::from_secs(10);

/// A connection that was upgraded.
pub type Connection = ClientStream<Link>;

/// What carries it.
#[derive(Debug)]
pub enum Link {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

/// Dials one endpoint, again and again.
#[derive(Debug, Clone)]
pub struct Dialer {
    endpoint: Endpoint,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    read_sleep: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("cannot {doing} {whom}: {why}")]
    Socket { doing: &'static str, whom: String, why: io::Error },
    #[error("cannot agree on TLS with {whom}: {why}; a private authority's file must be given")]
    Tls { whom: String, why: io::Error },
    #[error("the server ended the connection in the upgrade")]
    Ended,
    #[error("{0} did not answer the upgrade")]
    Mute(Endpoint),
    #[error("{0}; check the URL")]
    Refused(UpgradeError),
    /// 429 and 5xx pass; any other refusal is of what was asked.
    #[error("{}", UpgradeError::Refused(.0.clone()))]
    RefusedForNow(Refusal),
    #[error("{0}")]
    NoUpgrade(UpgradeError),
}

impl DialError {
    /// Whether dialling again would change nothing.
    pub fn is_final(&self) -> bool {
        match self {
            DialError::Refused(_) | DialError::NoUpgrade(_) => true,
            // What TLS itself finds wrong; all else is of the network.
            DialError::Tls { why, .. } => why.kind() == ErrorKind::InvalidData,
            _ => false,
        }
    }

    pub fn hint(&self) -> Option<RetryHint> {
        let DialError::RefusedForNow(refusal) = self else { return None };
        refusal.retry_after_s.map(|s| RetryHint::spread(s.saturating_mul(1000)))
    }
}

impl Dialer {
    /// A read of the connection sleeps no longer than `read_sleep`. `ca_file`: whom to trust where
    /// it is not whom the system trusts; of no use without TLS.
    pub fn new(
        endpoint: Endpoint,
        ca_file: Option<&Path>,
        read_sleep: Duration,
    ) -> Result<Dialer, TlsError> {
        let tls = match endpoint.is_tls {
            true => Some((tls::trust(ca_file)?, tls::server_name(&endpoint.host)?)),
            false => None,
        };
        Ok(Dialer { endpoint, tls, read_sleep })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Connects and upgrades. Blocks for twice [`DIAL_TIME_MAX`] at most for each address that the
    /// name has.
    pub fn dial(&self) -> Result<Connection, DialError> {
        let whom = || self.endpoint.authority();
        let failed = |doing, why| DialError::Socket { doing, whom: whom(), why };
        let socket = self.connect_any().map_err(|why| failed("connect to", why))?;
        self.prepare(&socket).map_err(|why| failed("use the socket to", why))?;
        let deadline = Instant::now() + DIAL_TIME_MAX;
        let mut link = match &self.tls {
            None => Link::Plain(socket),
            Some((config, name)) => {
                let stream = tls::shake_hands(config, name, socket, deadline);
                let stream = stream.map_err(|why| DialError::Tls { whom: whom(), why })?;
                Link::Tls(Box::new(stream))
            }
        };
        let mut nonce = [0; 16];
        fastrand::fill(&mut nonce);
        let upgrade = Upgrade::new(&self.endpoint, nonce);
        let written = link.write_all(&upgrade.request).and_then(|()| link.flush());
        written.map_err(|why| failed("write to", why))?;
        let tail = self.await_answer(&mut link, &upgrade, deadline)?;
        Ok(ClientStream::new(link, tail))
    }

    /// Names may have several addresses, of which some are not served (`localhost` and `::1`).
    fn connect_any(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("the name has no address");
        let addresses = (self.endpoint.host.as_str(), self.endpoint.port).to_socket_addrs()?;
        for address in addresses {
            match TcpStream::connect_timeout(&address, DIAL_TIME_MAX) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn prepare(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(self.read_sleep))?;
        // What is sent is short, so only a peer that never reads comes to this.
        socket.set_write_timeout(Some(DIAL_TIME_MAX))
    }

    /// Returns the bytes that came behind the answer's head.
    fn await_answer(
        &self,
        link: &mut Link,
        upgrade: &Upgrade,
        deadline: Instant,
    ) -> Result<Vec<u8>, DialError> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match link.read(&mut buffer) {
                Ok(0) => return Err(DialError::Ended),
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() > deadline {
                        return Err(DialError::Mute(self.endpoint.clone()));
                    }
                }
                Err(why) => {
                    let (doing, whom) = ("read the upgrade of", self.endpoint.authority());
                    return Err(DialError::Socket { doing, whom, why });
                }
            }
            match upgrade.answer(&bytes) {
                Ok(None) => {}
                Ok(Some(head_bytes)) => return Ok(bytes.split_off(head_bytes)),
                Err(UpgradeError::Refused(refusal)) => return Err(refused(refusal)),
                Err(error) => return Err(DialError::NoUpgrade(error)),
            }
        }
    }
}

fn refused(refusal: Refusal) -> DialError {
    match refusal.status {
        429 | 500..=599 => DialError::RefusedForNow(refusal),
        _ => DialError::Refused(UpgradeError::Refused(refusal)),
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Link::Plain(socket) => socket.read(buffer),
            Link::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Link::Plain(socket) => socket.write(bytes),
            Link::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Link::Plain(socket) => socket.flush(),
            Link::Tls(stream) => stream.flush(),
        }
    }
}
