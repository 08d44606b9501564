//! Who a client is where a proxy stands before the server: what the proxy says of it, as bytes.
//!
//! Either the connection begins with a header of the PROXY protocol ([`announced`]), or the
//! upgrade has a header with addresses ([`forwarded`]). Only what a trusted proxy says counts:
//! anybody else could name whom it likes. Must not know sessions. The main type is [`Proxies`].

pub mod announced;
pub mod forwarded;

pub use announced::Announced;
pub use forwarded::AddressHeader;

use ipnet::IpNet;
use std::net::IpAddr;

/// Which proxies are trusted, and how they say who a client is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    pub trusted: Vec<IpNet>,
    /// Connections begin with a header of the PROXY protocol; then no header of the upgrade counts.
    pub announce: bool,
    /// Else the header of the upgrade that counts. One alone: a proxy that writes one passes the
    /// other on as the client wrote it.
    pub header: AddressHeader,
}

impl Proxies {
    /// An IPv4 peer of a socket that serves both families has an IPv4-mapped address.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// How many bytes at the start of a connection are a proxy's. They are there whole, or not yet.
    pub fn announced(&self, bytes: &[u8]) -> Announced {
        match self.announce {
            true => announced::parse(bytes),
            false => Announced::Whole { client: None, consumed: 0 },
        }
    }

    /// The client that the head of an upgrade from `peer` names, if it is one to be believed.
    pub fn forwarded(&self, peer: IpAddr, head: &[u8]) -> Option<IpAddr> {
        match !self.announce && self.trusts(peer) {
            true => forwarded::client(head, self),
            false => None,
        }
    }
}
