# shellcheck shell=bash
# What the tests of tune.sh share: how it is called, and a tree of files that looks like a host.

# shellcheck disable=SC2034,SC2154 # the tests use the one, bats sets the other
TUNE=$BATS_TEST_DIRNAME/../../tuning/tune.sh

# Fails, and shows what there is, unless the output of the last `run` has each of the lines.
has_lines() {
    local wanted
    for wanted in "$@"; do
        if ! grep -qxF -- "$wanted" <<< "$output"; then
            printf 'no line "%s" in:\n%s\n' "$wanted" "$output"
            return 1
        fi
    done
}

has_text() {
    if [[ $output != *"$1"* ]]; then
        printf '"%s" is not in:\n%s\n' "$1" "$output"
        return 1
    fi
}

# Fails where a file has the pattern. A plain `! grep` would not fail a test.
lacks() {
    if grep -n "$1" "$2"; then return 1; fi
}

# Every file below a directory with its content: what must be the same after a revert.
contents() { (cd "$1" && find . -type f -exec grep -H '' {} + | sort); }

put_file() {
    mkdir -p "$(dirname "$HOST/$1")"
    printf '%s\n' "${@:2}" > "$HOST/$1"
}

# A host of 16 GiB and four cores with the values of a fresh Debian, whose network card has two
# queues, with an interrupt for each and one for its events. Its memory is 4194304 pages.
make_host() {
    HOST=$BATS_TEST_TMPDIR/host
    put_file proc/meminfo 'MemTotal:       16777216 kB' 'MemFree:        12000000 kB'
    put_file proc/self/limits 'Limit                     Soft Limit           Hard Limit   Units' \
        'Max open files            1024                 4096         files'
    put_file proc/net/route $'Iface\tDestination\tGateway' $'eth0\t00000000\t010200C0'
    put_file proc/interrupts '           CPU0       CPU1       CPU2       CPU3' \
        ' 40:    1    0    0    0 PCI-MSIX-0000:00:04.0   0-edge      eth0-async-event' \
        ' 41:    1    0    0    0 PCI-MSIX-0000:00:04.0   1-edge      eth0-TxRx-0' \
        ' 42:    1    0    0    0 PCI-MSIX-0000:00:04.0   2-edge      eth0-TxRx-1'
    make_sysctls
    put_file sys/kernel/mm/transparent_hugepage/enabled '[always] madvise never'
    put_file sys/kernel/mm/transparent_hugepage/defrag 'always defer defer+madvise [madvise] never'
    put_file sys/devices/system/cpu/online 0-3
    local cpu number queue
    for cpu in 0 1 2 3; do
        put_file "sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor" powersave
    done
    for number in 40 41 42; do
        put_file "sys/class/net/eth0/device/msi_irqs/$number" msix
        put_file "proc/irq/$number/smp_affinity_list" 0-3
    done
    for queue in 0 1; do
        put_file "sys/class/net/eth0/queues/rx-$queue/rps_cpus" 00000000,00000000
        put_file "sys/class/net/eth0/queues/tx-$queue/xps_cpus" 00000000,00000000
    done
}

make_sysctls() {
    put_file proc/sys/fs/nr_open 1048576
    put_file proc/sys/fs/file-max 100000
    put_file proc/sys/net/core/somaxconn 4096
    put_file proc/sys/net/core/netdev_max_backlog 1000
    put_file proc/sys/net/core/netdev_budget 300
    put_file proc/sys/net/core/netdev_budget_usecs 8000
    put_file proc/sys/net/core/busy_poll 0
    put_file proc/sys/net/core/busy_read 0
    put_file proc/sys/net/ipv4/tcp_mem $'190000\t250000\t380000'
    put_file proc/sys/net/ipv4/tcp_max_orphans 65536
    put_file proc/sys/net/ipv4/tcp_rmem $'4096\t131072\t6291456'
    put_file proc/sys/net/ipv4/ip_local_port_range $'32768\t60999'
    put_file proc/sys/net/ipv4/tcp_fin_timeout 60
}
