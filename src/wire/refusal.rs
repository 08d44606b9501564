//! The HTTP answer to a request that is no upgrade, or that the server cannot take now.

use super::frame::cut;
use crate::limits::QUOTE_BYTES_MAX;

/// A full HTTP/1.1 answer, after which the connection is closed. Its body is one line that names
/// the input and the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// A header of its own: what the status asks for by its definition.
    extra: Option<(&'static str, String)>,
    body: String,
    /// An answer to HEAD has the headers of the body without the body (RFC 9110, section 9.3.2).
    omits_body: bool,
}

impl Refusal {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Refusal {
        Refusal { status, extra: None, body: body.into(), omits_body: false }
    }

    pub(super) fn with(self, name: &'static str, value: impl Into<String>) -> Refusal {
        Refusal { extra: Some((name, value.into())), ..self }
    }

    pub(super) fn without_body(self, omits_body: bool) -> Refusal {
        Refusal { omits_body, ..self }
    }

    /// The server is full, or sheds load.
    pub fn overloaded(retry_after_s: u32) -> Refusal {
        Refusal::new(503, format!("the server is full; try again in {retry_after_s} s or later"))
            .with("Retry-After", retry_after_s.to_string())
    }

    /// Our own error before the upgrade was answered; `session` is the id in the log.
    pub fn internal(session: u64) -> Refusal {
        Refusal::new(500, format!("internal error, session {session:016x}; try again later"))
    }

    /// One address has opened too many connections.
    pub fn too_many_from_address(retry_after_s: u32) -> Refusal {
        let text = "too many connections from this address; close some, or share one connection";
        Refusal::new(429, text).with("Retry-After", retry_after_s.to_string())
    }

    /// Every connection must come through a proxy, and this one did not.
    pub fn not_through_proxy() -> Refusal {
        Refusal::new(403, "connections are taken from the proxy alone; connect to its address")
    }

    /// Appends the whole answer.
    pub fn response(&self, out: &mut Vec<u8>) {
        let (status, reason) = (self.status, reason(self.status));
        let length = self.body.len() + 1;
        let mut text = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\nConnection: close\r\n"
        );
        if let Some((name, value)) = &self.extra {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        if !self.omits_body {
            text.push_str(&self.body);
            text.push('\n');
        }
        out.extend_from_slice(text.as_bytes());
    }
}

/// A peer's text in a message: cut, quoted, and without control characters.
pub(super) fn quote(text: &str) -> String {
    format!("{:?}", cut(text, QUOTE_BYTES_MAX / 2))
}

/// RFC 9110, section 15; RFC 6585 for 429 and 431.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_whole_and_say_when_to_come_back() {
        let mut out = Vec::new();
        Refusal::overloaded(5).response(&mut out);
        let text = String::from_utf8(out).expect("ASCII");
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
        assert!(text.contains("\r\nRetry-After: 5\r\n") && text.contains("Connection: close\r\n"));
        let (head, body) = text.split_once("\r\n\r\n").expect("a blank line");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{text}");
        assert!(body.ends_with('\n') && body.lines().count() == 1);
        assert_eq!(Refusal::too_many_from_address(1).status, 429);
    }

    #[test]
    fn quotes_are_short_and_have_no_control_characters() {
        assert_eq!(quote("a\r\nb\u{1b}"), r#""a\r\nb\u{1b}""#);
        assert!(quote(&"é".repeat(10_000)).len() <= QUOTE_BYTES_MAX);
    }
}
