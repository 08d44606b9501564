//! Settings and their defaults, in one tree, each with the reason for its value.
//!
//! Must not know where a value came from, nor sockets or threads. The main type is [`Settings`].

mod admission;
mod boundaries;

pub use admission::AdmissionSettings;
pub use boundaries::BoundarySettings;

use crate::hub::HubSettings;
use crate::limits::{ACCEPT_RATE_MAX, TAPE_TICKS_MAX};
use std::net::SocketAddr;

/// All that `tapecast serve` can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// `None`: one per core that the process may use.
    pub shards: Option<usize>,
    /// As given to `--feed`.
    pub feeds: Vec<String>,
    pub hub: HubSettings,
    pub admission: AdmissionSettings,
    pub sockets: SocketOptions,
    /// Over which the closes of a stop are spread.
    pub drain_ms: u64,
    /// A feed without a tick for so long is told to be stale. A liquid symbol ticks many times a
    /// second; five seconds without any symbol's tick is an incident, not a pause.
    pub feed_stale_ms: u64,
    /// Of the whole server, in the process and in the kernel; `None`: what the control group or
    /// the machine allows.
    pub memory_budget_bytes: Option<u64>,
    pub boundaries: BoundarySettings,
    /// Of the admin port; `None`: there is none.
    pub admin: Option<SocketAddr>,
    /// Whether clients' addresses may stand in logs and in what the admin port tells.
    pub log_addresses: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 9001)),
            shards: None,
            feeds: Vec::new(),
            hub: HubSettings::default(),
            admission: AdmissionSettings::default(),
            sockets: SocketOptions::default(),
            drain_ms: 5_000,
            feed_stale_ms: 5_000,
            memory_budget_bytes: None,
            boundaries: BoundarySettings::default(),
            // For this machine alone: it has no password.
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 9002))),
            log_addresses: true,
        }
    }
}

/// A setting that does not fit; the text names flag, value and cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("--{flag} {value}: {cure}")]
    OutOfRange { flag: &'static str, value: u64, cure: String },
}

impl Settings {
    /// Checks what types cannot.
    pub fn check(&self) -> Result<(), SettingsError> {
        let hub = &self.hub;
        let shards = self.shards.unwrap_or(1) as u64;
        let (admission, rate_max) = (&self.admission, u64::from(ACCEPT_RATE_MAX));
        let (sessions, half_open) = (admission.max_sessions, admission.max_half_open);
        let boundaries = &self.boundaries;
        for (flag, value, least, most) in [
            ("shards", shards, 1, 1024),
            ("tape-ticks", hub.tape_ticks as u64, 1, TAPE_TICKS_MAX as u64),
            ("max-sessions", sessions.unwrap_or(1) as u64, 0, 1 << 30),
            ("max-half-open", half_open.unwrap_or(1) as u64, 1, 1 << 30),
            ("accept-rate", admission.accept_rate.into(), 1, rate_max),
            ("accept-burst", admission.accept_burst.into(), 1, rate_max),
            ("max-per-address", admission.max_per_address.into(), 1, u32::MAX.into()),
            ("refusal-ms", admission.refusal_ms, 100, 600_000),
            ("flush-ms", hub.flush_ms, 0, 60_000),
            ("handshake-ms", hub.handshake_ms, 100, 600_000),
            ("ping-ms", hub.ping_ms, 100, 86_400_000),
            ("pong-ms", hub.pong_ms, 100, 86_400_000),
            ("write-stall-ms", hub.write_stall_ms, 100, 86_400_000),
            ("intake-bytes-per-second", hub.intake_bytes_per_second.into(), 1024, 1 << 30),
            ("close-ms", hub.close_ms, 100, 600_000),
            ("drain-seconds", self.drain_ms / 1000, 0, 86_400),
            ("lag-refuse-ms", hub.lag.refuse_ms, 0, 60_000),
            ("lag-widen-ms", hub.lag.widen_ms, 0, 60_000),
            ("feed-stale-ms", self.feed_stale_ms, 10, 86_400_000),
            ("shard-restarts", boundaries.shard_restarts_max.into(), 0, 1_000_000),
            ("shard-restart-window-ms", boundaries.shard_restart_window_ms, 1, 86_400_000),
            ("stuck-report-ms", boundaries.stuck_report_ms, 100, 86_400_000),
            ("stuck-exit-ms", boundaries.stuck_exit_ms, 200, 86_400_000),
            ("feed-retry-ms", boundaries.feed_retry_ms, 10, 86_400_000),
            ("feed-retry-ms-max", boundaries.feed_retry_ms_max, 10, 86_400_000),
            ("user-timeout-ms", self.sockets.user_timeout_ms.into(), 100, 86_400_000),
            ("send-buffer-bytes", self.sockets.send_buffer_bytes.into(), 4096, 1 << 28),
            ("receive-buffer-bytes", self.sockets.receive_buffer_bytes.into(), 2048, 1 << 28),
            ("notsent-lowat-bytes", self.sockets.notsent_lowat_bytes.into(), 1024, 1 << 28),
            ("keepalive-idle-s", self.sockets.keepalive_idle_s.into(), 1, 32_767),
            ("backlog", self.sockets.backlog.into(), 1, 1 << 24),
        ] {
            if !(least..=most).contains(&value) {
                let cure = format!("give a number from {least} to {most}");
                return Err(SettingsError::OutOfRange { flag, value, cure });
            }
        }
        Ok(())
    }
}

