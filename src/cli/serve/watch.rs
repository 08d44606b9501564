//! What the main thread does while the server runs, and while it stops.

use super::reload::Reload;
use crate::control::{LOOK_RUNNING, LOOK_STOPPING, Signals, Woken};
use crate::panics;
use crate::server::{Failure, STOP_GRACE_MS, Server};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Waits for a signal and stops the server in order; a second signal, or a failure, ends it.
/// SIGHUP has it read its configuration again.
pub fn until_stopped(mut reload: Reload, signals: &mut Signals, mut server: Server) -> ExitCode {
    let mut clock = Looks::begin();
    let name = loop {
        match signals.wait(LOOK_RUNNING, || look_after(&mut server, &mut clock, false)) {
            Woken::Condition(failure) => return give_up(failure),
            // Whoever supervises the process is told before and after this call.
            Woken::Reload => reload.reload(&mut server),
            Woken::Signal(name) => break name,
        };
    };
    let drain_ms = reload.settings().drain_ms;
    let (sessions, over_s) = (server.sessions(), drain_ms / 1000);
    tracing::info!("{name}: stopping; {sessions} sessions are closed over {over_s} s");
    server.drain(drain_ms);
    let overdue = Instant::now() + Duration::from_millis(drain_ms + STOP_GRACE_MS);
    let mut is_over = || match look_after(&mut server, &mut clock, true) {
        Some(failure) => Some(Some(failure)),
        None if server.has_ended() => Some(None),
        None => (Instant::now() >= overdue).then_some(Some(Failure::StopOverdue)),
    };
    let end = loop {
        match signals.wait(LOOK_STOPPING, &mut is_over) {
            Woken::Reload => tracing::warn!("SIGHUP: nothing is reloaded in a stop"),
            end => break end,
        }
    };
    match end {
        Woken::Reload => unreachable!("the loop above goes on after it"),
        Woken::Signal(name) => {
            tracing::warn!("{name} again: {} sessions are cut", server.sessions());
            return ExitCode::FAILURE;
        }
        Woken::Condition(Some(failure)) => return give_up(failure),
        Woken::Condition(None) => {}
    }
    super::summary::log(&server);
    let ended = server.join();
    panics::log_reports(true);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// One look; gives what the process must end for.
fn look_after(server: &mut Server, clock: &mut Looks, stopping: bool) -> Option<Failure> {
    panics::log_reports(false);
    server.look_after(clock.passed_ms(), stopping)
}

fn give_up(failure: Failure) -> ExitCode {
    panics::log_reports(true);
    tracing::error!("{failure}; the process exits for its supervisor");
    ExitCode::from(failure.exit_code())
}

/// When the last look was. Milliseconds that are not whole yet count for the next.
struct Looks {
    began: Instant,
    counted_ms: u64,
}

impl Looks {
    fn begin() -> Looks {
        Looks { began: Instant::now(), counted_ms: 0 }
    }

    fn passed_ms(&mut self) -> u64 {
        let now_ms = self.began.elapsed().as_millis() as u64;
        now_ms - std::mem::replace(&mut self.counted_ms, now_ms)
    }
}
