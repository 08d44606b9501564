//! RFC 6455, section 4.2, and what HTTP/1.1 asks of an answer that is none.

use tapecast::wire::Queries;
use tapecast::wire::upgrade::{Parsed, parse};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

const GRANTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The answer to a head, or `None` while it is incomplete, and how much of it was consumed.
fn answer(bytes: &[u8]) -> Option<(String, usize)> {
    let mut out = Vec::new();
    let consumed = match parse(bytes, false, &mut Queries::default()) {
        Ok(Parsed::Incomplete) => return None,
        Ok(Parsed::Request { upgrade, consumed }) => {
            upgrade.response(&mut out);
            consumed
        }
        Err(refusal) => {
            refusal.response(&mut out);
            bytes.len()
        }
    };
    Some((String::from_utf8(out).expect("an answer is text"), consumed))
}

/// Checks that every prefix is incomplete or has the answer of the whole.
fn answer_in_parts(name: &str, head: &str) -> String {
    let (whole, _) = answer(head.as_bytes()).unwrap_or_else(|| panic!("{name}: incomplete"));
    for end in 0..head.len() {
        if let Some((early, _)) = answer(&head.as_bytes()[..end]) {
            assert_eq!(early, whole, "{name}, after {end} bytes");
        }
    }
    whole
}

fn head(request_line: &str, headers: &[&str]) -> String {
    format!("{request_line}\r\n{}\r\n\r\n", headers.join("\r\n"))
}

fn usual(headers: &[&str]) -> Vec<String> {
    let usual =
        ["Host: h", "Upgrade: websocket", "Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13"];
    let name = |header: &str| header.split(':').next().unwrap_or_default().to_lowercase();
    let replaced = |header: &&str| !headers.iter().any(|other| name(other) == name(header));
    usual.iter().filter(|h| replaced(h)).chain(headers).map(|h| h.to_string()).collect()
}

/// A request whose `headers` replace those of the same name; `Name:` alone takes it away.
fn request(request_line: &str, headers: &[&str]) -> String {
    let lines = usual(headers);
    let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|h| !h.ends_with(':')).collect();
    head(request_line, &lines)
}

const GET: &str = "GET /v1/stream HTTP/1.1";

#[test]
fn what_is_granted() {
    for (name, text) in [
        ("the usual", request(GET, &[])),
        ("the alias", request("GET /v2/iex HTTP/1.1", &[])),
        ("a query", request("GET /v1/stream?symbols=AAPL%2CMSFT&channels=bars HTTP/1.1", &[])),
        ("an empty query", request("GET /v1/stream? HTTP/1.1", &[])),
        ("a whole URL", request("GET http://h:9001/v1/stream HTTP/1.1", &[])),
        ("case of words", request(GET, &["upgrade: WebSocket", "CONNECTION: UPGRADE"])),
        ("a list in Connection", request(GET, &["Connection: keep-alive, Upgrade"])),
        ("two lines of it", request(GET, &["Connection: keep-alive", "Connection: Upgrade"])),
        ("a list in Upgrade", request(GET, &["Upgrade: h2c, websocket"])),
        ("an extension", request(GET, &["Sec-WebSocket-Extensions: permessage-deflate; x=1"])),
        ("a subprotocol", request(GET, &["Sec-WebSocket-Protocol: chat, superchat"])),
        ("an origin", request(GET, &["Origin: http://example.com"])),
        ("a content type", request(GET, &["Content-Type: application/msgpack"])),
        ("an empty body", request(GET, &["Content-Length: 0"])),
        ("blanks around values", request(GET, &["Sec-WebSocket-Version:   13  "])),
        ("bytes that are no UTF-8", request(GET, &["X: ü"])),
    ] {
        assert_eq!(answer_in_parts(name, &text), GRANTED, "{name}");
    }
}

#[test]
fn what_follows_the_head_is_left_for_the_websocket() {
    let text = request(GET, &[]);
    let stream = [text.as_bytes(), b"\x81\x80\x01\x02\x03\x04"].concat();
    assert_eq!(answer(&stream), Some((GRANTED.to_string(), text.len())));
}

/// Name, head, status line, words of a header, words of the body.
type Row = (&'static str, String, &'static str, &'static str, &'static str);

fn refused(rows: Vec<Row>) {
    for (name, text, status, header, words) in rows {
        let answer = answer_in_parts(name, &text);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{name}: {answer}");
        assert!(head.contains(header) && body.contains(words), "{name}: {answer}");
        assert!(head.contains("\r\nConnection: close") && head.contains("text/plain"), "{name}");
        let length = format!("Content-Length: {}\r\n", body.len());
        assert!(text.starts_with("HEAD") || head.contains(&length), "{name}: {answer}");
        assert!(body.is_empty() || (body.ends_with('\n') && body.lines().count() == 1), "{name}");
    }
}

