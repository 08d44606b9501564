//! How a NATS server is reached: addresses, TLS, login, and what happens to the connection.

use super::subject::unescape;
use crate::config::NatsSettings;
use crate::feed::ingest::wall_ns;
use crate::feed::log_limit::LogLimit;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A connection that answers no ping is given up after two of them.
const PING_EVERY: Duration = Duration::from_secs(2);

/// For the server's greeting, TLS and login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest wait between two attempts; a server that is back is found within it.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// Longer than any process waits.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// One read of the socket. The client reads up to 128 times before others on its thread come to
/// their turn, and what that brings must fit a subscription: 2 MiB, 5,000 ordinary messages.
const READ_BYTES: u16 = 16 * 1024;

/// Messages that a subscription keeps before it drops some and says so: a burst of a fifth of a
/// second at 40,000 a second. An ordinary one is 300 bytes; 64 KiB is the most.
const SUBSCRIPTION_MESSAGES_MAX: usize = 8_192;

/// Servers of one cluster, from URLs with commas between: `nats://HOST[:PORT]`, or `tls://` where
/// it must be encrypted. Shown without the login.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers {
    addresses: Vec<ServerAddr>,
    login: Option<Login>,
}

/// What stood before the `@` of a URL.
#[derive(Clone, PartialEq, Eq)]
enum Login {
    User { name: String, password: String },
    Token(String),
}

/// What becomes of a connection: counted, and told to who waits.
#[derive(Debug, Default)]
pub struct Link {
    pub is_up: AtomicBool,
    /// How often it was made.
    pub connects: AtomicU64,
    /// Times that messages were dropped because they were not taken quickly enough.
    pub slow_consumer: AtomicU64,
    /// Times that a server said that it will go away.
    pub lame_duck: AtomicU64,
    /// Everything else that server or client complained about.
    pub errors: AtomicU64,
    /// Rung after each change of the above, for one who waits.
    pub changed: Notify,
    warnings: Mutex<LogLimit>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error("{url}: {why}; give nats://HOST:PORT, or tls://HOST:PORT")]
    BadUrl { url: String, why: String },
    #[error("cannot read {key} = {path}: {why}; give the path of a file that this user can read")]
    File { key: &'static str, path: PathBuf, why: io::Error },
    #[error("{servers} refused the login; look at nats_credentials, nats_token_file, nats_user")]
    Login { servers: String },
    #[error("no TLS with {servers}: {why}; look at nats_tls_ca and the name in the URL")]
    Tls { servers: String, why: String },
    #[error("cannot connect to {servers}: {why}")]
    Unreachable { servers: String, why: String },
}

impl FromStr for Servers {
    type Err = NatsError;

    fn from_str(text: &str) -> Result<Servers, NatsError> {
        let (mut addresses, mut login) = (Vec::new(), None);
        for url in text.split(',') {
            let bad = |why: &str| NatsError::BadUrl { url: without_login(url), why: why.into() };
            let address: ServerAddr =
                url.parse().map_err(|_| bad("that is no address of a NATS server"))?;
            if !matches!(address.scheme(), "nats" | "tls") || address.host().is_empty() {
                return Err(bad("that is no address of a NATS server"));
            }
            if let Some(found) = login_of(&address) {
                let found = found.ok_or_else(|| bad("its login has a % without two hex digits"))?;
                if login.replace(found.clone()).is_some_and(|other| other != found) {
                    return Err(bad("another login stands in a URL before; servers share one"));
                }
            }
            // The client's own log shows what it is given.
            let host = match address.host() {
                host if host.contains(':') => format!("[{host}]"),
                host => host.to_string(),
            };
            let bare = format!("{}://{host}:{}", address.scheme(), address.port());
            addresses.push(bare.parse().map_err(|_| bad("its host is none"))?);
        }
        Ok(Servers { addresses, login })
    }
}

impl Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.addresses.iter().map(|address| address.as_url_str()).collect();
        f.write_str(&texts.join(","))
    }
}

/// Never with the login.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

