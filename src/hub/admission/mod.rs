//! Who is let in: the limits of one shard, and what a client that is not let in is told.
//!
//! Pure, like all of the hub: it judges before a session exists and keeps nothing of who was
//! refused but a counter. Must not know sockets; which refusals are in progress is the shard's
//! matter. The main type is [`Admission`].

pub mod addresses;
pub mod alert;
pub mod hints;
pub mod limits;
pub mod refused;

pub use alert::{Alerts, Limited};
pub use hints::{Hint, Hints, Pace};
pub use limits::AdmissionLimits;
pub use refused::{Refused, Told};

use crate::session::Bucket;
use addresses::Addresses;
use std::net::IpAddr;

/// What is held against the limits.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    half_open: usize,
    addresses: Addresses,
    bucket: Bucket,
    hints: Hints,
    refuses_for_memory: bool,
    refuses_for_lag: bool,
}

impl Admission {
    /// `retry_ms` and `jitter_ms` are the shortest hint.
    pub fn new(limits: AdmissionLimits, retry_ms: u64, jitter_ms: u64, now_ms: u64) -> Admission {
        Admission {
            half_open: 0,
            addresses: Addresses::new(limits.exempts_loopback),
            bucket: Bucket::full(limits.accept_burst, now_ms),
            hints: Hints::new(limits.accept_rate, retry_ms, jitter_ms),
            refuses_for_memory: false,
            refuses_for_lag: false,
            limits,
        }
    }

    pub fn limits(&self) -> &AdmissionLimits {
        &self.limits
    }

    /// Holds from now on; whoever is in stays, also above a lower limit.
    pub fn set_limits(&mut self, limits: AdmissionLimits) {
        self.addresses.set_exempts_loopback(limits.exempts_loopback);
        self.hints.set_rate(limits.accept_rate);
        self.limits = limits;
    }

    /// Why nobody is let in, whoever it may be.
    pub fn closed_to_all(&self, sessions: usize) -> Option<Refused> {
        if sessions >= self.limits.sessions_max {
            Some(Refused::SessionsFull)
        } else if self.refuses_for_memory {
            Some(Refused::MemoryPressure)
        } else if self.refuses_for_lag {
            Some(Refused::LagPressure)
        } else if self.half_open >= self.limits.half_open_max {
            Some(Refused::HalfOpenFull)
        } else {
            None
        }
    }

    /// Judges a connection from `address`. Only who is let in takes from the rate. A trusted proxy
    /// has no limit of its address; whom it brings is judged by [`Admission::rename`].
    pub fn judge(&mut self, sessions: usize, address: IpAddr, now_ms: u64) -> Result<(), Refused> {
        if let Some(refused) = self.closed_to_all(sessions) {
            return Err(refused);
        }
        if self.limits.proxies.announce && !self.limits.proxies.trusts(address) {
            return Err(Refused::NotThroughProxy);
        }
        if self.is_address_full(address) {
            return Err(Refused::AddressFull);
        }
        match self.bucket.take(self.limits.accept_rate, self.limits.accept_burst, now_ms) {
            true => Ok(()),
            false => Err(Refused::OverRate),
        }
    }

    fn is_address_full(&self, address: IpAddr) -> bool {
        self.addresses.count(address) >= self.limits.per_address_max
            && !self.limits.proxies.trusts(address)
    }

    /// A connection of the proxy `from` turns out to be the client `to`. Where that address has as
    /// many as it may, the connection is held against no address any more, and must not `leave`.
    pub fn rename(&mut self, from: IpAddr, to: IpAddr) -> Result<(), Refused> {
        self.addresses.leave(from);
        if self.is_address_full(to) {
            return Err(Refused::AddressFull);
        }
        self.addresses.enter(to);
        Ok(())
    }

    /// Sessions that could begin one after the other, whatever the rate.
    pub fn room(&self, sessions: usize) -> usize {
        match self.closed_to_all(sessions) {
            Some(_) => 0,
            None => (self.limits.sessions_max - sessions)
                .min(self.limits.half_open_max - self.half_open),
        }
    }

    /// Whether half of the burst is used up.
    pub fn is_near_rate(&self, now_ms: u64) -> bool {
        let AdmissionLimits { accept_rate, accept_burst, .. } = self.limits;
        self.bucket.available(accept_rate, accept_burst, now_ms) < accept_burst / 2
    }

    /// A session begins, its upgrade to come.
    pub fn enter(&mut self, address: IpAddr) {
        self.half_open += 1;
        self.addresses.enter(address);
    }

    /// A session's upgrade has come, or will not.
    pub fn upgrade_over(&mut self) {
        self.half_open -= 1;
    }

    /// A session's socket is closed.
    pub fn leave(&mut self, address: IpAddr) {
        self.addresses.leave(address);
    }

