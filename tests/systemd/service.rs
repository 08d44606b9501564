//! What systemd does with the service: start, watch, start again, stop, restart, reload.

use crate::client::{ADDRESS, Client, Outcome};
use crate::machine::Machine;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

fn address() -> SocketAddr {
    ADDRESS.parse().expect("an address")
}

fn subscribed(machine: &Machine) -> Client {
    machine.inside(|| Client::subscribed(address()))
}

#[test]
fn a_start_is_over_when_subscribed_clients_are_served() {
    let mut machine = Machine::with_service();
    assert_eq!(machine.property("ActiveState"), "inactive");
    // Returns when the service has said that it is ready, and fails where it does not.
    machine.must("systemctl start tapecast.service");
    assert_eq!(machine.property("ActiveState"), "active");
    let mut client = subscribed(&machine);
    client.wait_for_tick();
    let words = machine.until("the status tells of the client", |machine| {
        let words = machine.property("StatusText");
        words.contains(" 1 sessions").then_some(words)
    });
    assert!(words.starts_with("serving: 1 sessions on "), "{words}");
    assert!(words.contains("feed synthetic: last tick 0."), "{words}");
    let log = machine.log();
    assert!(log.contains("were passed by systemd"), "{log}");
    assert_eq!(machine.property("NRestarts"), "0");
    // In tenths: below 2.0.
    machine.must("systemd-analyze security --no-pager --threshold=19 tapecast.service");
}

#[test]
fn a_connection_starts_a_service_that_was_stopped() {
    let machine = Machine::with_service();
    machine.must("systemctl start tapecast.socket");
    assert_eq!(machine.property("ActiveState"), "inactive");
    let mut client = subscribed(&machine);
    client.wait_for_tick();
    assert_eq!(machine.property("ActiveState"), "active");
}

#[test]
fn a_process_that_stands_still_is_ended_and_started_again() {
    let mut machine = Machine::with_service();
    machine.with_flags("", "WatchdogSec=2");
    machine.must("systemctl start tapecast.service");
    let pid = machine.main_pid();
    // As long as it turns, the watchdog does nothing.
    subscribed(&machine).wait_for_tick();
    machine.must(&format!("kill -STOP {pid}"));
    machine.until("systemd starts it again", |machine| {
        (machine.property("NRestarts") == "1" && machine.main_pid() != pid).then_some(())
    });
    assert!(machine.log().contains("Watchdog timeout"), "{}", machine.log());
    subscribed(&machine).wait_for_tick();
}

