//! Method: the request of RFC 6455, section 1.3, and changes to it. The answers byte by byte are
//! in `tests/conformance.rs`.

use super::*;
use crate::wire::{Encoding, TimeStyle};

/// The RFC's own example; `target` and `more` headers vary.
fn request(target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

fn granted(text: &str) -> Upgrade {
    match parse(text.as_bytes(), false, &mut Queries::default()) {
        Ok(Parsed::Request { upgrade, consumed }) => {
            assert_eq!(consumed, text.len());
            upgrade
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn refused(text: &str) -> u16 {
    parse(text.as_bytes(), false, &mut Queries::default()).expect_err("a refusal").status
}

#[test]
fn the_example_of_the_rfc_is_granted() {
    let upgrade = granted(&request("/v1/stream", ""));
    assert_eq!((upgrade.endpoint, upgrade.format), (Endpoint::Stream, Format::default()));
    assert_eq!(*upgrade.options, UrlOptions::default());
    let mut out = Vec::new();
    upgrade.response(&mut out);
    let text = String::from_utf8(out).expect("ASCII");
    assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
    assert!(text.starts_with("HTTP/1.1 101 ") && text.ends_with("\r\n\r\n"));
}

#[test]
fn a_head_in_parts_is_incomplete_until_its_end() {
    let text = request("/v1/stream", "");
    for end in 0..text.len() {
        let parsed = parse(&text.as_bytes()[..end], false, &mut Queries::default());
        assert!(matches!(parsed, Ok(Parsed::Incomplete)), "{end}: {parsed:?}");
    }
    let more = [text.as_bytes(), b"\x81\x80"].concat();
    match parse(&more, false, &mut Queries::default()) {
        Ok(Parsed::Request { consumed, .. }) => assert_eq!(consumed, text.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_format_comes_from_header_and_url() {
    let format = |target: &str, more: &str| granted(&request(target, more)).format;
    let packed = "content-type: Application/MsgPack; v=1\r\n";
    let encoding = |target, more| format(target, more).encoding;
    assert_eq!(encoding("/v2/iex", packed), Encoding::MessagePack);
    assert_eq!(encoding("/v1/stream?encoding=msgpack", ""), Encoding::MessagePack);
    assert_eq!(encoding("/v1/stream?encoding=json", packed), Encoding::Json);
    assert_eq!(encoding("/v1/stream", "Content-Type: text/html\r\n"), Encoding::Json);
    assert_eq!(format("/v1/stream?ts=ns", "").times, TimeStyle::Nanos);
    let url = "http://127.0.0.1:9001/v1/stream?symbols=*";
    assert_eq!(granted(&request(url, "")).options.items.len(), 2);
}

#[test]
fn paths_are_few() {
    assert_eq!(refused(&request("/", "")), 404);
    assert_eq!(refused(&request("/v2/", "")), 404);
    assert_eq!(refused(&request("/v1/stream/", "")), 404);
    assert_eq!(refused(&request("http://host", "")), 404);
    assert_eq!(refused(&request("/echo", "")), 404, "off by default");
    let echo = request("/echo", "");
    let parsed = parse(echo.as_bytes(), true, &mut Queries::default()).expect("granted");
    assert!(
        matches!(parsed, Parsed::Request { upgrade, .. } if upgrade.endpoint == Endpoint::Echo)
    );
}

#[test]
fn large_heads_are_refused() {
    let header = format!("X: {}\r\n", "x".repeat(UPGRADE_BYTES_MAX));
    assert_eq!(refused(&request("/v1/stream", &header)), 431);
    assert_eq!(refused(&"G".repeat(UPGRADE_BYTES_MAX)), 431);
    let many = "X: y\r\n".repeat(UPGRADE_HEADERS_MAX + 1);
    assert_eq!(refused(&request("/v1/stream", &many)), 431);
    let many = "X: y\r\n".repeat(UPGRADE_HEADERS_MAX - 5);
    granted(&request("/v1/stream", &many));
}

/// Method: a valid request with random bytes changed. Whatever a peer sends: no panic, and an
/// answer that is text.
#[test]
fn no_bytes_make_it_panic() {
    let mut random = fastrand::Rng::with_seed(5);
    let text = request("/v1/stream?symbols=A%2C*&max_hz=4", "");
    for _ in 0..5_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        if let Err(refusal) = parse(&bytes, false, &mut Queries::default()) {
            let mut out = Vec::new();
            refusal.response(&mut out);
            assert!(out.len() < 1_000 && std::str::from_utf8(&out).is_ok());
        }
    }
}
