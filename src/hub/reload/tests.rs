//! Method: a hub with clients, whose settings change while they are there.

use crate::hub::rig::Rig;
use crate::hub::{AdmissionLimits, HubSettings, LagSettings, Refused};
use crate::session::CloseReason;
use std::net::IpAddr;

const DAY_MS: u64 = 86_400_000;

fn reload(rig: &mut Rig, change: impl FnOnce(&mut HubSettings)) {
    let mut settings = rig.hub.settings().clone();
    change(&mut settings);
    rig.hub.reload(settings, rig.now);
}

/// Until the hub's next turns are done, in steps of 50 ms.
fn pass(rig: &mut Rig, ms: u64) {
    for _ in 0..ms / 50 {
        rig.now.ms += 50;
        rig.hub.timers(rig.now);
        rig.pump();
    }
}

/// Method: deadlines of a day, of which nothing is due in minutes, become short ones. Then who is
/// here already is judged by the short ones.
#[test]
fn a_shorter_deadline_holds_for_who_is_here() {
    let settings = HubSettings { handshake_ms: DAY_MS, ping_ms: DAY_MS, ..HubSettings::default() };
    let mut rig = Rig::new(settings);
    let (_open, _half) = (rig.open(""), rig.connect());
    pass(&mut rig, 60_000);
    assert_eq!(rig.hub.sessions(), 2);
    reload(&mut rig, |settings| {
        (settings.handshake_ms, settings.ping_ms, settings.pong_ms) = (100, 1_000, 500);
    });
    pass(&mut rig, 5_000);
    let closed = &rig.hub.counters().closed;
    assert_eq!(closed[CloseReason::UpgradeTimeout.counter()], 1);
    assert_eq!(closed[CloseReason::PongTimeout.counter()], 1);
    assert_eq!(rig.hub.sessions(), 0);
}

/// Method: the other way round; the timers that are armed come too early, and must end nobody.
#[test]
fn a_longer_deadline_holds_for_who_is_here() {
    let mut rig = Rig::new(HubSettings { handshake_ms: 1_000, ..HubSettings::default() });
    let _half = rig.connect();
    reload(&mut rig, |settings| settings.handshake_ms = 10_000);
    pass(&mut rig, 9_000);
    assert_eq!(rig.hub.sessions(), 1);
    pass(&mut rig, 2_000);
    assert_eq!(rig.hub.sessions(), 0);
}

#[test]
fn a_lower_limit_refuses_the_next_and_displaces_nobody() {
    let mut rig = Rig::new(HubSettings::default());
    let slots = [rig.open(""), rig.open("")];
    let judge = |rig: &mut Rig| rig.hub.judge([192, 0, 2, 1].into(), rig.now);
    assert_eq!(judge(&mut rig), Ok(()));
    reload(&mut rig, |settings| settings.admission.sessions_max = 1);
    assert_eq!(judge(&mut rig), Err(Refused::SessionsFull));
    pass(&mut rig, 1_000);
    assert!(slots.iter().all(|slot| rig.hub.session(*slot).is_some_and(|s| s.is_listening())));
    reload(&mut rig, |settings| settings.admission.sessions_max = 3);
    assert_eq!(judge(&mut rig), Ok(()));
}

/// Method: the exemption goes while a client from loopback is here, and comes back; its leaving
/// must find its entry each time.
#[test]
fn the_exemption_of_loopback_may_change_under_its_clients() {
    let limits = AdmissionLimits { per_address_max: 1, ..AdmissionLimits::default() };
    let mut rig = Rig::new(HubSettings { admission: limits, ..HubSettings::default() });
    let loopback: IpAddr = [127, 0, 0, 1].into();
    let slot = rig.open("");
    assert_eq!(rig.hub.judge(loopback, rig.now), Ok(()));
    reload(&mut rig, |settings| settings.admission.exempts_loopback = false);
    assert_eq!(rig.hub.judge(loopback, rig.now), Err(Refused::AddressFull));
    let second = rig.open("");
    rig.hub.receive_ended(slot, 0, rig.now);
    pass(&mut rig, 10_000);
    reload(&mut rig, |settings| settings.admission.exempts_loopback = true);
    rig.hub.receive_ended(second, 0, rig.now);
    pass(&mut rig, 10_000);
    assert_eq!(rig.hub.sessions(), 0);
    assert!(rig.hub.admission().is_at_rest());
}

/// Method: turns that are late until the hub refuses for it and widens its window; then both limits
/// are turned off, and a window is configured.
#[test]
fn what_lag_did_ends_when_its_limit_is_turned_off() {
    let lag = LagSettings { refuse_ms: 10, widen_ms: 20 };
    let mut rig = Rig::new(HubSettings { lag, ..HubSettings::default() });
    let late = crate::hub::Turn { late_us: 1_000_000, busy_us: 1, tick_age_us: None };
    for _ in 0..100 {
        rig.now.ms += 50;
        rig.hub.pacing_mut().measured(late, rig.now.ms);
        rig.hub.watch_lag(rig.now);
    }
    assert!(rig.hub.pacing().refuses() && rig.hub.pacing().window_ms() > 0);
    let judge = |rig: &mut Rig| rig.hub.judge([192, 0, 2, 1].into(), rig.now);
    assert_eq!(judge(&mut rig), Err(Refused::LagPressure));
    reload(&mut rig, |settings| {
        (settings.lag, settings.flush_ms) = (LagSettings { refuse_ms: 0, widen_ms: 0 }, 7);
    });
    assert_eq!(judge(&mut rig), Ok(()));
    assert_eq!(rig.hub.pacing().window_ms(), 7);
}

#[test]
fn another_budget_of_memory_holds_from_the_next_look_on() {
    let mut rig = Rig::new(HubSettings::default());
    let _slot = rig.open("");
    reload(&mut rig, |settings| settings.memory.budget_bytes = 1_000);
    pass(&mut rig, 1_000);
    assert!(rig.hub.used().total() > 1_000 && rig.hub.breaker().budget_bytes() == 1_000);
    let judged = rig.hub.judge([192, 0, 2, 1].into(), rig.now);
    assert_eq!(judged, Err(Refused::MemoryPressure));
    reload(&mut rig, |settings| settings.memory.budget_bytes = 1 << 30);
    pass(&mut rig, 1_000);
    assert_eq!(rig.hub.judge([192, 0, 2, 1].into(), rig.now), Ok(()));
}
