//! Sessions of a trusted proxy: whose they are turns out with their first bytes.
//!
//! Until then such a session is held under the proxy's own address, which has no limit.

use super::Hub;
use super::admission::Refused;
use crate::session::{CloseReason, Now};
use crate::wire::Announced;
use std::net::SocketAddr;

impl Hub {
    /// Takes what stands before the request, in all bytes that have come so far. `Bad`: the session
    /// has ended.
    pub(super) fn take_announcement(&mut self, slot: u32, all: &[u8], now: Now) -> Announced {
        // That it comes from a trusted proxy, admission has seen to.
        let announced = self.admission.limits().proxies.announced(all);
        match announced {
            Announced::Bad => self.end(slot, CloseReason::BadProxyHeader, now),
            Announced::Whole { client: Some(client), .. } if !self.is_client(slot, client, now) => {
                return Announced::Bad;
            }
            Announced::Incomplete | Announced::Whole { .. } => {}
        }
        announced
    }

    /// Takes whom the upgrade names as the client; false where the session has ended.
    pub(super) fn take_forwarded(&mut self, slot: u32, head: &[u8], now: Now) -> bool {
        let Some(session) = self.sessions.at(slot) else { return false };
        match self.admission.limits().proxies.forwarded(session.peer.ip(), head) {
            // The port is the proxy's secret.
            Some(address) => self.is_client(slot, SocketAddr::new(address, 0), now),
            None => true,
        }
    }

    /// The session is this client's from now on, and is held against the limit of its address.
    /// False where that is reached: it has got its answer.
    fn is_client(&mut self, slot: u32, client: SocketAddr, now: Now) -> bool {
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let peer = std::mem::replace(&mut session.peer, client);
        // A header that came before the rest of the request is read again with it.
        if peer == client || self.admission.rename(peer.ip(), client.ip()).is_ok() {
            return true;
        }
        let mut answer = Vec::new();
        self.count_refusal(Refused::AddressFull);
        self.answer_unread(Refused::AddressFull, now, &mut answer);
        let session = self.sessions.at_mut(slot).expect("just seen");
        session.personal().append(&mut answer);
        self.end(slot, CloseReason::AddressFull, now);
        false
    }
}

#[cfg(test)]
mod tests;
