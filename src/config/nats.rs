//! How a NATS server is reached, beside its URL.

/// Paths and a name; an empty one is not given. Of the login the first counts that is given:
/// credentials, token, user, then what stands in the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsSettings {
    /// A `.creds` file: a JWT and the seed that signs for it.
    pub credentials: String,
    pub user: String,
    /// The first line of the file counts, as in the next.
    pub password_file: String,
    pub token_file: String,
    /// Certificates, as PEM, of who may have signed the server's; without, those of the system.
    pub tls_ca: String,
    /// This client's own, as PEM, for a server that asks for one.
    pub tls_certificate: String,
    pub tls_key: String,
    /// Never without TLS, whatever the URL and the server say.
    pub tls_required: bool,
}