impl Link {
    /// How often it was lost and made again.
    pub fn reconnects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed).saturating_sub(1)
    }

    fn note(&self, event: &Event) {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match event {
            Event::Connected => {
                count(&self.connects);
                self.is_up.store(true, Ordering::Release);
            }
            Event::Disconnected | Event::Closed => self.is_up.store(false, Ordering::Release),
            Event::SlowConsumer(_) => {
                count(&self.slow_consumer);
            }
            Event::LameDuckMode => {
                count(&self.lame_duck);
            }
            Event::ServerError(_) | Event::ClientError(_) => {
                count(&self.errors);
            }
            Event::Draining => {}
        }
        if let Some(complaint) = complaint(event) {
            self.warn(&complaint);
        }
        self.changed.notify_one();
    }

    fn warn(&self, complaint: &str) {
        // What a panic left of the counts counts on.
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suppressed) = warnings.admit(wall_ns()) {
            tracing::warn!(suppressed, "nats: {complaint}");
        }
    }
}

/// What an operator can do something about, with the cure. A connection that cannot be made is told
/// by who makes it.
fn complaint(event: &Event) -> Option<String> {
    match event {
        Event::SlowConsumer(_) => Some(
            "messages were dropped, which came faster than they were taken; give this process \
             more of its core, or take fewer symbols"
                .into(),
        ),
        Event::ServerError(ServerError::AuthorizationViolation) => Some(
            "the server says that the login does not hold; look at nats_credentials, \
             nats_token_file, nats_user"
                .into(),
        ),
        Event::ServerError(error) => Some(format!(
            "the server says: {error}; look at its log, and at what it permits to this user"
        )),
        _ => None,
    }
}

/// Connects once; from then on the connection is made again by itself whenever it is lost, and
/// `link` counts what happens. `name` is what the server shows of this client.
pub async fn connect(
    servers: &Servers,
    settings: &NatsSettings,
    name: &str,
    link: &Arc<Link>,
) -> Result<Client, NatsError> {
    let options = options(servers, settings, name, link)?;
    connect_with(options.reconnect_delay_callback(reconnect_delay), servers, link).await
}

/// Connects once, and never again: what was handed to the client and not sent when the connection
/// is lost will not be sent. `link` says that it is lost; its runtime is to end then.
pub async fn connect_once(
    servers: &Servers,
    settings: &NatsSettings,
    name: &str,
    link: &Arc<Link>,
) -> Result<Client, NatsError> {
    let was_up = Arc::new(AtomicBool::new(false));
    let waits = Arc::clone(&was_up);
    let options = options(servers, settings, name, link)?;
    let options = options.reconnect_delay_callback(move |_| match waits.load(Ordering::Acquire) {
        true => NEVER,
        false => Duration::ZERO,
    });
    let client = connect_with(options, servers, link).await?;
    was_up.store(true, Ordering::Release);
    Ok(client)
}

fn options(
    servers: &Servers,
    settings: &NatsSettings,
    name: &str,
    link: &Arc<Link>,
) -> Result<ConnectOptions, NatsError> {
    let noted = Arc::clone(link);
    let options = ConnectOptions::new()
        .name(name)
        .ping_interval(PING_EVERY)
        .connection_timeout(CONNECT_TIMEOUT)
        .read_buffer_capacity(READ_BYTES)
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .event_callback(move |event| {
            noted.note(&event);
            std::future::ready(())
        });
    let options = with_tls(options, settings)?;
    with_login(options, servers, settings)
}

async fn connect_with(
    options: ConnectOptions,
    servers: &Servers,
    link: &Link,
) -> Result<Client, NatsError> {
    let connected = options.connect(servers.addresses.clone()).await;
    let client = connected.map_err(|error| {
        let (servers, why) = (servers.to_string(), error.to_string());
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                NatsError::Login { servers }
            }
            ConnectErrorKind::Tls => NatsError::Tls { servers, why },
            // What rustls says comes as an error of reading.
            _ if why.contains("certificate") => NatsError::Tls { servers, why },
            _ => NatsError::Unreachable { servers, why },
        }
    })?;
    link.is_up.store(true, Ordering::Release);
    Ok(client)
}

/// 10 ms at first, then twice as long each time.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(2)).unwrap_or(u32::MAX).min(10);
    match attempts {
        0 | 1 => Duration::ZERO,
        _ => (Duration::from_millis(10) * 2_u32.pow(doublings)).min(RECONNECT_MAX),
    }
}

fn with_tls(options: ConnectOptions, settings: &NatsSettings) -> Result<ConnectOptions, NatsError> {
    // Where another library brings a second provider, rustls would not choose. Who was first with
    // it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = options.require_tls(settings.tls_required);
    if !settings.tls_ca.is_empty() {
        read("nats_tls_ca", &settings.tls_ca)?;
        options = options.add_root_certificates(PathBuf::from(&settings.tls_ca));
    }
    if !settings.tls_certificate.is_empty() {
        read("nats_tls_certificate", &settings.tls_certificate)?;
        read("nats_tls_key", &settings.tls_key)?;
        let [certificate, key] = [&settings.tls_certificate, &settings.tls_key].map(PathBuf::from);
        options = options.add_client_certificate(certificate, key);
    }
    Ok(options)
}

