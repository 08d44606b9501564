//! Where a client dials: a `ws://` or `wss://` URL, with its options as pairs.

use tungstenite::http::Uri;

/// The path of a URL that names none.
const PATH_DEFAULT: &str = "/v1/stream";

/// Ports of `ws` and `wss` (RFC 6455, section 3).
const PORT_DEFAULT: u16 = 80;
const PORT_DEFAULT_TLS: u16 = 443;

/// A parsed URL; options are percent-decoded and keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// The scheme is `wss`.
    pub is_tls: bool,
    path: String,
    options: Vec<(String, String)>,
}

/// Why a text is not a URL that can be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("{0:?} is not a URL ({1}); give one like ws://127.0.0.1:9001/v1/stream")]
    Syntax(String, String),
    #[error("{0:?} is not a ws:// or wss:// URL; give one like ws://127.0.0.1:9001/v1/stream")]
    Scheme(String),
    #[error("{0:?} asks for TLS, which this command does not speak; use ws:// or a TLS proxy")]
    Tls(String),
    /// Without the URL: it holds a secret.
    #[error("the URL of {0:?} has a user or password before its '@'; leave that out")]
    UserInfo(String),
    #[error("{0:?} names no host; give one like ws://127.0.0.1:9001/v1/stream")]
    NoHost(String),
    #[error("{0:?} has a broken percent escape in its options; write a plain % as %25")]
    Escape(String),
}

/// A text with URLs in it, without what stands before their `@`: for logs, errors and pages.
pub fn without_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let host = part.rsplit_once('@').map_or(part, |(_, host)| host);
        shown.push_str("://");
        shown.push_str(host);
    }
    shown
}

impl Endpoint {
    pub fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        let given = || without_logins(url);
        let uri: Uri = url.parse().map_err(|e| EndpointError::Syntax(given(), format!("{e}")))?;
        let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(EndpointError::UserInfo(host.to_string()));
        }
        let is_tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(EndpointError::Scheme(given())),
        };
        if host.is_empty() {
            return Err(EndpointError::NoHost(given()));
        }
        let path = if uri.path() == "/" { PATH_DEFAULT } else { uri.path() };
        let mut options = Vec::new();
        for pair in uri.query().unwrap_or("").split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).ok_or_else(|| EndpointError::Escape(given()))?;
            options.push((name.to_string(), value));
        }
        let port = uri.port_u16().unwrap_or(port_default(is_tls));
        Ok(Endpoint { host: host.to_string(), port, is_tls, path: path.to_string(), options })
    }

    /// For commands that speak no TLS.
    pub fn without_tls(self) -> Result<Endpoint, EndpointError> {
        if self.is_tls { Err(EndpointError::Tls(self.to_string())) } else { Ok(self) }
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Replaces the option, wherever it stood.
    pub fn set_option(&mut self, name: &str, value: &str) {
        self.take_option(name);
        self.options.push((name.to_string(), value.to_string()));
    }

    /// Appends a segment to the path, escaped.
    pub fn push_segment(&mut self, segment: &str) {
        if !self.path.ends_with('/') {
            self.path.push('/');
        }
        encode(segment, &mut self.path);
    }

    pub fn take_option(&mut self, name: &str) -> Option<String> {
        let value = self.option(name).map(str::to_string);
        self.options.retain(|(n, _)| n != name);
        value
    }

    /// The `Host` header: an IPv6 address in brackets, and the port unless it is the scheme's.
    pub fn authority(&self) -> String {
        let bracketed = self.host.contains(':');
        let host = if bracketed { format!("[{}]", self.host) } else { self.host.clone() };
        let is_usual = self.port == port_default(self.is_tls);
        if is_usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The request target: path and options, escaped.
    pub fn target(&self) -> String {
        let mut target = self.path.clone();
        for (at, (name, value)) in self.options.iter().enumerate() {
            target.push(if at == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            encode(value, &mut target);
        }
        target
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.target())
    }
}

fn port_default(is_tls: bool) -> u16 {
    if is_tls { PORT_DEFAULT_TLS } else { PORT_DEFAULT }
}

/// `None` where a `%` is not followed by two hex digits, or the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        let valid = digits.bytes().all(|d| d.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| valid)?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

/// Escapes what a query may not hold (RFC 3986, section 3.4) and what separates options. `,`, `*`
/// and `/` stay, so that a list of symbols can be read in a server's log.
fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(byte as char),
            b'-' | b'.' | b'_' | b'~' | b',' | b'*' | b'/' | b':' | b'@' | b'!' | b'$' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_shown_nowhere() {
        let text = r#"feeds = ["nats://me:p@w@a,tls://tok@b", "stdin", "ws://c/d"]"#;
        let shown = r#"feeds = ["nats://a,tls://b", "stdin", "ws://c/d"]"#;
        assert_eq!(without_logins(text), shown);
        let error = Endpoint::parse("ws://me:se cret@h").expect_err("a blank").to_string();
        assert!(!error.contains("cret") && error.contains("ws://h"), "{error}");
        let error = Endpoint::parse("ftp://me:secret@h/x");
        assert!(!error.expect_err("no such scheme").to_string().contains("secret"));
    }

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        let mut endpoint = Endpoint::parse("ws://[::1]:9001/v2/iex?symbols=ES%3DF,%5EGSPC&ts=ns")
            .expect("a good URL");
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 9001));
        assert_eq!(endpoint.option("symbols"), Some("ES=F,^GSPC"));
        endpoint.set_option("ts", "rfc3339");
        assert_eq!(endpoint.take_option("absent"), None);
        assert_eq!(
            endpoint.to_string(),
            "ws://[::1]:9001/v2/iex?symbols=ES%3DF,%5EGSPC&ts=rfc3339"
        );
        let bare = Endpoint::parse("ws://localhost").expect("a good URL");
        assert_eq!(bare.to_string(), "ws://localhost/v1/stream");
    }

    #[test]
    fn what_cannot_be_dialled_is_named() {
        for bad in ["localhost:9001", "http://a/", "ws://", "", "ws://a b", "ws://a?b=%"] {
            let error = Endpoint::parse(bad).expect_err(bad);
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
        assert!(Endpoint::parse("ws://a?b=%+1").is_err());
        let error = Endpoint::parse("wss://me:secret@a/").expect_err("a password").to_string();
        assert!(error.contains("\"a\"") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn tls_has_its_own_port_and_is_not_for_all() {
        let endpoint = Endpoint::parse("wss://a/v2/iex").expect("a good URL");
        assert_eq!((endpoint.port, endpoint.is_tls), (443, true));
        assert_eq!(endpoint.to_string(), "wss://a/v2/iex");
        let error = endpoint.without_tls().expect_err("TLS").to_string();
        assert!(error.contains("wss://a/v2/iex"), "{error}");
        assert!(Endpoint::parse("ws://a").expect("a good URL").without_tls().is_ok());
    }
}
