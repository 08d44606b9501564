//! What is not an upgrade gets an HTTP answer, and the connection ends.
//!
//! Method: requests as raw bytes; status, one header, and a body of one line of the length that
//! is announced.

use crate::harness::{Raw, Server, raw};

/// Request, status, and a line of the head that must be there.
fn cases() -> Vec<(String, u16, &'static str)> {
    let good = raw::request("/v1/stream");
    let without = |header: &str| {
        let lines = good.split("\r\n").filter(|line| !line.starts_with(header));
        lines.collect::<Vec<_>>().join("\r\n")
    };
    let long = format!("/v1/stream?symbols={}", "A,".repeat(10_000));
    let target = |target: &str| raw::request(target);
    vec![
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), 404, ""),
        ("GET /v1/stream HTTP/1.1\r\nHost: a\r\n\r\n".into(), 426, "Upgrade: websocket"),
        (
            "POST /v1/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".into(),
            405,
            "Allow: GET",
        ),
        ("GET /v1/stream HTTP/1.0\r\n\r\n".into(), 505, ""),
        ("nonsense\r\n\r\n".into(), 400, ""),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03".into(), 400, ""),
        (good.replace("Version: 13", "Version: 8"), 426, "Sec-WebSocket-Version: 13"),
        (without("Sec-WebSocket-Key"), 400, ""),
        (without("Host"), 400, ""),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400, ""),
        (target("/v1/elsewhere"), 404, ""),
        (target("/v2/"), 404, ""),
        (target("/echo"), 404, ""),
        (target("/v1/stream?ts=noon"), 400, ""),
        (target("/v1/stream?encoding=xml"), 400, ""),
        (target("/v1/stream?symbols=A&channels=news"), 400, ""),
        (target("/v1/stream?symbols=%ff"), 400, ""),
        (target(&long), 431, ""),
    ]
}

#[test]
fn what_is_no_upgrade_is_answered_in_http() {
    let server = Server::start("");
    for (request, status, header) in cases() {
        let mut client = Raw::connect(server.address);
        client.write(request.as_bytes());
        let answer = String::from_utf8(client.until_end()).expect("ASCII");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        assert!(head.lines().any(|line| header.is_empty() || line == header), "{answer}");
        assert!(head.contains("\r\nConnection: close"), "{answer}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{answer}");
        assert!(body.ends_with('\n') && body.lines().count() == 1, "{answer}");
    }
    server.stop();
}

#[test]
fn an_answer_to_head_has_no_body() {
    let server = Server::start("");
    let mut client = Raw::connect(server.address);
    client.write(b"HEAD /v1/stream HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = String::from_utf8(client.until_end()).expect("ASCII");
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    server.stop();
}

/// Method: the sample of RFC 6455, section 1.3, with the first frame in the same packet.
#[test]
fn an_upgrade_is_granted_by_the_book() {
    let server = Server::start("");
    for target in ["/v1/stream", "/v2/iex", "/v2/anything/else"] {
        let mut client = Raw::connect(server.address);
        let mut bytes = raw::request(target).into_bytes();
        let command = br#"{"action":"ping","id":5}"#;
        let opcode = tapecast::wire::client::Opcode::Text;
        tapecast::wire::client::write_frame(&mut bytes, opcode, command, [1, 1, 2, 2]);
        client.write(&bytes);
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        assert!(!head.to_lowercase().contains("sec-websocket-extensions"), "{head}");
        client.frame().expect("the connected message");
        let (_, pong) = client.frame().expect("the answer to what came with the request");
        let pong = String::from_utf8(pong).expect("UTF-8");
        assert!(pong.starts_with(r#"[{"T":"pong","id":5,"#), "{pong}");
    }
    server.stop();
}
