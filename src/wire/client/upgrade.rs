//! The client's half of the handshake (RFC 6455, section 4.1): the request and the check of its
//! answer.

use super::Endpoint;
use crate::limits::{UPGRADE_BYTES_MAX, UPGRADE_HEADERS_MAX};
use tungstenite::handshake::derive_accept_key;

/// Characters of a refusal's body that are shown; the server's are one line.
const REFUSAL_LINE_CHARS_MAX: usize = 200;

/// A request that waits for its answer.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// Send these bytes.
    pub request: Vec<u8>,
    accept_key: String,
}

/// The server answered the upgrade with plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// `Retry-After`, where it is given in seconds.
    pub retry_after_s: Option<u64>,
    /// First line of the body, as far as it has come.
    pub line: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    #[error("the server refused with HTTP {}: {}", .0.status, .0.line)]
    Refused(Refusal),
    #[error("the server's answer is not an HTTP response ({0}); is this a WebSocket server?")]
    NotHttp(httparse::Error),
    #[error("the server's answer has no end within {UPGRADE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the server agreed to upgrade, but its {0} header is missing or wrong")]
    Header(&'static str),
}

impl Upgrade {
    /// `nonce` is drawn at random for each connection.
    pub fn new(endpoint: &Endpoint, nonce: [u8; 16]) -> Upgrade {
        let key = base64(nonce);
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
             User-Agent: tapecast/{version}\r\n\r\n",
            target = endpoint.target(),
            host = endpoint.authority(),
            version = env!("CARGO_PKG_VERSION"),
        );
        let accept_key = derive_accept_key(key.as_bytes());
        Upgrade { request: request.into_bytes(), accept_key }
    }

    /// The length of the answer's head, behind which frames begin; `None` while it is incomplete.
    pub fn answer(&self, bytes: &[u8]) -> Result<Option<usize>, UpgradeError> {
        let mut headers = [httparse::EMPTY_HEADER; UPGRADE_HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let head_bytes = match response.parse(bytes).map_err(UpgradeError::NotHttp)? {
            httparse::Status::Complete(head_bytes) => head_bytes,
            httparse::Status::Partial if bytes.len() > UPGRADE_BYTES_MAX => {
                return Err(UpgradeError::TooLong);
            }
            httparse::Status::Partial => return Ok(None),
        };
        let status = response.code.expect("a complete head has a status");
        if status != 101 {
            return Err(UpgradeError::Refused(Refusal {
                status,
                retry_after_s: header(&response, "Retry-After").and_then(|v| v.trim().parse().ok()),
                line: first_line(&bytes[head_bytes..]),
            }));
        }
        let upgrade = header(&response, "Upgrade").unwrap_or("");
        if !upgrade.eq_ignore_ascii_case("websocket") {
            return Err(UpgradeError::Header("Upgrade"));
        }
        let connection = header(&response, "Connection").unwrap_or("");
        if !connection.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade")) {
            return Err(UpgradeError::Header("Connection"));
        }
        if header(&response, "Sec-WebSocket-Accept") != Some(&self.accept_key) {
            return Err(UpgradeError::Header("Sec-WebSocket-Accept"));
        }
        if header(&response, "Sec-WebSocket-Extensions").is_some() {
            return Err(UpgradeError::Header("Sec-WebSocket-Extensions"));
        }
        Ok(Some(head_bytes))
    }
}

fn header<'a>(response: &httparse::Response<'_, 'a>, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok()
}

/// Control characters are left out: the line goes to a terminal, and a stranger wrote it.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or("");
    line.chars().filter(|c| !c.is_control()).take(REFUSAL_LINE_CHARS_MAX).collect()
}

/// Base64 (RFC 4648, section 4) of 16 bytes: 22 characters and two of padding.
fn base64(bytes: [u8; 16]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // 22 characters carry 132 bits: the four bits that are too many are zeros at the end.
    let bits = u128::from_be_bytes(bytes);
    let mut text = String::with_capacity(24);
    for at in 0..22 {
        let six = if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 };
        text.push(ALPHABET[(six & 63) as usize] as char);
    }
    text + "=="
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Upgrade {
        let endpoint = Endpoint::parse("ws://server.example.com/chat").expect("a good URL");
        // The nonce of RFC 6455, section 1.3: "the sample nonce".
        Upgrade::new(&endpoint, *b"the sample nonce")
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let upgrade = sample();
        let request = String::from_utf8(upgrade.request.clone()).expect("a head is text");
        assert!(request.starts_with("GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
        assert!(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
            Connection: keep-alive, Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02[]";
        for cut in 0..answer.len() - 4 {
            assert_eq!(upgrade.answer(&answer[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(upgrade.answer(answer), Ok(Some(answer.len() - 4)));
    }

    #[test]
    fn a_refusal_says_status_hint_and_line() {
        let answer = b"HTTP/1.1 503 Full\r\nRetry-After: 7\r\n\r\nfull: \x1b[1mtry later\nmore";
        let refusal =
            Refusal { status: 503, retry_after_s: Some(7), line: "full: [1mtry later".to_string() };
        assert_eq!(sample().answer(answer), Err(UpgradeError::Refused(refusal)));
    }

    #[test]
    fn an_answer_that_is_none_is_refused() {
        let wrong_key = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
            Sec-WebSocket-Accept: AAAA\r\n\r\n";
        assert_eq!(sample().answer(wrong_key), Err(UpgradeError::Header("Sec-WebSocket-Accept")));
        assert!(matches!(sample().answer(b"\x16\x03\x01"), Err(UpgradeError::NotHttp(_))));
        let endless = [b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &[b'a'; 20_000]].concat();
        assert_eq!(sample().answer(&endless), Err(UpgradeError::TooLong));
    }
}