    pub fn half_open(&self) -> usize {
        self.half_open
    }

    /// Nothing is held for anyone: what must be true once the last session is gone.
    pub fn is_at_rest(&self) -> bool {
        self.half_open == 0 && self.addresses.origins() == 0
    }

    /// Panics where what is held is not one for each of these addresses.
    pub fn check_addresses(&self, of_sessions: impl Iterator<Item = IpAddr>) {
        let mut expected = Addresses::new(self.limits.exempts_loopback);
        of_sessions.for_each(|address| expected.enter(address));
        assert_eq!(self.addresses, expected, "sessions by address");
    }

    pub fn set_memory_pressure(&mut self, refuses: bool) {
        self.refuses_for_memory = refuses;
    }

    pub fn set_lag_pressure(&mut self, refuses: bool) {
        self.refuses_for_lag = refuses;
    }

    /// Gives out the next return slot.
    pub fn hint(&mut self, pace: Pace, now_ms: u64) -> Hint {
        self.hints.next(pace, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(change: impl FnOnce(&mut AdmissionLimits)) -> Admission {
        let mut limits = AdmissionLimits { exempts_loopback: false, ..AdmissionLimits::default() };
        change(&mut limits);
        Admission::new(limits, 1_000, 5_000, 0)
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn each_limit_has_its_reason() {
        let mut full = admission(|l| l.sessions_max = 10);
        assert_eq!(full.judge(9, ip(1), 0), Ok(()));
        assert_eq!(full.judge(10, ip(1), 0), Err(Refused::SessionsFull));

        let mut half_open = admission(|l| l.half_open_max = 2);
        half_open.enter(ip(1));
        half_open.enter(ip(2));
        assert_eq!(half_open.judge(2, ip(3), 0), Err(Refused::HalfOpenFull));
        half_open.upgrade_over();
        assert_eq!(half_open.judge(2, ip(3), 0), Ok(()));

        let mut crowded = admission(|l| l.per_address_max = 2);
        crowded.enter(ip(1));
        crowded.enter(ip(1));
        assert_eq!(crowded.judge(2, ip(1), 0), Err(Refused::AddressFull));
        assert_eq!(crowded.judge(2, ip(2), 0), Ok(()));
        crowded.leave(ip(1));
        assert_eq!(crowded.judge(1, ip(1), 0), Ok(()));

        let mut pressed = admission(|_| ());
        pressed.set_lag_pressure(true);
        assert_eq!(pressed.judge(0, ip(1), 0), Err(Refused::LagPressure));
        pressed.set_memory_pressure(true);
        assert_eq!(pressed.judge(0, ip(1), 0), Err(Refused::MemoryPressure));
    }

    #[test]
    fn a_proxy_has_no_limit_and_its_clients_have() {
        let mut admission = admission(|l| {
            l.per_address_max = 1;
            l.proxies.trusted = vec!["192.0.2.128/25".parse().expect("a network")];
        });
        let proxy = ip(200);
        for client in [ip(1), ip(2), ip(1), proxy] {
            assert_eq!(admission.judge(0, proxy, 0), Ok(()));
            admission.enter(proxy);
            let full = client == ip(1) && admission.judge(0, client, 0).is_err();
            assert_eq!(admission.rename(proxy, client).is_err(), full, "{client}");
        }
        assert_eq!(admission.judge(0, ip(3), 0), Ok(()), "others may still come without it");
        [ip(1), ip(2), proxy].into_iter().for_each(|address| admission.leave(address));
        assert_eq!(admission.addresses.origins(), 0);
        admission.limits.proxies.announce = true;
        assert_eq!(admission.judge(0, ip(3), 0), Err(Refused::NotThroughProxy));
        assert_eq!(admission.judge(0, proxy, 0), Ok(()));
    }

    #[test]
    fn only_who_is_let_in_takes_from_the_rate() {
        let mut admission = admission(|l| {
            (l.accept_rate, l.accept_burst, l.per_address_max) = (10, 3, 1);
        });
        admission.enter(ip(1));
        for _ in 0..100 {
            assert_eq!(admission.judge(1, ip(1), 0), Err(Refused::AddressFull));
        }
        let mut let_in = |now| (0..100).filter(|_| admission.judge(1, ip(2), now).is_ok()).count();
        assert_eq!([let_in(0), let_in(0), let_in(100), let_in(99_000)], [3, 0, 1, 3]);
    }

    #[test]
    fn room_is_what_the_nearest_limit_leaves() {
        let admission = admission(|l| {
            (l.sessions_max, l.half_open_max) = (50, 40);
        });
        assert_eq!([5, 45, 50, 60].map(|sessions| admission.room(sessions)), [40, 5, 0, 0]);
    }
}
