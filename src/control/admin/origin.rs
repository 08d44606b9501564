//! Who may ask: the guard against pages of other sites in an operator's browser.
//!
//! The port has no password, so what protects it is that it listens on this machine alone. A
//! browser on this machine runs strangers' pages. Such a page can send a request to it (CSRF), and
//! with a name of its own that resolves to 127.0.0.1 it can even read the answers (DNS rebinding).
//! So what a browser sends to change something must come from a page of this port, and a port that
//! listens on the loopback address alone answers to no foreign name. Programs send neither `Origin`
//! nor `Sec-Fetch-Site`, and metrics and health, which tell nothing of clients, are for any name.

use super::answers::Failed;
use axum::http::{HeaderMap, Method, StatusCode, header};
use std::net::IpAddr;

/// For scrapers and balancers, under whatever name they have for this host.
const OPEN: [&str; 3] = ["/metrics", "/livez", "/readyz"];

/// Checks a request's head.
pub fn check(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    on_loopback: bool,
) -> Result<(), Failed> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST.as_str()).unwrap_or("");
    let is_foreign = !is_own_name(host_name(host));
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    if !changes && on_loopback && is_foreign && !OPEN.contains(&path) {
        let error = format!(
            "the name {host:?} is not this machine's own; ask for localhost or an address, or let \
             the proxy in front send 'Host: localhost'"
        );
        return Err(Failed::new(StatusCode::FORBIDDEN, error));
    }
    if !changes {
        return Ok(());
    }
    let origin = text(header::ORIGIN.as_str());
    let site = text("sec-fetch-site");
    let from_browser = origin.is_some() || site.is_some();
    let same_site = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let same_origin = origin.is_none_or(|origin| is_of_host(origin, host));
    if from_browser && (is_foreign || !same_site || !same_origin) {
        let error = format!(
            "{method} from a page of {} is refused; use a page of this port under localhost or an \
             address, or a program like curl",
            origin.unwrap_or("another site")
        );
        return Err(Failed::new(StatusCode::FORBIDDEN, error));
    }
    Ok(())
}

/// The host of `host[:port]`, without the brackets of an IPv6 address.
pub fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or("");
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// A name that no one else can make resolve to this machine: an address, or localhost.
fn is_own_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || lower == "localhost" || lower.ends_with(".localhost")
}

fn is_of_host(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn allows(method: Method, path: &str, loopback: bool, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_str(value).expect("a header's value");
            headers.insert(HeaderName::from_static(name), value);
        }
        check(&method, path, &headers, loopback).is_ok()
    }

    #[test]
    fn a_loopback_port_answers_to_no_foreign_name() {
        for host in ["localhost:9002", "127.0.0.1:9002", "[::1]:9002", "tape.localhost"] {
            assert!(allows(Method::GET, "/api/sessions", true, &[("host", host)]), "{host}");
        }
        for host in ["evil.example:9002", "localhost.evil.example", "", "127.0.0.1.evil.example"] {
            assert!(!allows(Method::GET, "/api/sessions", true, &[("host", host)]), "{host}");
            assert!(allows(Method::GET, "/api/sessions", false, &[("host", host)]), "{host}");
            assert!(allows(Method::GET, "/metrics", true, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn what_changes_something_comes_from_a_program_or_from_a_page_of_this_port() {
        let allows = |pairs: &[_]| allows(Method::POST, "/api/drain", true, pairs);
        let own = ("host", "127.0.0.1:9002");
        assert!(allows(&[own]), "curl");
        assert!(allows(&[own, ("origin", "http://127.0.0.1:9002")]));
        assert!(allows(&[own, ("sec-fetch-site", "same-origin")]));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9001", "http://localhost"] {
            assert!(!allows(&[own, ("origin", origin)]), "{origin}");
        }
        assert!(!allows(&[own, ("sec-fetch-site", "cross-site")]));
        assert!(!allows(&[own, ("sec-fetch-site", "same-site")]));
        let rebound = [("host", "evil.example"), ("origin", "http://evil.example")];
        assert!(!allows(&rebound), "its page and its name are the same");
    }
}
