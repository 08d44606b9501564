//! What one shard admits.

use crate::wire::Proxies;

/// One shard's part of the server's limits. The defaults limit nothing but the lane, for hubs
/// that are driven without sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmissionLimits {
    pub sessions_max: usize,
    /// Sessions whose upgrade has not come yet.
    pub half_open_max: usize,
    /// Descriptors for sessions and refusals together.
    pub descriptors_max: usize,
    /// New sessions a second, after a burst.
    pub accept_rate: u32,
    pub accept_burst: u32,
    /// Sessions from one IPv4 address, or one /64 network of IPv6.
    pub per_address_max: u32,
    pub exempts_loopback: bool,
    /// Their own addresses have no limit: whom they bring has it.
    pub proxies: Proxies,
    /// Refusals in progress. Beyond it nothing is accepted.
    pub refusals_max: usize,
    /// Of these, those that wait for an upgrade, to be told by a Close frame. Beyond it a client
    /// gets an HTTP answer at once.
    pub refusals_reading_max: usize,
    /// How long a refusal may take.
    pub refusal_ms: u64,
}

impl Default for AdmissionLimits {
    fn default() -> AdmissionLimits {
        AdmissionLimits {
            sessions_max: usize::MAX,
            half_open_max: usize::MAX,
            descriptors_max: usize::MAX,
            accept_rate: 1_000_000,
            accept_burst: 1_000_000,
            per_address_max: u32::MAX,
            exempts_loopback: true,
            proxies: Proxies::default(),
            refusals_max: crate::limits::REFUSALS_MAX,
            refusals_reading_max: crate::limits::REFUSALS_MAX / 2,
            refusal_ms: 2_000,
        }
    }
}
