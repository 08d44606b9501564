//! What two settings must not be together.

use super::Settings;
use crate::wire::AddressHeader;
use std::net::{IpAddr, SocketAddr};

/// A combination that cannot be meant.
pub struct Clash {
    /// The one to be changed first, and the other.
    pub keys: [&'static str; 2],
    pub is_there: fn(&Settings) -> bool,
    pub cure: &'static str,
}

pub const ALL: &[Clash] = &[
    Clash {
        keys: ["admin", "listen"],
        is_there: |s| s.admin.is_some_and(|admin| share_a_place(admin, s.listen)),
        cure: "both cannot have it; give admin another port",
    },
    Clash {
        keys: ["stuck_exit_ms", "stuck_report_ms"],
        is_there: |s| s.boundaries.stuck_exit_ms <= s.boundaries.stuck_report_ms,
        cure: "a stuck shard would end the process before it is reported; give stuck_exit_ms more \
               than stuck_report_ms",
    },
    Clash {
        keys: ["feed_retry_ms_max", "feed_retry_ms"],
        is_there: |s| s.boundaries.feed_retry_ms_max < s.boundaries.feed_retry_ms,
        cure: "the longest wait is not below the first; give feed_retry_ms_max at least \
               feed_retry_ms",
    },
    Clash {
        keys: ["nats_password_file", "nats_user"],
        is_there: |s| s.nats.password_file.is_empty() != s.nats.user.is_empty(),
        cure: "a user and a password belong together; give both or none",
    },
    Clash {
        keys: ["nats_tls_key", "nats_tls_certificate"],
        is_there: |s| s.nats.tls_key.is_empty() != s.nats.tls_certificate.is_empty(),
        cure: "a certificate and its key belong together; give both or none",
    },
    Clash {
        keys: ["notsent_lowat_bytes", "send_buffer_bytes"],
        is_there: |s| s.sockets.notsent_lowat_bytes > s.sockets.send_buffer_bytes,
        cure: "the buffer is full before the mark is reached, which then does nothing; give \
               notsent_lowat_bytes at most send_buffer_bytes",
    },
    Clash {
        keys: ["lag_widen_ms", "lag_refuse_ms"],
        is_there: |s| (1..s.hub.lag.refuse_ms).contains(&s.hub.lag.widen_ms),
        cure: "clients that are served would wait for those that may still come; give \
               lag_widen_ms at least lag_refuse_ms, or 0",
    },
    Clash {
        keys: ["proxy_protocol", "trusted_proxies"],
        is_there: |s| s.admission.proxies.announce && s.admission.proxies.trusted.is_empty(),
        cure: "nobody could connect; name the proxies in trusted_proxies",
    },
    Clash {
        keys: ["forwarded_header", "proxy_protocol"],
        is_there: |s| s.admission.proxies.announce && names_header(s),
        cure: "with proxy_protocol no header is read; leave one of the two away",
    },
    Clash {
        keys: ["forwarded_header", "trusted_proxies"],
        is_there: |s| s.admission.proxies.trusted.is_empty() && names_header(s),
        cure: "nobody is believed what it says there; name the proxies in trusted_proxies",
    },
    Clash {
        keys: ["max_half_open", "shards"],
        is_there: |s| has_no_share(s, "max_half_open"),
        cure: "a shard without a share lets nobody in; give max_half_open at least one for each \
               shard",
    },
    Clash {
        keys: ["max_per_address", "shards"],
        is_there: |s| has_no_share(s, "max_per_address"),
        cure: "a shard without a share lets nobody in; give max_per_address at least one for each \
               shard",
    },
    Clash {
        keys: ["accept_rate", "shards"],
        is_there: |s| has_no_share(s, "accept_rate"),
        cure: "each shard lets at least one a second in; give accept_rate at least one for each \
               shard, or fewer shards",
    },
    Clash {
        keys: ["accept_burst", "shards"],
        is_there: |s| has_no_share(s, "accept_burst"),
        cure: "each shard lets at least one in at once; give accept_burst at least one for each \
               shard, or fewer shards",
    },
];

/// Whether one of them takes what the other wants: `0.0.0.0` has every address of IPv4, and `[::]`
/// those of both, since its sockets are made so. Port 0 is any that is free.
fn share_a_place(one: SocketAddr, other: SocketAddr) -> bool {
    let has = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() == other.port() && one.port() != 0 && (a == b || has(a, b) || has(b, a))
}

/// Another header than the one that is the default, which is always there.
fn names_header(settings: &Settings) -> bool {
    settings.admission.proxies.header != AddressHeader::default()
}

/// Of the shards that are asked for; where their number is found out, the start sees to it.
fn has_no_share(settings: &Settings, key: &str) -> bool {
    settings.shards.is_some_and(|shards| settings.admission.without_share(shards).any(|k| k == key))
}
