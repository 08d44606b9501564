#!/usr/bin/env bats
# shellcheck disable=SC1091,SC2034 # keys.sh is read by itself elsewhere, and uses what a test sets
# The keys that are the whole machine's (files, memory, huge pages, clock, network card), and what
# persists. Method: tune.sh on a tree of files that looks like a host, with --root.

load stage

setup() { make_host; }

tune() { run "$TUNE" "$@" --root "$HOST"; }

chosen_page() { cat "$HOST/sys/kernel/mm/transparent_hugepage/enabled"; }

@test "show has a line for each key: the value now, the value wanted, and why" {
    tune show --connections 100000
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "for 100000 connections on cores 0 1 2 3 with 16384 MiB of memory" ]]
    [[ $output =~ set\ +fs.file-max\ +100000\ +180157\ +open\ files ]]
    [[ $output =~ ok\ +fs.nr_open\ +1048576\ +1048576\  ]]
    [[ $output =~ later\ +nofile\ +4096\ +524288\  ]]
    [[ $output =~ set\ +thp.enabled\ +always\ +madvise\  ]]
    [[ $output =~ ok\ +net.core.netdev_budget_usecs\ +8000\ +8000\  ]]
}

@test "show --long has the trade-off of every key" {
    tune show --long
    has_text "Programs that gain from huge pages and do not ask for them become slower."
    source "$BATS_TEST_DIRNAME/../../tuning/keys.sh"
    root=$HOST nic=eth0 cores=(0 1 2 3) connections=20000 page=4096 ram_kib=16777216
    busy_poll=yes governor=yes affinity=yes
    row() {
        [ $# -eq 5 ]
        [ -n "$4" ] && [ -n "$5" ]
    }
    list_keys
}

@test "every key is in the table of the README" {
    tune show --affinity --governor --busy-poll
    mapfile -t names < <(awk '/^(ok|set|later|absent|fixed) / { print $2 }' <<< "$output" |
        sed 's/cpu[0-9]$/cpuN/; s/^irq.*/irq\/N/; s/eth0/NIC/; s/x-[0-9]$/x-N/' | sort -u)
    echo "${#names[@]} names"
    [ "${#names[@]}" -ge 25 ]
    for name in "${names[@]}"; do
        grep -qF "\`$name\`" "$BATS_TEST_DIRNAME/../../tuning/README.md"
    done
}

@test "tcp_mem: 128 KiB a client, and half of the memory at most" {
    tune show --connections 100000 --only net.ipv4.tcp_mem
    # With pages of 4 KiB half of 16 GiB is 2097152, and 100000 clients would be 3200000.
    pages=$((16777216 * 1024 / $(getconf PAGESIZE) / 2 + 1))
    has_text "$((pages / 2)) $((pages * 3 / 4)) $pages"
    tune show --connections 10000 --only net.ipv4.tcp_mem
    pages=$((10000 * 131072 / $(getconf PAGESIZE)))
    has_text "$((pages > 380000 ? pages / 2 : 190000))"
}

@test "a dry run writes nothing" {
    before=$(contents "$HOST")
    for command in apply revert persist; do
        tune $command --affinity --governor --busy-poll --dry-run
        [ "$status" -eq 0 ]
        [ "$(contents "$HOST")" = "$before" ]
    done
    tune apply --dry-run --connections 100000
    has_lines "would set thp.enabled = madvise (now always)" \
        "would set fs.file-max = 180157 (now 100000)"
}

@test "apply sets what is not as wanted, and tells what the kernel lacks" {
    tune apply --only fs,net.core,net.ipv4.tcp_keepalive_time --connections 100000
    [ "$status" -eq 0 ]
    has_lines "set fs.file-max = 180157 (was 100000)" "set net.core.somaxconn = 25000 (was 4096)" \
        "absent net.ipv4.tcp_keepalive_time: this kernel or network namespace lacks it"
    [ "$(cat "$HOST/proc/sys/net/core/somaxconn")" = 25000 ]
}

@test "apply twice, then revert: every file is as it was" {
    # A fixture has no kernel that would turn the chosen word into a list of words again.
    put_file sys/kernel/mm/transparent_hugepage/enabled always
    before=$(contents "$HOST" | tr '\t' ' ' | sed 's/00000000,00000000/0/')
    tune apply --affinity --governor --busy-poll
    [ "$status" -eq 0 ]
    [ "$(chosen_page)" = madvise ]
    tune apply --affinity --governor --busy-poll
    [[ $output == *"0 changed"* ]]
    # Other wishes change more, and do not forget the first values.
    tune apply --connections 300000
    [[ $output != *"0 changed"* ]]
    tune revert
    [ "$status" -eq 0 ]
    [ "$(contents "$HOST" | tr '\t' ' ')" = "$before" ]
    tune revert
    [ "$status" -eq 0 ]
    has_text "nothing to revert"
}

@test "a value that is better is left alone" {
    put_file proc/sys/fs/file-max 9223372036854775807
    put_file proc/sys/net/core/somaxconn 1000000
    put_file proc/sys/net/ipv4/tcp_fin_timeout 5
    put_file proc/sys/net/ipv4/ip_local_port_range $'1024\t60999'
    put_file proc/sys/net/ipv4/tcp_mem $'9000000\t250000\t380000'
    put_file sys/kernel/mm/transparent_hugepage/enabled 'always madvise [never]'
    tune apply --connections 10000
    [ "$(cat "$HOST/proc/sys/fs/file-max")" = 9223372036854775807 ]
    [ "$(cat "$HOST/proc/sys/net/core/somaxconn")" = 1000000 ]
    [ "$(cat "$HOST/proc/sys/net/ipv4/tcp_fin_timeout")" = 5 ]
    [ "$(cat "$HOST/proc/sys/net/ipv4/ip_local_port_range")" = "1024 65535" ]
    [[ $(cat "$HOST/proc/sys/net/ipv4/tcp_mem") == 9000000* ]]
    [ "$(chosen_page)" = 'always madvise [never]' ]
}

@test "what costs others much is only done when it is asked for" {
    tune apply
    [ "$(cat "$HOST/proc/sys/net/core/busy_poll")" = 0 ]
    [ "$(cat "$HOST/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")" = powersave ]
    [ "$(cat "$HOST/proc/irq/41/smp_affinity_list")" = 0-3 ]
    tune apply --busy-poll --governor --shards 2
    [ "$(cat "$HOST/proc/sys/net/core/busy_poll")" = 50 ]
    [ "$(cat "$HOST/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor")" = performance ]
    [ "$(cat "$HOST/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor")" = powersave ]
}

@test "affinity: as many queues as shards: each queue to its shard's core" {
    tune apply --affinity --cores 2-3
    [ "$status" -eq 0 ]
    has_lines "set irq/41 = 2 (was 0-3)" "set irq/42 = 3 (was 0-3)" \
        "set xps/eth0/tx-0 = 4 (was 0)" "set xps/eth0/tx-1 = 8 (was 0)"
    [[ $output != *rps* && $output != *irq/40* ]]
}

@test "affinity: fewer queues than shards: their packets are spread, beyond core 31 too" {
    put_file sys/devices/system/cpu/online 0-63
    tune apply --affinity --cores 0,1,40
    [ "$status" -eq 0 ]
    has_lines "set rps/eth0/rx-0 = 100,00000003 (was 0)" "set rps/eth0/rx-1 = 100,00000003 (was 0)"
}

@test "the interrupts of a virtio card belong to the device above it" {
    rm -r "$HOST/sys/class/net/eth0/device"
    mkdir -p "$HOST/sys/devices/pci/virtio3"
    put_file sys/devices/pci/msi_irqs/43 msix
    put_file sys/devices/pci/msi_irqs/44 msix
    put_file proc/irq/44/smp_affinity_list 0-3
    put_file proc/interrupts ' 43: 1 PCI-MSIX 0-edge virtio3-config' \
        ' 44: 1 PCI-MSIX 1-edge virtio3-input.1'
    ln -s ../../../devices/pci/virtio3 "$HOST/sys/class/net/eth0/device"
    tune apply --affinity --only irq --cores 0-3
    has_lines "set irq/44 = 1 (was 0-3)" "1 changed"
}

@test "persist writes files for every boot, twice the same, and revert --persisted removes them" {
    tune persist --connections 100000 --affinity
    [ "$status" -eq 0 ]
    grep -qx 'net.core.somaxconn = 25000' "$HOST/etc/sysctl.d/90-tapecast.conf"
    grep -qx 'fs.nr_open = 1048576' "$HOST/etc/sysctl.d/90-tapecast.conf"
    lacks 'tcp_keepalive_time\|irq' "$HOST/etc/sysctl.d/90-tapecast.conf"
    grep -qx '\* hard nofile 524288' "$HOST/etc/security/limits.d/90-tapecast.conf"
    grep -qx 'w /sys/kernel/mm/transparent_hugepage/enabled - - - - madvise' \
        "$HOST/etc/tmpfiles.d/90-tapecast.conf"
    has_text "not written: irq/41"
    before=$(contents "$HOST")
    tune persist --connections 100000
    [ "$(contents "$HOST")" = "$before" ]
    tune revert --persisted
    [ "$status" -eq 0 ]
    [ -z "$(find "$HOST/etc" -type f)" ]
}

@test "what persist writes, the system's own programs take" {
    tune persist --connections 100000
    # procps and systemd read the same form; -N of the latter would need the keys to exist.
    run grep -vE '^(#.*|[a-z0-9_.-]+ = [0-9 ]+)$' "$HOST/etc/sysctl.d/90-tapecast.conf"
    [ -z "$output" ]
    run grep -vE '^(#.*|(\*|root) hard nofile [0-9]+)$' \
        "$HOST/etc/security/limits.d/90-tapecast.conf"
    [ -z "$output" ]
}

@test "persist and apply of one another's values agree" {
    tune apply --connections 100000
    tune persist --connections 100000
    grep -qx 'fs.file-max = 180157' "$HOST/etc/sysctl.d/90-tapecast.conf"
    tune revert --persisted
    [ "$(cat "$HOST/proc/sys/fs/file-max")" = 100000 ]
}

@test "a limit that PAM could not grant is not persisted, or nobody could log in" {
    tune persist --connections 1000000
    [ "$status" -eq 1 ]
    has_text "is above fs.nr_open"
    [ ! -e "$HOST/etc/security/limits.d/90-tapecast.conf" ]
    tune apply --connections 1000000
    tune persist --connections 1000000
    [ "$status" -eq 0 ]
    grep -qx 'root hard nofile 1143193' "$HOST/etc/security/limits.d/90-tapecast.conf"
}

@test "a file of the same name that is not ours is left" {
    put_file etc/sysctl.d/90-tapecast.conf 'vm.swappiness = 1'
    tune revert --persisted
    has_text "it is not ours"
    [ "$(cat "$HOST/etc/sysctl.d/90-tapecast.conf")" = 'vm.swappiness = 1' ]
    before=$(contents "$HOST")
    tune persist
    [ "$status" -eq 1 ]
    has_text "90-tapecast.conf is not ours: move it away first"
    [ "$(contents "$HOST")" = "$before" ]
}

@test "a root that is no running system's is wrong use" {
    run "$TUNE" show --root "$BATS_TEST_TMPDIR"
    [ "$status" -eq 2 ]
    has_text "there is no proc/meminfo; give the / of a system that runs"
}

@test "wrong use is exit code 2 and names what was wrong" {
    while IFS='|' read -r arguments words; do
        # shellcheck disable=SC2086 # arguments are several words
        run "$TUNE" $arguments --root "$HOST"
        [ "$status" -eq 2 ]
        has_text "$words"
    done << 'TEXT'
|usage:
tweak|tweak: no such command
show apply|show and apply are two commands
show --fast 1|--fast: no such flag
show --connections many|--connections many: give a number
show --connections 0|--connections 0: give a number
show --shards 0|--shards 0: give a number
show --cores 1-|--cores 1-: write it like 0-3,8
show --affinity --nic eth7|--nic eth7: there is no such network card
TEXT
    run "$TUNE" show --connections
    [ "$status" -eq 2 ]
}
