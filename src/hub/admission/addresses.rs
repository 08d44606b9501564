//! How many connections each address has.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// What counts as one address: the whole of IPv4, the network half of IPv6 (RFC 4291, section
/// 2.5.4: the other half is the host's own choice, so counting it would count nothing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    V4(u32),
    V6(u64),
}

impl Origin {
    /// An IPv4 client of a socket that serves both families has an IPv4-mapped address.
    fn of(address: IpAddr) -> Origin {
        match address.to_canonical() {
            IpAddr::V4(v4) => Origin::V4(v4.to_bits()),
            IpAddr::V6(v6) => Origin::V6((Ipv6Addr::to_bits(v6) >> 64) as u64),
        }
    }
}

/// Connections by origin; an origin without any is not held.
///
/// An ordered map, because peers choose the keys: no choice of theirs makes it slow, and it needs
/// no random key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    counts: BTreeMap<Origin, u32>,
    exempts_loopback: bool,
}

impl Addresses {
    pub fn new(exempts_loopback: bool) -> Addresses {
        Addresses { counts: BTreeMap::new(), exempts_loopback }
    }

    /// Whether loopback is free of the limit from now on. Its connections are held all the same, so
    /// that this may change while they are here.
    pub fn set_exempts_loopback(&mut self, exempts_loopback: bool) {
        self.exempts_loopback = exempts_loopback;
    }

    /// Connections that count against the limit of `address`.
    pub fn count(&self, address: IpAddr) -> u32 {
        if self.is_exempt(address) {
            return 0;
        }
        self.counts.get(&Origin::of(address)).copied().unwrap_or(0)
    }

    pub fn enter(&mut self, address: IpAddr) {
        *self.counts.entry(Origin::of(address)).or_insert(0) += 1;
    }

    /// Exactly once for each `enter`.
    pub fn leave(&mut self, address: IpAddr) {
        let origin = Origin::of(address);
        let count = self.counts.get_mut(&origin).expect("who leaves has entered");
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&origin);
        }
    }

    /// Origins that have a connection.
    pub fn origins(&self) -> usize {
        self.counts.len()
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempts_loopback && address.to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn ipv6_counts_by_its_network_and_mapped_ipv4_as_ipv4() {
        let mut addresses = Addresses::new(true);
        for text in ["2001:db8::1", "2001:db8::ffff:2", "192.0.2.7", "::ffff:192.0.2.7"] {
            addresses.enter(ip(text));
        }
        assert_eq!(addresses.count(ip("2001:db8:0:0:9::9")), 2);
        assert_eq!(addresses.count(ip("2001:db8:0:1::1")), 0);
        assert_eq!(addresses.count(ip("192.0.2.7")), 2);
        assert_eq!(addresses.count(ip("192.0.2.8")), 0);
        for text in ["2001:db8::1", "2001:db8::1", "::ffff:192.0.2.7", "192.0.2.7"] {
            addresses.leave(ip(text));
        }
        assert_eq!(addresses.origins(), 0, "nothing is kept of who is gone");
    }

    #[test]
    fn loopback_counts_only_where_it_is_not_exempt() {
        for (exempts, count) in [(true, 0), (false, 1)] {
            let mut addresses = Addresses::new(exempts);
            for text in ["127.0.0.5", "::1"] {
                addresses.enter(ip(text));
                assert_eq!(addresses.count(ip(text)), count);
                addresses.leave(ip(text));
            }
            addresses.enter(ip("::ffff:127.0.0.5"));
            assert_eq!(addresses.count(ip("127.0.0.5")), count);
        }
    }
}
