//! What a shard itself counts and logs of admission; the rest is the hub's.

use super::turn::Shard;
use super::{clock, socket};
use crate::feed::LogLimit;
use crate::hub::{Limited, Refused};
use crate::limits::INLET_TICKS;
use crate::session::{CloseReason, Now, Session};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Counts since the shard began. A peer can cause each of its log lines, so each kind is limited.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Sockets passed on to a less loaded shard, and taken from a full one.
    pub handed_on: u64,
    pub handed_in: u64,
    pub accepts_failed: u64,
    /// That the sockets of sessions took.
    pub bytes_out: u64,
    refusals: LogLimit,
    turned_away: LogLimit,
    failures: LogLimit,
    alerts: [LogLimit; Limited::ALL.len()],
}

impl Shard {
    /// The line has a correlation id of its own, though the refusal leaves nothing else behind.
    pub(super) fn log_refusal(&mut self, fd: &OwnedFd, refused: Refused, now: Now) {
        let Some(suppressed) = self.tally.refusals.admit(now.unix_ns) else { return };
        let id = self.next_id();
        let peer = self.log_addresses.then(|| socket::peer_address(fd.as_fd())).flatten();
        let peer = peer.map(tracing::field::display);
        tracing::warn!(
            session = format_args!("{id:016x}"),
            shard = self.doors.own,
            peer,
            reason = refused.word(),
            sessions = self.hub.sessions(),
            suppressed,
            "connection refused"
        );
    }

    /// A session that ended for what its proxy said, or did not say. Once it is gone.
    pub(super) fn log_turned_away(&mut self, session: &Session) {
        // Told as what it is counted as: the first is a refusal, the second a close.
        let (reason, words) = match session.reason() {
            Some(reason @ CloseReason::AddressFull) => (reason, "connection refused"),
            Some(reason @ CloseReason::BadProxyHeader) => (reason, "connection cut"),
            _ => return,
        };
        let Some(suppressed) = self.tally.turned_away.admit(clock::now().unix_ns) else { return };
        tracing::warn!(
            session = format_args!("{:016x}", session.id),
            shard = self.doors.own,
            peer = self.log_addresses.then(|| tracing::field::display(session.peer)),
            reason = reason.word(),
            suppressed,
            "{words}"
        );
    }

    pub(super) fn log_out_of_descriptors(&mut self, errno: i32, now: Now) {
        if let Some(suppressed) = self.tally.failures.admit(now.unix_ns) {
            tracing::error!(
                suppressed,
                "no descriptor is left ({}); connections are refused with the spare one. See that \
                 nothing has lowered the limit of open files since the start",
                io::Error::from_raw_os_error(errno)
            );
        }
    }

    pub(super) fn log_pause(&mut self, errno: i32, now: Now) {
        if let Some(suppressed) = self.tally.failures.admit(now.unix_ns) {
            let error = io::Error::from_raw_os_error(errno);
            tracing::warn!(suppressed, "cannot accept a connection: {error}; accepting pauses");
        }
    }

    /// Looks how near each limit is. Once a turn.
    pub(super) fn observe_limits(&mut self, now: Now) {
        let admission = self.hub.admission();
        let (limits, half_open) = (admission.limits(), admission.half_open());
        for (limited, used, limit) in [
            (Limited::Sessions, self.hub.sessions(), limits.sessions_max),
            (Limited::HalfOpen, half_open, limits.half_open_max),
            (Limited::Descriptors, self.descriptors_used(), limits.descriptors_max),
            (Limited::Inlet, self.inlet.len(), INLET_TICKS),
        ] {
            self.observe_limit(limited, used as u64, limit as u64, now);
        }
        // Its crossings are logged with what the breaker does about them.
        let (used, budget) = (self.hub.used().total(), self.hub.breaker().budget_bytes());
        self.alerts.observe(Limited::Memory, used, budget);
    }

    /// Logs each crossing of 70, 85 and 95 percent.
    pub(super) fn observe_limit(&mut self, limited: Limited, used: u64, limit: u64, now: Now) {
        let Some(level) = self.alerts.observe(limited, used, limit) else { return };
        let Some(suppressed) = self.tally.alerts[limited as usize].admit(now.unix_ns) else {
            return;
        };
        let (shard, limited) = (self.doors.own, limited.word());
        match level {
            0 => tracing::info!(
                shard,
                limit = limited,
                used,
                of = limit,
                suppressed,
                "alert is over"
            ),
            _ => tracing::warn!(
                shard,
                limit = limited,
                used,
                of = limit,
                suppressed,
                "alert: over {level} % of the limit"
            ),
        }
    }
}
