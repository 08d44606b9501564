#!/usr/bin/env bats
# The keys that each network namespace has for itself, for real. Method: tune.sh in a namespace of
# the test's own with a card of two queues; all of its keys are read before and after.

load stage

setup() {
    NS=tctune-$$-$BATS_TEST_NUMBER
    STATE=$BATS_TEST_TMPDIR/state
    ip netns add "$NS"
    inside ip link add near numrxqueues 2 numtxqueues 2 type veth peer name far
}

teardown() { ip netns delete "$NS"; }

inside() { ip netns exec "$NS" "$@"; }

# Only what begins with these is the namespace's own; nothing of the machine's may be touched.
tune() { run inside "$TUNE" "$@" --only "${ONLY:-net,xps/near,rps/near}" --state "$STATE"; }

# The lines of all keys of the namespace. Some, of what nobody uses, cannot be read.
keys() {
    inside sh -c 'grep -r "" /proc/sys/net /sys/class/net/near/queues/*/[rx]ps_cpus 2> /dev/null' |
        sort
}

value() { inside cat "/proc/sys/${1//.//}" | tr '\t' ' '; }

@test "apply, twice, and revert: every key of the namespace is as it was" {
    before=$(keys)
    [ "$(wc -l <<< "$before")" -gt 200 ]
    tune apply --connections 100000 --affinity --nic near
    [ "$status" -eq 0 ]
    [ "$(value net.core.somaxconn)" = 25000 ]
    [ "$(value net.ipv4.tcp_retries2)" = 8 ]
    [ "$(value net.ipv4.ip_local_port_range)" = "16384 65535" ]
    [ "$(value net.ipv4.tcp_slow_start_after_idle)" = 0 ]
    [ "$(inside cat /sys/class/net/near/queues/tx-0/xps_cpus | tr -d 0,)" = 1 ]
    applied=$(keys)
    saved=$(cat "$STATE")
    tune apply --connections 100000 --affinity --nic near
    [ "$status" -eq 0 ]
    has_lines "0 changed"
    [ "$(keys)" = "$applied" ]
    [ "$(cat "$STATE")" = "$saved" ]
    tune revert
    [ "$status" -eq 0 ]
    diff <(echo "$before") <(keys)
    [ ! -e "$STATE" ]
}

@test "what is the machine's alone is told and no error" {
    tune apply
    [ "$status" -eq 0 ]
    has_lines "absent net.ipv4.tcp_mem: this kernel or network namespace lacks it" \
        "absent net.core.netdev_max_backlog: this kernel or network namespace lacks it"
}

@test "what can be read here but not set is told and no error" {
    ONLY=net.netfilter tune apply --connections 10000000
    [ "$status" -eq 0 ]
    # Only where the machine tracks connections there is the key.
    if [ -e /proc/sys/net/netfilter/nf_conntrack_max ]; then
        before=$(value net.netfilter.nf_conntrack_max)
        has_text "fixed net.netfilter.nf_conntrack_max = $before: it cannot be set from here"
    else
        has_text "absent net.netfilter.nf_conntrack_max"
    fi
}

@test "better values stay, and are not in the state" {
    inside sh -c 'echo 70000 > /proc/sys/net/core/somaxconn
        echo 60 > /proc/sys/net/ipv4/tcp_keepalive_time
        echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range'
    tune apply
    [ "$(value net.core.somaxconn)" = 70000 ]
    [ "$(value net.ipv4.tcp_keepalive_time)" = 60 ]
    [ "$(value net.ipv4.ip_local_port_range)" = "1024 65535" ]
    lacks 'somaxconn\|keepalive_time\|port_range' "$STATE"
}

@test "what somebody else changed meanwhile is put back too" {
    before=$(value net.ipv4.tcp_fin_timeout)
    tune apply
    inside sh -c 'echo 33 > /proc/sys/net/ipv4/tcp_fin_timeout'
    tune revert
    has_lines "set net.ipv4.tcp_fin_timeout = $before (was 33)"
}

@test "a value that the kernel refuses is told, with exit code 1, and the others are set" {
    # No kernel is built for so many cores.
    ONLY=net.ipv4.tcp_retries2,xps/near tune apply --affinity --nic near --cores 99999
    [ "$status" -eq 1 ]
    has_text "xps/near/tx-0: the kernel does not take"
    [ "$(value net.ipv4.tcp_retries2)" = 8 ]
    tune revert
    [ "$status" -eq 0 ]
}

@test "the state of one namespace is not reverted in another" {
    tune apply
    run "$TUNE" revert --only net --state "$STATE"
    [ "$status" -eq 2 ]
    has_text "give a --state"
    tune revert
    [ "$status" -eq 0 ]
}