fn with_login(
    options: ConnectOptions,
    servers: &Servers,
    settings: &NatsSettings,
) -> Result<ConnectOptions, NatsError> {
    if !settings.credentials.is_empty() {
        let text = read("nats_credentials", &settings.credentials)?;
        let path = PathBuf::from(&settings.credentials);
        let key = "nats_credentials";
        return options.credentials(&text).map_err(|why| NatsError::File { key, path, why });
    }
    if !settings.token_file.is_empty() {
        return Ok(options.token(first_line("nats_token_file", &settings.token_file)?));
    }
    if !settings.user.is_empty() {
        let password = first_line("nats_password_file", &settings.password_file)?;
        return Ok(options.user_and_password(settings.user.clone(), password));
    }
    Ok(match servers.login.clone() {
        Some(Login::User { name, password }) => options.user_and_password(name, password),
        Some(Login::Token(token)) => options.token(token),
        None => options,
    })
}

fn first_line(key: &'static str, path: &str) -> Result<String, NatsError> {
    Ok(read(key, path)?.lines().next().unwrap_or("").to_string())
}

fn read(key: &'static str, path: &str) -> Result<String, NatsError> {
    std::fs::read_to_string(path).map_err(|why| NatsError::File { key, path: path.into(), why })
}

/// `None` where the URL has none, `Some(None)` where it makes no sense.
fn login_of(address: &ServerAddr) -> Option<Option<Login>> {
    let name = address.username()?;
    Some(match address.password() {
        None => unescape(name).map(Login::Token),
        Some(password) => match (unescape(name), unescape(password)) {
            (Some(name), Some(password)) => Some(Login::User { name, password }),
            _ => None,
        },
    })
}

/// A URL for a message: what may be a password is left out, also where it is no URL.
pub fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_string() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_taken_from_urls_and_shown_nowhere() {
        let servers: Servers = "nats://me:se%40cret@a:4333,tls://b".parse().expect("URLs");
        assert_eq!(servers.to_string(), "nats://a:4333,tls://b:4222");
        assert!(!format!("{servers:?}").contains("cret"));
        let login = Login::User { name: "me".into(), password: "se@cret".into() };
        assert!(servers.login == Some(login));
        let servers: Servers = "nats://to%2Fken@[::1]:4222".parse().expect("a URL");
        assert!(servers.login == Some(Login::Token("to/ken".into())));
        assert_eq!(servers.to_string(), "nats://[::1]:4222");
        for (bad, word) in [
            ("http://u:secret@a", "no address"),
            ("nats://u:secret@", "no address"),
            ("nats://u:se%zzcret@a", "hex"),
            ("nats://u:secret@a,nats://v:secret@b", "share one"),
        ] {
            let error = bad.parse::<Servers>().expect_err(bad).to_string();
            assert!(error.contains(word) && !error.contains("cret"), "{error}");
        }
    }

    #[test]
    fn complaints_name_the_cure_and_the_rest_is_none() {
        let server = |error| complaint(&Event::ServerError(error)).expect("a complaint");
        let other = server(ServerError::Other("Permissions Violation for Subscription".into()));
        assert!(other.contains("Permissions Violation") && other.contains("look at"), "{other}");
        assert!(server(ServerError::AuthorizationViolation).contains("nats_credentials"));
        let slow = complaint(&Event::SlowConsumer(1)).expect("a complaint");
        assert!(slow.contains("fewer symbols"), "{slow}");
        assert_eq!(complaint(&Event::Connected), None);
        let link = Link::default();
        link.note(&Event::SlowConsumer(1));
        link.note(&Event::ServerError(ServerError::Other("no".into())));
        let counted = [&link.slow_consumer, &link.errors].map(|n| n.load(Ordering::Relaxed));
        assert_eq!(counted, [1, 1]);
    }

    #[test]
    fn attempts_come_quickly_at_first_and_then_every_second() {
        let delays = [0, 1, 2, 3, 8, 9, 1_000].map(|n| reconnect_delay(n).as_millis());
        assert_eq!(delays, [0, 0, 10, 20, 640, 1_000, 1_000]);
    }
}
