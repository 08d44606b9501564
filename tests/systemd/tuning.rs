//! `tuning/tune.sh` in the machine: what is its own is set and restored, what is the host's stays,
//! and what `persist` writes is taken by systemd itself.

use crate::machine::{Machine, TUNING};

fn value(machine: &Machine, key: &str) -> String {
    machine.must(&format!("cat /proc/sys/{}", key.replace('.', "/"))).trim().replace('\t', " ")
}

/// The network namespace is the machine's own; everything else belongs to the host, and nspawn
/// shows it read-only, as containers do.
#[test]
fn what_is_the_machines_own_is_set_and_restored_and_the_rest_left() {
    let machine = Machine::boot();
    let before = machine.must("grep -rs '' /proc/sys/net/ipv4/tcp_* /proc/sys/net/core | sort");
    let tune = |what: &str| machine.must(&format!("{TUNING}/tune.sh {what}"));
    let applied = tune("apply --connections 10000000 --governor");
    assert_eq!(value(&machine, "net.core.somaxconn"), "65535", "{applied}");
    assert_eq!(value(&machine, "net.ipv4.tcp_retries2"), "8", "{applied}");
    for name in ["fs.nr_open", "fs.file-max"] {
        assert!(applied.contains(&format!("fixed {name} = ")), "{applied}");
    }
    assert!(tune("apply --connections 10000000").contains("\n0 changed"));
    tune("revert");
    let after = machine.must("grep -rs '' /proc/sys/net/ipv4/tcp_* /proc/sys/net/core | sort");
    assert_eq!(before, after);
}

/// As at a boot: the service that reads sysctl.d starts again.
#[test]
fn what_persist_writes_is_set_by_systemd() {
    let machine = Machine::boot();
    let before = value(&machine, "net.core.somaxconn");
    machine.must(&format!("{TUNING}/tune.sh persist --connections 100000"));
    assert_eq!(value(&machine, "net.core.somaxconn"), before, "not before the next boot");
    machine.must("systemctl restart systemd-sysctl.service");
    assert_eq!(value(&machine, "net.core.somaxconn"), "25000");
    assert_eq!(value(&machine, "net.ipv4.ip_local_port_range"), "16384 65535");
    let lines = machine.must("systemd-tmpfiles --cat-config");
    assert!(lines.contains("w /sys/kernel/mm/transparent_hugepage/enabled - - - - "), "{lines}");
    machine.must(&format!("{TUNING}/tune.sh revert --persisted"));
    machine.must("test -z \"$(find /etc -name '*tapecast*')\"");
}
