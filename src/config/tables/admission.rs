//! Who is let in.

use super::server::number;
use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::{Form, Unit};
use crate::limits::{ACCEPT_RATE_MAX, TRUSTED_PROXIES_MAX};

/// What a client's limits may be left to.
const fn count_or_auto(least: u64) -> Form {
    Form::Number { unit: Unit::Plain, least, most: 1 << 30, none: Some("auto") }
}

pub const TABLE: Table = Table {
    name: "admission",
    about: "Admission",
    settings: &[
        Setting {
            key: "max_sessions",
            value_name: "N",
            means: "Sessions of the whole server; auto is what descriptors and memory have room \
                    for",
            why: "The hard limit of open files, less a named reserve, is printed at start as a \
                  sum. Who is above the limit is told when to come back.",
            changes: Changes::Live,
            form: count_or_auto(0),
            at: at!(admission.max_sessions),
        },
        Setting {
            key: "max_half_open",
            value_name: "N",
            means: "Connections whose upgrade has not come yet; auto is as many as sessions",
            why: "A herd of honest clients is half-open all at once: one that runs an event loop \
                  opens every connection before it sends the first request. What ends a slowloris \
                  is its deadline (handshake_ms), and what bounds it the limit of an address.",
            changes: Changes::Live,
            form: count_or_auto(1),
            at: at!(admission.max_half_open),
        },
        Setting {
            key: "accept_rate",
            value_name: "N",
            means: "New sessions a second, after a burst",
            why: "A connect with its upgrade and snapshot costs some 50 us, so this is a quarter \
                  of a core, and leaves the rest to the flush.",
            changes: Changes::Live,
            form: number(1, ACCEPT_RATE_MAX as u64),
            at: at!(admission.accept_rate),
        },
        Setting {
            key: "accept_burst",
            value_name: "N",
            means: "New sessions at once",
            why: "After a restart everybody comes at once, and should be served within seconds: \
                  20,000 are as many as fit the usual limit of descriptors. What is above it comes \
                  back at the rate.",
            changes: Changes::Live,
            form: number(1, ACCEPT_RATE_MAX as u64),
            at: at!(admission.accept_burst),
        },
        Setting {
            key: "max_per_address",
            value_name: "N",
            means: "Sessions from one IPv4 address, or one /64 network of IPv6",
            why: "An office or a mobile network behind one address has hundreds of subscribers; \
                  one machine with more than a thousand connections should share some.",
            changes: Changes::Live,
            form: number(1, u32::MAX as u64),
            at: at!(admission.max_per_address),
        },
        Setting {
            key: "exempt_loopback",
            value_name: "BOOL",
            means: "Whether connections from this machine are free of max_per_address",
            why: "Load generators, tests and proxies on the same machine come from there.",
            changes: Changes::Live,
            form: Form::Switch,
            at: at!(admission.exempt_loopback),
        },
        Setting {
            key: "trusted_proxies",
            value_name: "NETWORKS",
            means: "Addresses and networks of proxies that are believed who a client is, such as \
                    10.0.0.0/8; the flag may be given more than once",
            why: "With none, a header that names a client is not read: anybody can write one. A \
                  proxy here has no limit of its address; its clients have.",
            changes: Changes::Restart,
            form: Form::Networks { most: TRUSTED_PROXIES_MAX },
            at: at!(admission.proxies.trusted),
        },
        Setting {
            key: "proxy_protocol",
            value_name: "BOOL",
            means: "Whether connections begin with a header of the PROXY protocol, version 1 or 2",
            why: "It must come from a trusted proxy: a connection from elsewhere gets 403, one \
                  without the header is cut.",
            changes: Changes::Restart,
            form: Form::Switch,
            at: at!(admission.proxies.announce),
        },
        Setting {
            key: "forwarded_header",
            value_name: "NAME",
            means: "Without proxy_protocol, the header in which a trusted proxy names the client",
            why: "One alone, since a proxy passes the other on as the client wrote it. nginx and \
                  HAProxy write x-forwarded-for; forwarded is RFC 7239. The last address that is \
                  not a trusted proxy's counts.",
            changes: Changes::Restart,
            form: Form::Word(&["x-forwarded-for", "forwarded"]),
            at: at!(admission.proxies.header),
        },
        Setting {
            key: "refusal_ms",
            value_name: "MS",
            means: "Time for telling a client that it is refused",
            why: "A client that waits to be told has sent its request by then; a slow path takes \
                  two round trips for it.",
            changes: Changes::Live,
            form: number(100, 600_000),
            at: at!(admission.refusal_ms),
        },
        Setting {
            key: "intake_bytes_per_second",
            value_name: "BYTES",
            means: "Bytes a second that one client may send, after a burst; what comes faster \
                    waits in its socket",
            why: "Fifty commands of a page a second are 10 KB. This is a core's thousandth where \
                  the bytes are tiny frames (20,000 of them), and its hundredth where they are \
                  symbols.",
            changes: Changes::Live,
            form: Form::Number { unit: Unit::Bytes, least: 1024, most: 1 << 30, none: None },
            at: at!(hub.intake_bytes_per_second),
        },
    ],
};