#[test]
fn what_is_no_upgrade() {
    let plain = ["Host: h"];
    refused(vec![
        ("a page", head(GET, &plain), "426 Upgrade Required", "Upgrade: websocket", "ws://"),
        (
            "HEAD",
            head("HEAD /v1/stream HTTP/1.1", &plain),
            "426 Upgrade Required",
            "Upgrade: w",
            "",
        ),
        ("no Upgrade", request(GET, &["Upgrade:"]), "426 Upgrade Required", "Upgrade: w", "ws://"),
        (
            "no Connection",
            request(GET, &["Connection: keep-alive"]),
            "426 Upgrade Required",
            "Upgrade: websocket",
            "ws://",
        ),
        ("h2c", request(GET, &["Upgrade: h2c"]), "426 Upgrade Required", "Upgrade: w", "ws://"),
        (
            "POST",
            request("POST /v1/stream HTTP/1.1", &[]),
            "405 Method Not Allowed",
            "Allow: GET",
            "\"POST\"",
        ),
        ("a path", request("GET /v1 HTTP/1.1", &[]), "404 Not Found", "", "\"/v1\""),
        ("OPTIONS *", request("OPTIONS * HTTP/1.1", &[]), "404 Not Found", "", "/v1/stream"),
        ("HEAD of a path", head("HEAD /x HTTP/1.1", &plain), "404 Not Found", "", ""),
    ]);
    let (answer, _) = answer(head("HEAD /v1/stream HTTP/1.1", &plain).as_bytes()).expect("whole");
    assert!(answer.ends_with("\r\n\r\n"), "an answer to HEAD has no body: {answer}");
}

#[test]
fn what_is_a_bad_upgrade() {
    let bad_request = "400 Bad Request";
    let version = "426 Upgrade Required";
    let key = |value: &str| request(GET, &[&format!("Sec-WebSocket-Key: {value}")]);
    let header = "Sec-WebSocket-Version: 13";
    refused(vec![
        ("version 8", request(GET, &["Sec-WebSocket-Version: 8"]), version, header, "13"),
        ("no version", request(GET, &["Sec-WebSocket-Version:"]), version, header, "13"),
        ("no key", request(GET, &["Sec-WebSocket-Key:"]), bad_request, "", "missing"),
        ("a short key", key("dGhlIHNhbXBsZQ=="), bad_request, "", "dGhlIHNhbXBsZQ=="),
        ("no base64", key("dGhlIHNhbXBsZSBub25jZ!=="), bad_request, "", "base64"),
        ("15 bytes", key("dGhlIHNhbXBsZSBub25j"), bad_request, "", "base64"),
        ("two keys", request(GET, &[KEY, KEY]), bad_request, "", "twice"),
        ("no host", request(GET, &["Host:"]), bad_request, "", "Host"),
        ("two hosts", request(GET, &["Host: a", "Host: b"]), bad_request, "", "Host"),
        ("a body", request(GET, &["Content-Length: 5"]), bad_request, "", "Content-Length"),
        ("chunks", request(GET, &["Transfer-Encoding: chunked"]), bad_request, "", "body"),
        (
            "a bad option",
            request("GET /v1/stream?ts=iso HTTP/1.1", &[]),
            bad_request,
            "",
            "bad option ts=\"iso\": give rfc3339 or ns",
        ),
        (
            "a bad symbol",
            request("GET /v1/stream?symbols=A%0D%0AX HTTP/1.1", &[]),
            bad_request,
            "",
            r#"symbols="A\r\nX""#,
        ),
    ]);
}

#[test]
fn what_is_no_request() {
    let http = "505 HTTP Version Not Supported";
    refused(vec![
        ("HTTP/1.0", request("GET /v1/stream HTTP/1.0", &[]), http, "", "HTTP/1.1"),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), http, "", "HTTP/1.1"),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}".into(), "400 Bad Request", "", "ws://"),
        ("a blank in a name", request(GET, &["A b: c"]), "400 Bad Request", "", "HTTP/1.1"),
        ("no colon", head(GET, &["Host"]), "400 Bad Request", "", "HTTP/1.1"),
        ("SSH", "SSH-2.0-OpenSSH_9.6\r\n".into(), "400 Bad Request", "", "HTTP/1.1"),
    ]);
}
