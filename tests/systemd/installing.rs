//! `tuning/install.sh`: once, again, with changes, and away.

use crate::client::{ADDRESS, Client};
use crate::machine::{Machine, PROGRAM, TUNING};
use std::collections::BTreeSet;

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
    let lines = |text: &'_ str| text.lines().map(String::from).collect::<BTreeSet<_>>();
    let (before, after) = (lines(&before), lines(&after));
    let left: Vec<_> = after.difference(&before).collect();
    let lost: Vec<_> = before.difference(&after).collect();
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
    machine.must("mkdir /run/other");
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

/// Who has masked the socket lets the server listen by itself, and keeps that.
#[test]
fn an_upgrade_leaves_a_masked_socket_alone_and_uninstalling_takes_the_mask_away() {
    let machine = Machine::boot();
    machine.must(&format!("cp {PROGRAM} /run/older && echo >> /run/older"));
    install(&machine, "--binary /run/older");
    machine.must("systemctl mask --now tapecast.socket");
    machine
        .must("sed -i 's/^listen = .*/listen = \"127.0.0.1:9021\"/' /etc/tapecast/tapecast.toml");
    machine.must("systemctl restart tapecast.service");
    serves(&machine, "127.0.0.1:9021");
    let said = install(&machine, "");
    assert!(said.contains("leaves tapecast.socket alone: it is masked"), "{said}");
    assert!(said.contains("serves by itself"), "{said}");
    serves(&machine, "127.0.0.1:9021");
    machine.must("test \"$(systemctl is-enabled tapecast.socket)\" = masked");
    install(&machine, "--uninstall");
    machine.must("test -z \"$(find /etc/systemd /usr/local -name '*tapecast*')\"");
}

/// Method: `/usr/local/bin` is a full disk.
#[test]
fn a_program_that_cannot_be_written_whole_is_not_installed() {
    let machine = Machine::boot();
    machine.must("mount -t tmpfs -o size=64k tmpfs /usr/local/bin");
    let refused = machine.run(&format!("{TUNING}/install.sh --binary {PROGRAM} 2>&1"));
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && said.contains("cannot write"), "{said}");
    machine.must("! test -e /usr/local/bin/tapecast");
    // The same where the copy that is compared first is cut.
    machine.must("umount /usr/local/bin && mkdir /run/small");
    machine.must("mount -t tmpfs -o size=64k tmpfs /run/small");
    let line = format!("TMPDIR=/run/small {TUNING}/install.sh --binary {PROGRAM} 2>&1");
    let refused = machine.run(&line);
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && said.contains("cannot write"), "{said}");
    machine.must("! test -e /usr/local/bin/tapecast && test -z \"$(ls -A /run/small)\"");
}