/// Method: a client asks one shard to sleep for ever; the control thread and the other shard go on,
/// and the process is told not to end itself for it.
#[test]
fn one_shard_that_stands_still_is_enough_for_the_watchdog() {
    let mut machine = Machine::with_service();
    let flags = "--shards 2 --fault-injection --stuck-report-ms 300 --stuck-exit-ms 600000";
    machine.with_flags(flags, "WatchdogSec=2");
    machine.must("systemctl start tapecast.service");
    subscribed(&machine).send(r#"{"action":"fault","at":"stall"}"#);
    machine.until("systemd starts it again", |machine| {
        (machine.property("NRestarts") == "1").then_some(())
    });
    let log = machine.log();
    assert!(log.contains("the watchdog is not fed") && log.contains("Watchdog timeout"), "{log}");
    let errors = machine.must("journalctl --no-pager -p err --output=cat -u tapecast.service");
    assert!(errors.contains("ERROR") && errors.contains("the watchdog is not fed"), "{errors}");
    assert!(!errors.contains("INFO") && !errors.contains("<3>"), "{errors}");
    machine.until("it serves again", |machine| {
        (machine.property("ActiveState") == "active").then_some(())
    });
    subscribed(&machine).wait_for_tick();
}

#[test]
fn a_crash_is_followed_by_a_start_and_no_connect_is_refused() {
    let mut machine = Machine::with_service();
    machine.must("systemctl start tapecast.service");
    let mut client = subscribed(&machine);
    let (counts, ()) = while_connecting(&mut machine, |machine, _| {
        for restart in 1..=2 {
            let pid = machine.main_pid();
            machine.must(&format!("kill -KILL {pid}"));
            machine.until("systemd starts it again", |machine| {
                let restarted = machine.property("NRestarts") == restart.to_string();
                (restarted && machine.property("ActiveState") == "active").then_some(())
            });
        }
    });
    client.wait_for_close().expect_err("nobody was left to say goodbye");
    assert_eq!(counts.connect_refused, 0, "{counts:?}");
    assert!(counts.subscribed > 0, "{counts:?}");
    subscribed(&machine).wait_for_tick();
}

#[test]
fn a_stop_tells_every_client_and_ends_in_order() {
    let machine = Machine::with_service();
    machine.with_flags("--drain-seconds 1", "");
    machine.must("systemctl start tapecast.service");
    let mut clients: Vec<_> = (0..20).map(|_| subscribed(&machine)).collect();
    clients.iter_mut().for_each(Client::wait_for_tick);
    machine.must("systemctl stop tapecast.socket tapecast.service");
    for client in &mut clients {
        let (code, reason) = client.wait_for_close().expect("a Close frame");
        assert_eq!(code, 1012, "{reason}");
        assert!(reason.contains("retry_ms"), "{reason}");
    }
    let end = ["ActiveState", "Result", "ExecMainStatus"].map(|name| machine.property(name));
    assert_eq!(end, ["inactive", "success", "0"]);
    let after = machine.inside(|| Client::connect(address()));
    assert!(matches!(after, Outcome::ConnectRefused), "{after:?}");
}

/// A drain that the configuration makes longer than the unit's TimeoutStopSec is not cut.
#[test]
fn a_drain_longer_than_the_units_time_is_announced_and_waited_for() {
    let machine = Machine::with_service();
    machine.with_flags("--drain-seconds 6", "TimeoutStopSec=3");
    machine.must("systemctl start tapecast.service");
    let mut clients: Vec<_> = (0..10).map(|_| subscribed(&machine)).collect();
    clients.iter_mut().for_each(Client::wait_for_tick);
    machine.must("systemctl stop tapecast.socket tapecast.service");
    for client in &mut clients {
        match client.wait_for_close() {
            Ok((code, _)) => assert_eq!(code, 1012),
            Err(end) => panic!("{end}; was the process killed?\n{}", machine.log()),
        }
    }
    assert_eq!(machine.property("Result"), "success");
}

#[test]
fn a_restart_under_load_refuses_no_connect() {
    let mut machine = Machine::with_service();
    machine.with_flags("--drain-seconds 1", "");
    machine.must("systemctl start tapecast.service");
    let mut staying: Vec<_> = (0..20).map(|_| subscribed(&machine)).collect();
    const RESTARTS: usize = 3;
    let (counts, ()) = while_connecting(&mut machine, |machine, subscribed| {
        for _ in 0..RESTARTS {
            machine.must("systemctl restart tapecast.service");
            let goal = subscribed.load(Ordering::Relaxed) + 100;
            machine.until("the load goes on", |_| {
                (subscribed.load(Ordering::Relaxed) >= goal).then_some(())
            });
        }
    });
    for client in &mut staying {
        assert_eq!(client.wait_for_close().expect("a Close frame").0, 1012);
    }
    assert_eq!(counts.connect_refused, 0, "{counts:?}");
    // Who was in the middle of its upgrade when a stop began is told by HTTP to come back.
    assert!(counts.turned_away.len() <= RESTARTS * CONNECTING, "{counts:?}");
    let told = |why: &String| why.contains("status: 503, retry_after_s: Some(");
    assert!(counts.turned_away.iter().all(told), "{counts:?}");
    subscribed(&machine).wait_for_tick();
}

/// Method: a configuration with another limit, then one with an unknown key. The call returns when
/// systemd has been told that the reload is over (or, where systemd is older than 253, at once).
#[test]
fn a_reload_changes_limits_live_and_a_bad_configuration_changes_nothing() {
    let mut machine = Machine::with_service();
    machine.must("systemctl start tapecast.service");
    let (pid, mut client) = (machine.main_pid(), subscribed(&machine));
    let reload = |machine: &mut Machine, config: &str, told: &str| {
        machine.must(&format!("printf '{config}' > /etc/tapecast/tapecast.toml"));
        machine.must("systemctl reload tapecast.service");
        machine.until(told, |machine| machine.log().contains(told).then_some(()));
        machine.until("the reload is over", |machine| {
            (machine.property("ActiveState") == "active").then_some(())
        });
    };
    reload(&mut machine, "[admission]\\nmax_sessions = 0\\n", "reloaded /etc/tapecast");
    machine.until("a new client is turned away", |machine| {
        let second = machine.inside(|| Client::connect(address()));
        let is_refused = match second {
            Outcome::Subscribed(mut second) => second.is_closed_at_once(1013),
            Outcome::TurnedAway(why) => why.contains("status: 503"),
            Outcome::ConnectRefused => panic!("the sockets are systemd's"),
        };
        is_refused.then_some(())
    });
    reload(&mut machine, "max_sesions = 1\\n", "the old configuration goes on");
    machine.until("the status tells of it", |machine| {
        machine
            .property("StatusText")
            .contains("the configuration read last is wrong")
            .then_some(())
    });
    reload(&mut machine, "# defaults\\n", "1 changed, 0 need a restart");
    machine.until("the status tells no more of it", |machine| {
        (!machine.property("StatusText").contains("is wrong")).then_some(())
    });
    subscribed(&machine).wait_for_tick();
    client.wait_for_tick();
    assert_eq!((machine.main_pid(), machine.property("NRestarts")), (pid, "0".to_string()));
}

/// The next start would fail alike, so there is none; also not for the check that runs before.
#[test]
fn a_wrong_configuration_is_told_once_and_not_started_again() {
    let mut machine = Machine::with_service();
    machine.must("printf 'max_sesions = 1\\n' > /etc/tapecast/tapecast.toml");
    let started = machine.run("systemctl start tapecast.service");
    assert!(!started.status.success());
    machine.until("it has failed", |machine| {
        (machine.property("ActiveState") == "failed").then_some(())
    });
    let end = ["NRestarts", "Result", "ExecMainStatus"].map(|name| machine.property(name));
    assert_eq!(end, ["0", "exit-code", "2"], "{}", machine.log());
    assert!(machine.log().contains("max_sesions"), "{}", machine.log());
}

/// Method: a feed whose file is missing ends each start with exit code 1.
#[test]
fn ten_deaths_in_two_minutes_end_the_service_and_close_its_sockets() {
    let mut machine = Machine::with_service();
    machine.with_flags("--feed replay:/no/such/file", "");
    let started = machine.run("systemctl start tapecast.socket tapecast.service");
    assert!(!started.status.success());
    machine.until("it stays down", |machine| {
        machine.log().contains("Start request repeated too quickly").then_some(())
    });
    machine.until("the sockets are closed", |machine| {
        let state = machine.run("systemctl is-active tapecast.socket");
        (String::from_utf8_lossy(&state.stdout).trim() == "failed").then_some(())
    });
    let end = ["ActiveState", "ExecMainStatus"].map(|name| machine.property(name));
    assert_eq!(end, ["failed", "1"], "{}", machine.log());
    let starts = machine.log().matches("/no/such/file").count();
    assert!(starts >= 10, "{starts}");
    let after = machine.inside(|| Client::connect(address()));
    assert!(matches!(after, Outcome::ConnectRefused), "{after:?}");
    // What the README says to do then.
    machine.with_flags("--feed synthetic", "");
    machine.must("systemctl reset-failed tapecast.service tapecast.socket");
    machine.must("systemctl start tapecast.socket tapecast.service");
    subscribed(&machine).wait_for_tick();
}

/// What tries to connect and subscribe came to.
#[derive(Debug, Default)]
struct Counts {
    subscribed: usize,
    connect_refused: usize,
    turned_away: Vec<String>,
}

impl Counts {
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Subscribed(_) => self.subscribed += 1,
            Outcome::ConnectRefused => self.connect_refused += 1,
            Outcome::TurnedAway(why) => self.turned_away.push(why),
        }
    }

    fn add(&mut self, other: Counts) {
        self.subscribed += other.subscribed;
        self.connect_refused += other.connect_refused;
        self.turned_away.extend(other.turned_away);
    }
}

