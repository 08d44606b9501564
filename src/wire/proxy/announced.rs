//! The header of the PROXY protocol, versions 1 and 2, with which a proxy begins a connection
//! (haproxy's proxy-protocol.txt).

use crate::limits::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};
use ppp::{PartialResult, v1, v2};
use std::net::{IpAddr, SocketAddr};

/// What the bytes that a connection began with are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// The start of a header. Call again with the same bytes and more.
    Incomplete,
    /// No header, or none that keeps the protocol's rules or the limits.
    Bad,
    /// A header of so many bytes. No client: the proxy speaks for itself, as in its health checks,
    /// or it does not know the client's address.
    Whole { client: Option<SocketAddr>, consumed: usize },
}

const LINE_START: &[u8] = b"PROXY ";

/// What stands before the length that version 2 gives, and the length.
const FIXED_BYTES: usize = 16;

/// Reads the header from all bytes received so far.
pub fn parse(bytes: &[u8]) -> Announced {
    if starts_alike(bytes, v2::PROTOCOL_PREFIX) {
        parse_binary(bytes)
    } else if starts_alike(bytes, LINE_START) {
        parse_line(bytes)
    } else {
        Announced::Bad
    }
}

/// As far as there are bytes.
fn starts_alike(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(a, b)| a == b)
}

fn parse_binary(bytes: &[u8]) -> Announced {
    if bytes.len() < FIXED_BYTES {
        return Announced::Incomplete;
    }
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    let whole = FIXED_BYTES + length;
    if whole > PROXY_HEADER_BYTES_MAX {
        return Announced::Bad; // not awaited
    }
    let parsed = v2::Header::try_from(&bytes[..bytes.len().min(whole)]);
    match parsed {
        Ok(header) => {
            let client = match (header.command, header.addresses) {
                (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
                    Some((IpAddr::V4(ip.source_address), ip.source_port))
                }
                (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
                    Some((IpAddr::V6(ip.source_address), ip.source_port))
                }
                _ => None,
            };
            Announced::Whole { client: client.map(address), consumed: whole }
        }
        Err(error) if error.is_incomplete() => Announced::Incomplete,
        Err(_) => Announced::Bad,
    }
}

fn parse_line(bytes: &[u8]) -> Announced {
    let head = &bytes[..bytes.len().min(PROXY_LINE_BYTES_MAX)];
    let Some(end) = head.windows(2).position(|two| two == b"\r\n") else {
        return match head.len() < PROXY_LINE_BYTES_MAX {
            true => Announced::Incomplete,
            false => Announced::Bad,
        };
    };
    let consumed = end + 2;
    let Ok(header) = v1::Header::try_from(&head[..consumed]) else { return Announced::Bad };
    let client = match header.addresses {
        v1::Addresses::Tcp4(ip) => Some((IpAddr::V4(ip.source_address), ip.source_port)),
        v1::Addresses::Tcp6(ip) => Some((IpAddr::V6(ip.source_address), ip.source_port)),
        v1::Addresses::Unknown => None,
    };
    Announced::Whole { client: client.map(address), consumed }
}

fn address((ip, port): (IpAddr, u16)) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n";

    /// Version 2: command, family and protocol, and what follows the length.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, rest].concat()
    }

    fn v4(rest: &[u8]) -> Vec<u8> {
        binary(0x21, 0x11, &[&[192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x23, 0x29], rest].concat())
    }

    fn whole(client: Option<&str>, consumed: usize) -> Announced {
        let client = client.map(|text| text.parse().expect("an address"));
        Announced::Whole { client, consumed }
    }

    /// Method: each header with a request behind it, and each of its beginnings.
    #[test]
    fn headers_name_the_client_and_end_where_the_request_begins() {
        let v6 = [[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 9]].concat();
        let v6 = [&v6[..], &[0; 16], &[0, 80, 1, 187]].concat();
        let mapped = [&[0; 10][..], &[255, 255, 192, 0, 2, 7], &[0; 16], &[0, 80, 1, 187]].concat();
        let line = |text: &str| format!("PROXY {text}\r\n").into_bytes();
        let cases = [
            (v4(&[]), Some("192.0.2.7:12345")),
            (v4(&[4, 0, 2, 1, 2]), Some("192.0.2.7:12345")),
            (binary(0x21, 0x21, &v6), Some("[2001:db8::9]:80")),
            (binary(0x21, 0x21, &mapped), Some("192.0.2.7:80")),
            (binary(0x21, 0x31, &[0; 216]), None),
            (binary(0x21, 0x00, &[]), None),
            (binary(0x20, 0x00, &[]), None),
            (binary(0x20, 0x11, &[1; 12]), None),
            (line("TCP4 192.0.2.7 10.0.0.1 12345 9001"), Some("192.0.2.7:12345")),
            (line("TCP6 2001:db8::9 ::1 80 443"), Some("[2001:db8::9]:80")),
            (line("UNKNOWN"), None),
            (line("UNKNOWN ffff::1 ffff::2 1 2"), None),
        ];
        for (header, client) in cases {
            let bytes = [&header[..], REQUEST].concat();
            assert_eq!(parse(&bytes), whole(client, header.len()), "{header:?}");
            for end in 0..header.len() {
                assert_eq!(parse(&header[..end]), Announced::Incomplete, "{end} of {header:?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_or_too_long_is_bad_as_soon_as_that_is_seen() {
        let long_line = [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 93]].concat();
        let mut endless = v2::PROTOCOL_PREFIX.to_vec();
        endless.extend([0x21, 0x11, 0xff, 0xff]);
        let bad: [&[u8]; 12] = [
            REQUEST,
            b"PROXX",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n",
            b"PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 ::1 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n",
            b"PROXY TCP4 \xff\xfe 10.0.0.1 1 2\r\n",
            &long_line,
            &endless,
            &binary(0x11, 0x11, &[0; 12]),
            &binary(0x22, 0x11, &[0; 12]),
            &binary(0x21, 0x11, &[0; 11]),
        ];
        for bytes in bad {
            assert_eq!(parse(bytes), Announced::Bad, "{bytes:?}");
        }
        assert_eq!(parse(&v4(&[0; 508])), whole(Some("192.0.2.7:12345"), 536));
        assert_eq!(parse(&v4(&[0; 509])), Announced::Bad);
    }

    /// Method: headers with bytes that are changed at random, cut anywhere. What is read never
    /// ends behind its bytes, and what was whole or bad stays so with more bytes.
    #[test]
    fn hostile_bytes_are_never_awaited_beyond_the_limit() {
        let mut random = fastrand::Rng::with_seed(7);
        let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 9001\r\n".to_vec();
        for _ in 0..20_000 {
            let mut bytes = [v4(&[9; 40]), line.clone()][random.usize(..2)].clone();
            bytes.resize(bytes.len() + random.usize(..600), b'x');
            for _ in 0..random.usize(..6) {
                let at = random.usize(..60.min(bytes.len()));
                bytes[at] = random.u8(..);
            }
            let early = parse(&bytes[..random.usize(..bytes.len())]);
            let late = parse(&bytes);
            assert!(early == Announced::Incomplete || early == late, "{bytes:?}");
            if let Announced::Whole { consumed, .. } = late {
                assert!(consumed <= bytes.len() && consumed <= PROXY_HEADER_BYTES_MAX);
            }
            bytes.resize(PROXY_HEADER_BYTES_MAX, b'x');
            assert_ne!(parse(&bytes), Announced::Incomplete);
        }
    }
}
