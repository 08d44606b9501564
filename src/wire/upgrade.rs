//! The request that opens a WebSocket (RFC 6455, section 4.2) and its answer. Bytes in, bytes out.

use super::refusal::quote;
use super::{Format, Queries, Refusal, UrlOptions};
use crate::limits::{UPGRADE_BYTES_MAX, UPGRADE_HEADERS_MAX};
use asked::Asked;
use httparse::{Request, Status};
use std::mem::MaybeUninit;
use std::rc::Rc;
use tungstenite::handshake::derive_accept_key;

/// What the bytes received so far are.
#[derive(Debug)]
pub enum Parsed {
    /// The start of a head. Call again with the same bytes and more.
    Incomplete,
    /// A head, in the first `consumed` bytes; what follows belongs to the WebSocket.
    Request { upgrade: Upgrade, consumed: usize },
}

/// Where a client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/stream`, and `/v2/…` for SDKs that insist on their path.
    Stream,
    /// `/echo`: gives messages back, for conformance suites. Off by default.
    Echo,
}

/// An upgrade that can be granted.
#[derive(Debug, PartialEq)]
pub struct Upgrade {
    pub endpoint: Endpoint,
    pub options: Rc<UrlOptions>,
    pub format: Format,
    accept: String,
}

impl Upgrade {
    /// Appends the answer that grants it. No extension and no subprotocol is chosen.
    pub fn response(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        out.extend_from_slice(self.accept.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
    }
}

/// Reads the head of a request from all bytes received so far. A refusal ends the connection.
pub fn parse(bytes: &[u8], echo_enabled: bool, queries: &mut Queries) -> Result<Parsed, Refusal> {
    let mut headers = [const { MaybeUninit::uninit() }; UPGRADE_HEADERS_MAX];
    let mut request = Request::new(&mut []);
    // Nothing beyond the limit is looked at: a head that is longer is refused however it goes on.
    let head = &bytes[..bytes.len().min(UPGRADE_BYTES_MAX)];
    match request.parse_with_uninit_headers(head, &mut headers) {
        Ok(Status::Complete(consumed)) => {
            let upgrade = judge(&request, echo_enabled, queries)?;
            Ok(Parsed::Request { upgrade, consumed })
        }
        Ok(Status::Partial) if head.len() < UPGRADE_BYTES_MAX => Ok(Parsed::Incomplete),
        Ok(Status::Partial) => Err(Refusal::new(
            431,
            format!(
                "the request head is over {UPGRADE_BYTES_MAX} bytes; name the symbols in a \
                 subscribe message instead of the URL"
            ),
        )),
        Err(httparse::Error::TooManyHeaders) => {
            Err(Refusal::new(431, format!("more than {UPGRADE_HEADERS_MAX} headers; send fewer")))
        }
        Err(httparse::Error::Version) => Err(version_refusal()),
        Err(error) => Err(Refusal::new(
            400,
            format!(
                "not an HTTP/1.1 request ({error}); connect with ws://, TLS is not served here"
            ),
        )),
    }
}

fn version_refusal() -> Refusal {
    Refusal::new(505, "a WebSocket upgrade needs HTTP/1.1; set the client or the proxy to it")
}

/// The order matters: what is wrong with the whole request is said before details.
fn judge(request: &Request, echo_enabled: bool, queries: &mut Queries) -> Result<Upgrade, Refusal> {
    let method = request.method.unwrap_or_default();
    let (path, query) = split_target(request.path.unwrap_or_default());
    let endpoint = endpoint(path, echo_enabled).ok_or_else(|| {
        Refusal::new(404, format!("no such path {}; the stream is at /v1/stream", quote(path)))
            .without_body(method == "HEAD")
    })?;
    if !matches!(method, "GET" | "HEAD") {
        let text = format!("the method is {}; a WebSocket upgrade is a GET", quote(method));
        return Err(Refusal::new(405, text).with("Allow", "GET"));
    }
    if request.version != Some(1) {
        return Err(version_refusal().without_body(method == "HEAD"));
    }
    let asked = Asked::of(request.headers);
    if method == "HEAD" || !asked.is_upgrade() {
        let text = "this is a WebSocket endpoint; connect to it with ws:// or see the protocol";
        let refusal = Refusal::new(426, text).with("Upgrade", "websocket");
        return Err(refusal.without_body(method == "HEAD"));
    }
    if asked.version != Some("13") {
        let text = "Sec-WebSocket-Version must be 13 (RFC 6455)";
        return Err(Refusal::new(426, text).with("Sec-WebSocket-Version", "13"));
    }
    check_framing(&asked)?;
    let key = key(&asked)?;
    let query = queries.parse(query)?;
    let encoding = query.encoding.unwrap_or(asked.encoding);
    Ok(Upgrade {
        endpoint,
        options: query.options,
        format: Format { encoding, times: query.times },
        accept: derive_accept_key(key.as_bytes()),
    })
}

/// Path and query of a request target, which may be a whole URL (RFC 9112, section 3.2.2).
fn split_target(target: &str) -> (&str, &str) {
    let after_scheme = ["http://", "ws://"].iter().find_map(|scheme| target.strip_prefix(scheme));
    let target = match after_scheme {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    target.split_once('?').unwrap_or((target, ""))
}

fn endpoint(path: &str, echo_enabled: bool) -> Option<Endpoint> {
    match path {
        "/v1/stream" => Some(Endpoint::Stream),
        "/echo" if echo_enabled => Some(Endpoint::Echo),
        _ => {
            let rest = path.strip_prefix("/v2/")?;
            (!rest.is_empty()).then_some(Endpoint::Stream)
        }
    }
}

/// A host is required (RFC 9112, section 3.2), and a body would be taken for frames.
fn check_framing(asked: &Asked) -> Result<(), Refusal> {
    if asked.hosts != 1 {
        return Err(Refusal::new(400, "the request must have one Host header; send it once"));
    }
    if asked.has_body {
        return Err(Refusal::new(400, "an upgrade has no body; leave out Content-Length"));
    }
    Ok(())
}

/// The key: 16 bytes in base64 (RFC 6455, section 4.1, item 7).
fn key<'h>(asked: &Asked<'h>) -> Result<&'h str, Refusal> {
    let refused = |text: String| Refusal::new(400, text);
    let key = match asked.key {
        Some(key) if asked.keys == 1 => key,
        Some(_) => return Err(refused("Sec-WebSocket-Key stands twice; send it once".into())),
        None => {
            return Err(refused("Sec-WebSocket-Key is missing; use a WebSocket client".into()));
        }
    };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = key.strip_suffix("==").unwrap_or_default();
    if digits.len() != 22 || !digits.bytes().all(is_base64) {
        let text = format!("bad Sec-WebSocket-Key {}; send 16 bytes in base64", quote(key));
        return Err(refused(text));
    }
    Ok(key)
}

mod asked;
#[cfg(test)]
mod tests;