/// So many clients connect, subscribe and leave, again and again.
const CONNECTING: usize = 4;

/// They do that while `work` is done, which sees how many have subscribed.
fn while_connecting<T>(
    machine: &mut Machine,
    work: impl FnOnce(&mut Machine, &AtomicUsize) -> T,
) -> (Counts, T) {
    /// Between two connects: each leaves a port in TIME_WAIT, of which a minute has 28,000.
    const PAUSE: Duration = Duration::from_millis(5);
    let (over, subscribed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let connecting = || {
        let mut counts = Counts::default();
        while !over.load(Ordering::Relaxed) {
            let outcome = Client::connect(address());
            let is_served = matches!(outcome, Outcome::Subscribed(_));
            subscribed.fetch_add(usize::from(is_served), Ordering::Relaxed);
            counts.note(outcome);
            thread::sleep(PAUSE);
        }
        counts
    };
    let network = machine.network();
    thread::scope(|scope| {
        let loops: Vec<_> =
            (0..CONNECTING).map(|_| scope.spawn(|| network.inside(connecting))).collect();
        // Also where the work panics, or the loops would hold the scope for ever.
        let _end = End(&over);
        let done = work(machine, &subscribed);
        over.store(true, Ordering::Relaxed);
        let mut counts = Counts::default();
        loops.into_iter().for_each(|one| counts.add(one.join().expect("it only connects")));
        (counts, done)
    })
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
