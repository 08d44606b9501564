//! The request that opens a WebSocket (RFC 6455, section 4.2) and its answer. Bytes in, bytes out.

use super::refusal::quote;
use super::{Encoding, Format, Queries, Refusal, UrlOptions};
use crate::limits::{UPGRADE_BYTES_MAX, UPGRADE_HEADERS_MAX};
use httparse::{EMPTY_HEADER, Header, Request, Status};
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
    let mut headers = [EMPTY_HEADER; UPGRADE_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    // Nothing beyond the limit is looked at: a head that is longer is refused however it goes on.
    let head = &bytes[..bytes.len().min(UPGRADE_BYTES_MAX)];
    match request.parse(head) {
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
    let headers = &*request.headers;
    if method == "HEAD" || !asks_for_websocket(headers) {
        let text = "this is a WebSocket endpoint; connect to it with ws:// or see the protocol";
        let refusal = Refusal::new(426, text).with("Upgrade", "websocket");
        return Err(refusal.without_body(method == "HEAD"));
    }
    if values(headers, "Sec-WebSocket-Version").next() != Some("13") {
        let text = "Sec-WebSocket-Version must be 13 (RFC 6455)";
        return Err(Refusal::new(426, text).with("Sec-WebSocket-Version", "13"));
    }
    check_framing(headers)?;
    let key = key(headers)?;
    let query = queries.parse(query)?;
    let encoding = query.encoding.unwrap_or_else(|| header_encoding(headers));
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

/// RFC 6455, section 4.2.1, items 3 and 4: both are lists of words, whose case does not count.
fn asks_for_websocket(headers: &[Header]) -> bool {
    has_word(headers, "Upgrade", "websocket") && has_word(headers, "Connection", "upgrade")
}

/// A host is required (RFC 9112, section 3.2), and a body would be taken for frames.
fn check_framing(headers: &[Header]) -> Result<(), Refusal> {
    if values(headers, "Host").count() != 1 {
        return Err(Refusal::new(400, "the request must have one Host header; send it once"));
    }
    let has_body = values(headers, "Transfer-Encoding").next().is_some()
        || values(headers, "Content-Length").any(|length| length != "0");
    if has_body {
        return Err(Refusal::new(400, "an upgrade has no body; leave out Content-Length"));
    }
    Ok(())
}

/// The key: 16 bytes in base64 (RFC 6455, section 4.1, item 7).
fn key<'h>(headers: &'h [Header]) -> Result<&'h str, Refusal> {
    let refused = |text: String| Refusal::new(400, text);
    let mut keys = values(headers, "Sec-WebSocket-Key");
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) => key,
        (None, _) => {
            return Err(refused("Sec-WebSocket-Key is missing; use a WebSocket client".into()));
        }
        _ => return Err(refused("Sec-WebSocket-Key stands twice; send it once".into())),
    };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = key.strip_suffix("==").unwrap_or_default();
    if digits.len() != 22 || !digits.bytes().all(is_base64) {
        let text = format!("bad Sec-WebSocket-Key {}; send 16 bytes in base64", quote(key));
        return Err(refused(text));
    }
    Ok(key)
}

/// How Alpaca's SDKs ask for MessagePack: by the content type of a request without content.
fn header_encoding(headers: &[Header]) -> Encoding {
    let asks = values(headers, "Content-Type").any(|value| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        ["application/msgpack", "application/x-msgpack"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known))
    });
    if asks { Encoding::MessagePack } else { Encoding::Json }
}

fn has_word(headers: &[Header], name: &str, word: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
}

/// The values of all headers of one name, without blanks around; what is not UTF-8 is empty.
fn values<'h>(headers: &'h [Header], name: &str) -> impl Iterator<Item = &'h str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| std::str::from_utf8(header.value).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests;
