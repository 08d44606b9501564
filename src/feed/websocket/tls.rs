//! TLS for who dials: whom to trust, and the stream that carries it.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Why no TLS can be spoken; found before anything is dialled.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read certificates from {path}: {why}; give a file in PEM form")]
    Unreadable { path: PathBuf, why: rustls::pki_types::pem::Error },
    #[error("{0} holds no certificate; give a file in PEM form with the authority's")]
    NoneInFile(PathBuf),
    #[error("{path} holds a certificate that is none: {why}; give the authority's own")]
    BadCertificate { path: PathBuf, why: rustls::Error },
    #[error(
        "this system trusts no authority ({0}); install the package ca-certificates, or give the \
         file of a private authority"
    )]
    NoneOnSystem(String),
    #[error("no version of TLS can be spoken: {0}")]
    Versions(#[from] rustls::Error),
    #[error("{0:?} is no name that a certificate can have ({1}); give the server's name")]
    Name(String, InvalidDnsNameError),
}

/// Trusts the authorities of the file alone, or without one those of the system.
pub fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match ca_file {
        Some(path) => roots_of(path)?,
        None => roots_of_the_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(config?.with_root_certificates(roots).with_no_client_auth()))
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |why| TlsError::Unreadable { path: path.into(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let added = roots.add(certificate.map_err(unreadable)?);
        added.map_err(|why| TlsError::BadCertificate { path: path.into(), why })?;
    }
    if roots.is_empty() { Err(TlsError::NoneInFile(path.into())) } else { Ok(roots) }
}

/// Certificates that cannot be read are passed over, as by every other program of the system.
fn roots_of_the_system() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::NoneOnSystem(errors.join(", ")));
    }
    Ok(roots)
}

/// The name that a certificate must be of: a host's, or an address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(host.to_string()).map_err(|why| TlsError::Name(host.to_string(), why))
}

/// Shakes hands over a socket whose reads and writes end after a while, until `deadline`.
pub fn shake_hands(
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
    mut socket: TcpStream,
    deadline: Instant,
) -> io::Result<TlsStream> {
    let connection = ClientConnection::new(Arc::clone(config), name.clone());
    let mut connection = connection.map_err(io::Error::other)?;
    while connection.is_handshaking() {
        match connection.complete_io(&mut socket) {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                if Instant::now() >= deadline {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(StreamOwned::new(connection, socket))
}
