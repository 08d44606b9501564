//! Addresses that proxies write into the upgrade: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Each proxy appends whom it got the request from, so the list is read from its end: what stands
//! before the first address that no trusted proxy has, the client may have made up.

use super::Proxies;
use crate::limits::{UPGRADE_BYTES_MAX, UPGRADE_HEADERS_MAX};
use httparse::{EMPTY_HEADER, Request};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The header that a trusted proxy writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressHeader {
    #[default]
    XForwardedFor,
    Forwarded,
}

impl AddressHeader {
    /// As the configuration has it: the header's name in small letters.
    pub fn word(self) -> &'static str {
        match self {
            AddressHeader::XForwardedFor => "x-forwarded-for",
            AddressHeader::Forwarded => "forwarded",
        }
    }
}

/// The last address that is not a trusted proxy's, or the first where all are. None where the
/// header is missing, or where the trusted part of it ends in what is no address (`unknown`, `_x`).
pub fn client(head: &[u8], proxies: &Proxies) -> Option<IpAddr> {
    let mut headers = [EMPTY_HEADER; UPGRADE_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    request.parse(&head[..head.len().min(UPGRADE_BYTES_MAX)]).ok()?;
    let name = proxies.header.word();
    let of_name = request.headers.iter().rev().filter(|h| h.name.eq_ignore_ascii_case(name));
    let mut client = None;
    for header in of_name {
        // Each element by itself: what a client put before it may be no text at all.
        for element in header.value.rsplit(|byte| *byte == b',') {
            let element = std::str::from_utf8(element).ok()?;
            let address = match proxies.header {
                AddressHeader::XForwardedFor => node(element.trim()),
                AddressHeader::Forwarded => forwarded_for(element),
            }?;
            client = Some(address);
            if !proxies.trusts(address) {
                return client;
            }
        }
    }
    client
}

/// The `for` of one element of `Forwarded`: pairs between semicolons, values perhaps in quotes.
///
/// A quoted text with a comma or a semicolon in it is cut here, and then is no address.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut of_name = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (_, value) = of_name.next()?;
    let value = value.trim();
    node(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
}

/// `192.0.2.7`, `2001:db8::9`, `[2001:db8::9]`, and both with a port, which some proxies add.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| bracketed().map(IpAddr::V6));
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|with| with.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(header: AddressHeader, lines: &[&str]) -> Option<String> {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"));
        let proxies = Proxies { trusted: trusted.to_vec(), announce: false, header };
        let head = format!("GET /v1/stream HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        let peer = "10.0.0.1".parse().expect("an address");
        proxies.forwarded(peer, head.as_bytes()).map(|address| address.to_string())
    }

    /// A list that a client began with bytes of its own choice still ends in its address.
    #[test]
    fn bytes_that_are_no_text_hide_nobody() {
        let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
        let found = |header: AddressHeader, value: &[u8]| {
            let proxies = Proxies { trusted: trusted.clone(), announce: false, header };
            let name = header.word().as_bytes();
            let head = [b"GET / HTTP/1.1\r\n", name, b": ", value, b"\r\n\r\n"].concat();
            proxies.forwarded("10.0.0.1".parse().expect("an address"), &head)
        };
        let client = Some("192.0.2.7".parse().expect("an address"));
        assert_eq!(found(AddressHeader::XForwardedFor, b"\xff, 192.0.2.7"), client);
        assert_eq!(found(AddressHeader::XForwardedFor, b"\xff, 192.0.2.7, 10.1.1.1"), client);
        assert_eq!(found(AddressHeader::Forwarded, b"for=\xe4, for=192.0.2.7"), client);
        assert_eq!(found(AddressHeader::XForwardedFor, b"192.0.2.7, \xff"), None);
    }

    #[test]
    fn the_rightmost_address_that_is_no_trusted_proxy_counts() {
        let cases: [(&[&str], Option<&str>); 13] = [
            (&["X-Forwarded-For: 192.0.2.7"], Some("192.0.2.7")),
            (&["x-forwarded-for:198.51.100.1,192.0.2.7"], Some("192.0.2.7")),
            (&["X-Forwarded-For: 192.0.2.7, 10.1.1.1, fd00::5"], Some("192.0.2.7")),
            (&["X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 10.1.1.1"], Some("192.0.2.7")),
            (&["X-Forwarded-For: 10.2.2.2, 10.1.1.1"], Some("10.2.2.2")),
            (&["X-Forwarded-For: rubbish, 192.0.2.7"], Some("192.0.2.7")),
            (&["X-Forwarded-For: 192.0.2.7:5555"], Some("192.0.2.7")),
            (&["X-Forwarded-For: [2001:db8::9]:5555, 10.0.0.9"], Some("2001:db8::9")),
            (&["X-Forwarded-For: ::ffff:192.0.2.7"], Some("192.0.2.7")),
            (&["X-Forwarded-For: 192.0.2.7, unknown"], None),
            (&["X-Forwarded-For: 192.0.2.7,"], None),
            (&["Forwarded: for=192.0.2.7"], None),
            (&["Host: a"], None),
        ];
        for (lines, client) in cases {
            let found = found(AddressHeader::XForwardedFor, lines);
            assert_eq!(found.as_deref(), client, "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_says() {
        let cases: [(&str, Option<&str>); 7] = [
            ("for=192.0.2.7;proto=https;by=10.0.0.1", Some("192.0.2.7")),
            ("For=\"[2001:db8::9]:4711\"", Some("2001:db8::9")),
            ("for=198.51.100.1, proto=http;for=192.0.2.7 , for=10.0.0.9", Some("192.0.2.7")),
            ("for=\"_gazonk\"", None),
            ("for=192.0.2.7, for=unknown", None),
            ("proto=https", None),
            ("for=\"192.0.2.7", None),
        ];
        for (value, client) in cases {
            let found = found(AddressHeader::Forwarded, &[&format!("Forwarded: {value}")]);
            assert_eq!(found.as_deref(), client, "{value}");
        }
    }

    #[test]
    fn who_is_not_trusted_names_nobody_and_neither_does_a_header_beside_the_protocol() {
        let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
        let mut proxies = Proxies { trusted, ..Proxies::default() };
        let head = b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(proxies.forwarded(ip("::ffff:10.0.0.1"), head), Some(ip("192.0.2.7")));
        assert_eq!(proxies.forwarded(ip("11.0.0.1"), head), None);
        assert_eq!(proxies.forwarded(ip("10.0.0.1"), b"\xff\x00"), None);
        proxies.announce = true;
        assert_eq!(proxies.forwarded(ip("10.0.0.1"), head), None);
    }
}
