//! What the shard asks of admission, and the bytes that a refused client gets.
//!
//! A refusal needs no session: it is judged before one exists, and answered from here.

use super::Hub;
use super::admission::{Admission, Hint, Refused, Told};
use crate::session::{CloseReason, Now};
use crate::wire::{Announced, Parsed, Refusal, event, frame, upgrade};
use std::net::IpAddr;

impl Hub {
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Why nobody is let in now; asked first, since it needs no address.
    pub fn closed_to_all(&self) -> Option<Refused> {
        self.admission.closed_to_all(self.sessions())
    }

    /// Whether a connection from `address` may become a session; then [`Hub::open`] follows.
    pub fn judge(&mut self, address: IpAddr, now: Now) -> Result<(), Refused> {
        self.admission.judge(self.sessions.len(), address, now.ms)
    }

    /// Sessions that could begin one after the other, whatever the rate.
    pub fn room(&self) -> usize {
        self.admission.room(self.sessions())
    }

    /// New connections are refused while memory is short.
    pub fn set_memory_pressure(&mut self, refuses: bool) {
        self.admission.set_memory_pressure(refuses);
    }

    /// New connections are refused while the shard is late.
    pub fn set_lag_pressure(&mut self, refuses: bool) {
        self.admission.set_lag_pressure(refuses);
    }

    /// The next return slot for a client that is sent away for `reason`. Every one that is given
    /// out makes the next one later, so it is asked for once a client.
    pub fn retry_hint(&mut self, reason: CloseReason, now: Now) -> Hint {
        let refused = match reason {
            CloseReason::Restart => Refused::Restart,
            _ => Refused::SessionsFull,
        };
        self.admission.hint(refused.pace(), now.ms)
    }

    /// Counts a refusal, before it is answered.
    pub fn count_refusal(&mut self, refused: Refused) {
        self.counters.refused[refused as usize] += 1;
    }

    /// Counts how a refusal ended that got no answer from here.
    pub fn count_silent_refusal(&mut self) {
        self.counters.told[Told::Silent as usize] += 1;
    }

    /// The answer to what a refused client has sent so far, appended to `out`: the upgrade and
    /// the Close frame in one piece. False where its request is not whole yet.
    pub fn answer_refused(
        &mut self,
        refused: Refused,
        request: &[u8],
        now: Now,
        out: &mut Vec<u8>,
    ) -> bool {
        let request = match self.admission.limits().proxies.announced(request) {
            Announced::Incomplete => return false,
            Announced::Bad => request, // which is no request either, and gets that answer
            Announced::Whole { consumed, .. } => &request[consumed..],
        };
        let told = match upgrade::parse(request, self.settings.echo, &mut self.queries) {
            Ok(Parsed::Incomplete) => return false,
            Ok(Parsed::Request { upgrade, .. }) => {
                let hint = self.admission.hint(refused.pace(), now.ms);
                upgrade.response(out);
                frame::write_close(1013, &event::retry_reason(hint.retry_ms, hint.jitter_ms), out);
                Told::Closed
            }
            Err(refusal) => {
                refusal.response(out);
                Told::NotAnUpgrade
            }
        };
        self.counters.told[told as usize] += 1;
        true
    }

    /// The HTTP answer to a refused client of which nothing was read, appended to `out`.
    pub fn answer_unread(&mut self, refused: Refused, now: Now, out: &mut Vec<u8>) {
        let mut seconds = || self.admission.hint(refused.pace(), now.ms).whole_s();
        let (told, refusal) = match refused {
            Refused::AddressFull => (Told::TooMany, Refusal::too_many_from_address(seconds())),
            Refused::NotThroughProxy => (Told::Forbidden, Refusal::not_through_proxy()),
            _ => (Told::Unavailable, Refusal::overloaded(seconds())),
        };
        refusal.response(out);
        self.counters.told[told as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{AdmissionLimits, HubSettings};
    use std::net::SocketAddr;

    const REQUEST: &[u8] = b"GET /v1/stream HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const NOW: Now = Now { ms: 1_000, unix_ns: 1 };

    fn hub(sessions_max: usize) -> Hub {
        let admission =
            AdmissionLimits { sessions_max, exempts_loopback: false, ..AdmissionLimits::default() };
        Hub::new(HubSettings { admission, ..HubSettings::default() }, "e".into(), NOW)
    }

    #[test]
    fn the_upgrade_and_the_close_frame_come_in_one_piece_with_the_hint() {
        let (mut hub, mut out) = (hub(0), Vec::new());
        assert!(!hub.answer_refused(Refused::SessionsFull, &REQUEST[..30], NOW, &mut out));
        assert!(out.is_empty());
        assert!(hub.answer_refused(Refused::SessionsFull, REQUEST, NOW, &mut out));
        let text = String::from_utf8_lossy(&out);
        assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let frame = &out[text.find("\r\n\r\n").expect("a blank line") + 4..];
        let reason = br#"{"retry_ms":5000,"jitter_ms":5000}"#;
        assert_eq!(frame[..4], [0x88, 2 + reason.len() as u8, 0x03, 0xf5], "1013");
        assert_eq!(&frame[4..], reason);
        assert_eq!(hub.counters().told[Told::Closed as usize], 1);
    }

    #[test]
    fn what_is_no_upgrade_gets_its_own_answer_and_what_is_unread_an_http_one() {
        let (mut hub, mut out) = (hub(0), Vec::new());
        assert!(hub.answer_refused(
            Refused::SessionsFull,
            b"PUT / HTTP/1.1\r\n\r\n",
            NOW,
            &mut out
        ));
        assert!(out.starts_with(b"HTTP/1.1 404 "));
        for (refused, status) in [(Refused::LagPressure, "503"), (Refused::AddressFull, "429")] {
            out.clear();
            hub.answer_unread(refused, NOW, &mut out);
            let text = String::from_utf8_lossy(&out);
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            assert!(text.contains("\r\nRetry-After: "), "{text}");
        }
        assert_eq!(hub.counters().told, [0, 1, 1, 1, 0, 0]);
    }

    /// Method: sessions that end in each way; afterwards nothing is held for anyone.
    #[test]
    fn what_is_held_against_the_limits_is_given_back_in_every_way_of_ending() {
        let mut hub = hub(3);
        let peer = SocketAddr::from(([192, 0, 2, 1], 5));
        let slots: Vec<u32> = (0..3)
            .map(|id| {
                hub.judge(peer.ip(), NOW).expect("there is room");
                hub.open(peer, id, NOW).0
            })
            .collect();
        assert_eq!((hub.admission().half_open(), hub.room()), (3, 0));
        assert_eq!(hub.judge(peer.ip(), NOW), Err(Refused::SessionsFull));
        hub.receive(slots[0], REQUEST, NOW);
        assert_eq!(hub.admission().half_open(), 2);
        hub.receive(slots[1], b"PUT / HTTP/1.1\r\n\r\n", NOW);
        hub.receive_ended(slots[2], 0, NOW);
        assert_eq!(hub.admission().half_open(), 0);
        hub.end(slots[0], CloseReason::PeerLost, NOW);
        slots.iter().for_each(|slot| drop(hub.release(*slot)));
        assert!(hub.admission().is_at_rest());
        assert_eq!(hub.room(), 3);
    }
}
