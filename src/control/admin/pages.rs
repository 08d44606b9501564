//! What is served as it stands: the pages, their parts, and the browser's client.

use super::answers::{fresh, set};
use super::origin::host_name;
use crate::web::Page;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::net::SocketAddr;

/// A browser asks again each time whether a page has changed, so that a new version of the server
/// is seen at once; unchanged, it costs an answer without a body.
pub fn answer(page: Page, headers: &HeaderMap, stream: SocketAddr) -> Response {
    let tag = format!("\"{}-{:x}\"", env!("CARGO_PKG_VERSION"), fingerprint(page.bytes));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = match known == Some(tag.as_str()) {
        true => fresh(StatusCode::NOT_MODIFIED, ()),
        false => fresh(StatusCode::OK, page.bytes),
    };
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    set(&mut response, header::CONTENT_TYPE, page.content_type);
    let policy = policy(headers, stream);
    for (name, value) in [(header::ETAG, tag), (header::CONTENT_SECURITY_POLICY, policy)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Nothing from elsewhere, nothing inline, and no connection but to this port and to the stream.
fn policy(headers: &HeaderMap, stream: SocketAddr) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let port = stream.port();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let name = host_name(host);
    let streams = match !name.is_empty() && name.chars().all(is_plain) {
        true => format!("ws://{name}:{port} wss://{name}:{port} ws://127.0.0.1:{port}"),
        // A policy has no form for an IPv6 address.
        false => "ws: wss:".to_string(),
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; manifest-src 'self'; connect-src 'self' {streams}; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

/// FNV-1a, 64 bits: tells versions of a file apart, nothing more.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
