//! `tuning/install.sh`: once, again, with changes, and away.

use crate::client::{ADDRESS, Client};
use crate::machine::{Machine, PROGRAM, TUNING};
use crate::tree::repository;
use std::process::Command;

/// Every file of the machine that lasts: kind, mode, owner, name, and the text of those in /etc.
/// Not what others keep up to date: journals, caches, and the copies that tools for users leave.
const FILES: &str = r"
prune='-path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp
       -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd -o -path /opt
       -o -path /var/lib/private -o -path /etc/.pwd.lock'
find / -xdev \( $prune \) -prune -o ! -path '/etc/*-' -printf '%y %m %u %g %p\n' | sort
find /etc -type f ! -name '*-' ! -name .pwd.lock -exec sha256sum {} + | sort -k 2";

fn install(machine: &Machine, flags: &str) -> String {
    machine.must(&format!("{TUNING}/install.sh --binary {PROGRAM} {flags} 2>&1"))
}

fn serves(machine: &Machine, address: &str) {
    let address = address.parse().expect("an address");
    machine.inside(|| Client::subscribed(address)).wait_for_tick();
}

#[test]
fn installed_twice_is_installed_once_and_uninstalled_leaves_nothing() {
    let machine = Machine::boot();
    let before = machine.must(FILES);
    install(&machine, "");
    serves(&machine, ADDRESS);
    let (files, pid) = (machine.must(FILES), machine.main_pid());
    assert!(files.lines().count() > before.lines().count());

    let said = install(&machine, "");
    assert!(said.contains("keeps /etc/tapecast/tapecast.toml"), "{said}");
    assert!(!said.contains("installs") && !said.contains("restarts"), "{said}");
    assert_eq!(machine.must(FILES), files);
    assert_eq!(machine.main_pid(), pid, "it was not restarted");

    install(&machine, "--uninstall");
    let after = machine.must(FILES);
    let left: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
    let lost: Vec<_> = before.lines().filter(|line| !after.contains(line)).collect();
    assert!(left.is_empty() && lost.is_empty(), "left: {left:#?}\nlost: {lost:#?}");
    machine.must("! systemctl cat tapecast.service tapecast.socket 2>&1");
    machine.must("! grep -qs '^tapecast$' /proc/[0-9]*/comm");
    machine.must("! getent passwd tapecast");
    // Nothing to remove is no error.
    install(&machine, "--uninstall");
}

#[test]
fn an_upgrade_keeps_the_configuration_and_restarts_and_an_address_moves() {
    let machine = Machine::boot();
    machine.must(&format!("cp {PROGRAM} /run/older && echo >> /run/older"));
    install(&machine, "--binary /run/older");
    machine.must("echo '# mine' >> /etc/tapecast/tapecast.toml");
    let pid = machine.main_pid();
    let said = install(&machine, "");
    assert!(said.contains("installs /usr/local/bin/tapecast"), "{said}");
    assert!(said.contains("restarts tapecast.service"), "{said}");
    assert_ne!(machine.main_pid(), pid);
    machine.must("grep -q '^# mine' /etc/tapecast/tapecast.toml");
    serves(&machine, ADDRESS);

    install(&machine, "--listen 127.0.0.1:9011");
    serves(&machine, "127.0.0.1:9011");
    let said = install(&machine, "");
    assert!(said.contains("serves ws://127.0.0.1:9011/"), "the address is kept: {said}");
    let refused = machine.run(&format!("{TUNING}/install.sh --listen nonsense 2>&1"));
    assert!(!refused.status.success());
}

#[test]
fn a_dry_run_changes_nothing_and_another_root_is_filled_and_emptied() {
    let machine = Machine::boot();
    let before = machine.must(FILES);
    let said = install(&machine, "--dry-run");
    assert!(said.contains("+ systemctl --quiet start"), "{said}");
    assert_eq!(machine.must(FILES), before);
    machine.must("mkdir -p /run/other/etc");
    let list = "cd /run/other && find . ! -type d | sort";
    install(&machine, "--root /run/other");
    let files = machine.must(list);
    for file in ["./usr/local/bin/tapecast", "./etc/tapecast/tapecast.toml"] {
        assert!(files.lines().any(|line| line == file), "{files}");
    }
    assert_eq!(machine.must(FILES), before, "nothing outside of that root");
    install(&machine, "--root /run/other --uninstall");
    let left = machine.must(list);
    let tools = ["./etc/.pwd.lock", "./etc/passwd", "./etc/group", "./etc/shadow", "./etc/gshadow"];
    let is_tools = |line: &str| tools.contains(&line.trim_end_matches('-'));
    assert!(left.lines().all(is_tools), "{left}");
}

#[test]
fn the_scripts_text_is_clean() {
    let script = repository().join("tuning/install.sh");
    let checked = Command::new("shellcheck").arg(&script).output();
    let checked = checked.expect("shellcheck runs: 'apt-get install shellcheck'");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