/// Set once on the listening socket and inherited by each accepted one (tested below), so that
/// tuning costs no call per connection. `TCP_NODELAY` is always on: a frame is sent whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_USER_TIMEOUT` (tcp(7)): ends a peer that acknowledges nothing, or keeps its window at
    /// zero, for so long.
    pub user_timeout_ms: u32,
    /// `SO_SNDBUF` (socket(7)); the kernel doubles it and counts its own overhead against it.
    pub send_buffer_bytes: u32,
    /// `SO_RCVBUF`, doubled likewise.
    pub receive_buffer_bytes: u32,
    /// `TCP_NOTSENT_LOWAT`: a socket with so much unsent takes no more.
    pub notsent_lowat_bytes: u32,
    pub keepalive_idle_s: u32,
    pub keepalive_interval_s: u32,
    pub keepalive_count: u32,
    /// Connections that wait for their accept, per shard.
    pub backlog: u32,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            // Several retransmissions on a slow path, and a short stop of a laptop's radio, but
            // not a subscriber who has left the building.
            user_timeout_ms: 10_000,
            // The hard bound: 96 KiB with the doubling, whatever a peer does. Not 32: loopback's
            // segments are 64 KiB, and where the buffer holds only one of them the sender waits
            // 40 ms for its delayed acknowledgement each time (2 MB/s measured, not 4 GB/s).
            send_buffer_bytes: 48 * 1024,
            // A peer whose receive is stopped for its rate fills this (27 to 31 KiB measured), and
            // no session accounts for it. Commands are small, and 500 MB/s still come through;
            // left alone, it starts at 128 KiB and grows to 6 MiB.
            receive_buffer_bytes: 16 * 1024,
            // One frame of 32 KiB. This also bounds what send takes, so a peer that stops reading
            // costs the kernel this and what it has not acknowledged: 36 KiB measured with a
            // receive buffer of 8 KiB, 36 to 56 with the default. Half of it would hold 20 to 48,
            // and cut large frames for clients that keep up.
            notsent_lowat_bytes: 32 * 1024,
            // Only for connections that are silent in both directions: pings come sooner, and
            // this is for the time before the upgrade and where pings are turned off.
            keepalive_idle_s: 30,
            keepalive_interval_s: 10,
            keepalive_count: 3,
            // Ten thousand reconnects at once on a few shards; the kernel caps it at
            // net.core.somaxconn, 4,096 since Linux 5.4.
            backlog: 4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_bad_value_is_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        let mut settings = Settings::default();
        settings.hub.tape_ticks = 0;
        let error = settings.check().expect_err("a tape of no ticks");
        assert_eq!(error.to_string(), "--tape-ticks 0: give a number from 1 to 16777216");
    }
}
