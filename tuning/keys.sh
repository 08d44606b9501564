# shellcheck shell=bash
# The keys of tune.sh, as data: each row has a key, a rule, the value wanted, the reason, and what
# it costs whom. Read by tune.sh and by nothing else, which gives
#   connections, cores, ram_kib, page, root, nic, and yes or no in busy_poll, governor, affinity.
# The rules:
#   floor N       at least N; several numbers are compared one by one
#   ceiling N     at most N
#   range A B     from A or below to B or above
#   exact V       this value, for switches and masks of cores
#   word A|B|C    one of these words; A where it is none of them

# shellcheck disable=SC2154 # tune.sh gives them

# At least $2 and at most $3.
clamp() { echo $(($1 < $2 ? $2 : $1 > $3 ? $3 : $1)); }

list_keys() {
    list_descriptors
    list_connects
    list_buffers
    list_dead_peers
    list_packets
    if [ "$busy_poll" = yes ]; then list_busy_poll; fi
    if [ "$governor" = yes ]; then list_governors; fi
    if [ "$affinity" = yes ]; then list_affinity; fi
}

list_descriptors() {
    # A connection needs one. An eighth of all is kept for refusals and for sockets that move
    # between shards, and 20 a shard and 256 for everything else.
    local descriptors=$((connections + connections / 7 + 20 * ${#cores[@]} + 256))
    # Not below 524288, which systemd grants: a line in limits.d must not lower that for others.
    row nofile floor "$(clamp $descriptors 524288 $((1 << 30)))" \
        'a descriptor for each connection' \
        'None: only the hard limit rises. This is for logins; a service has LimitNOFILE.'
    row fs.nr_open floor "$(clamp $descriptors 1048576 $((1 << 30)))" \
        'the most that a process may be granted' \
        'A program that is granted as much can hold more kernel memory.'
    row fs.file-max floor $((descriptors + 65536)) \
        'open files of all processes together' \
        'Programs that leak files are stopped later.'
}

list_connects() {
    # Everybody reconnects within seconds after a restart; a quarter may wait at the same time.
    local waiting
    waiting=$(clamp $((connections / 4)) 4096 65535)
    row net.core.somaxconn floor "$waiting" \
        'connects that wait for their accept' \
        'Where a server is too slow they wait longer; each listener asks for its own length.'
    row net.ipv4.tcp_max_syn_backlog floor "$waiting" \
        'handshakes that are under way' \
        'Some 300 bytes each, in a flood as well.'
    row net.ipv4.tcp_syncookies floor 1 \
        'a SYN flood keeps nobody out' \
        'A connect during a flood may lose window scaling and SACK.'
    row net.ipv4.tcp_max_orphans floor "$connections" \
        'a stop closes all at once; excess is reset' \
        'An orphan may hold 64 KiB, within tcp_mem.'
    # Through a proxy on this host a client is two entries.
    row net.netfilter.nf_conntrack_max floor $((2 * connections + 65536)) \
        'tracked connections; above it packets drop' \
        'Some 320 bytes each. Where nothing tracks connections the key is absent and not needed.'
    row net.ipv4.ip_local_port_range range '16384 65535' \
        'a proxy needs a port for each client' \
        'Whoever listens between 16384 and 32768 and starts late may find its port taken: list it in net.ipv4.ip_local_reserved_ports.'
}

list_buffers() {
    # Twice SO_SNDBUF and SO_RCVBUF are 128 KiB a client, but half of the memory for all at most;
    # from three quarters of that on the kernel saves memory, below half of it does not at all.
    local pages
    pages=$(clamp $((connections * 131072 / page)) 1 $((ram_kib * 1024 / page / 2 + 1)))
    row net.ipv4.tcp_mem floor "$((pages / 2)) $((pages * 3 / 4)) $pages" \
        'pages of all TCP buffers: 128 KiB a client' \
        'Sockets of all programs together may hold up to half of the memory.'
    row net.ipv4.tcp_rmem floor '4096 131072 6291456' \
        'for feeds; a client has its own SO_RCVBUF' \
        'None where they are the defaults of the kernel, which these are.'
    row net.ipv4.tcp_wmem floor '4096 16384 4194304' \
        'for proxies; a client has its own SO_SNDBUF' \
        'None where they are the defaults of the kernel, which these are.'
    row net.core.rmem_max floor 212992 \
        'the most that SO_RCVBUF may ask for' 'None: the default of the kernel.'
    row net.core.wmem_max floor 212992 \
        'the most that SO_SNDBUF may ask for' 'None: the default of the kernel.'
    row net.ipv4.tcp_notsent_lowat ceiling 131072 \
        'a proxy holds little that is unsent and old' \
        'Programs that write much are woken more often. Tapecast sets its own.'
    row net.ipv4.tcp_slow_start_after_idle exact 0 \
        'a burst after a pause at the full window' \
        'Any program may meet a path that has become worse meanwhile with a burst.'
}

# Tapecast sets TCP_USER_TIMEOUT and its own keepalive; these are for what is in front of it.
list_dead_peers() {
    row net.ipv4.tcp_keepalive_time ceiling 600 \
        'fallback of TCP_USER_TIMEOUT: dead peers' \
        'Programs with keepalive and no time of their own probe idle peers every 10 minutes.'
    row net.ipv4.tcp_keepalive_intvl ceiling 30 \
        'the same: seconds between two probes' \
        'The same programs probe a silent peer more often.'
    row net.ipv4.tcp_keepalive_probes ceiling 5 \
        'the same: probes until it counts as dead' \
        'The same programs lose a peer whose path is down for two and a half minutes.'
    row net.ipv4.tcp_retries2 ceiling 8 \
        'the same: 100 s without an acknowledgement' \
        'Connections of all programs end then, and not after 15 minutes (RFC 1122 wants 100 s).'
    row net.ipv4.tcp_fin_timeout ceiling 15 \
        'after our close a mute peer is forgotten' \
        'A peer that closes its own side later than that is answered with a reset.'
}

list_packets() {
    row net.core.netdev_max_backlog floor 8192 \
        'packets that wait for a core: bursts' \
        'Where a core is too slow, packets wait longer before they are dropped.'
    row net.core.netdev_budget floor 600 \
        'packets in one round of receiving' \
        'A shard on that core waits for the round, at most netdev_budget_usecs.'
    row net.core.netdev_budget_usecs floor 4000 \
        'microseconds of one round' 'A shard on that core waits so long at most.'
    row thp.enabled word 'madvise|never' \
        'no stalls for huge pages nobody asked for' \
        'Programs that gain from huge pages and do not ask for them become slower.'
    row thp.defrag word 'madvise|never|defer|defer+madvise' \
        'no stalls in page faults' 'Those programs get fewer huge pages at once.'
}

list_busy_poll() {
    local cost='CPU and power for every waiting read and poll of every program. A shard waits in io_uring, which this does not reach: it is for feeds and proxies.'
    row net.core.busy_poll floor 50 'poll(2) looks at the card for 50 us' "$cost"
    row net.core.busy_read floor 50 'a waiting read the same' "$cost"
}

list_governors() {
    local core
    for core in "${cores[@]}"; do
        row "governor/cpu$core" word performance 'a burst does not wait for the clock to rise' \
            'Power and heat, of which other cores may get less.'
    done
}

# Queue i of the card, and all that belongs to it, goes to the core of shard i, in turn.
list_affinity() {
    local card=$root/sys/class/net/$nic number name queue index rx tx
    rx=("$card"/queues/rx-*) tx=("$card"/queues/tx-*)
    for number in $(card_interrupts "$card"); do
        name=$(interrupt_name "$number")
        # The queue's number ends the name: eth0-TxRx-7, virtio3-input.0, mlx5_comp3@pci:…
        [[ $name =~ ([0-9]+)(@.*)?$ ]] && queue=${BASH_REMATCH[1]} || queue=0
        row "irq/$number" exact "${cores[10#$queue % ${#cores[@]}]}" \
            "$name to the core of its shard" \
            'That core takes the interrupts; irqbalance, where it runs, moves them away again.'
    done
    for index in "${!tx[@]}"; do
        row "xps/$nic/tx-$index" exact "$(mask "${cores[index % ${#cores[@]}]}")" \
            'a shard sends by a queue of its own' 'Other programs on that core use it too.'
    done
    # With as many queues as shards, each core is interrupted for its own packets. With fewer the
    # kernel must spread them.
    if ((${#rx[@]} >= ${#cores[@]})); then return; fi
    for index in "${!rx[@]}"; do
        row "rps/$nic/rx-$index" exact "$(mask "${cores[@]}")" \
            'fewer queues than shards: spread' 'An interrupt between cores for each batch.'
    done
}

# Numbers of the interrupts of a card's queues. Those of a virtio card belong to the device above.
card_interrupts() {
    local file number
    for file in "$1"/device/msi_irqs/* "$1"/device/../msi_irqs/*; do
        number=${file##*/}
        case $(interrupt_name "$number") in
            '' | *config | *event | *async* | *cmd* | *ctrl* | *control*) ;;
            *) echo "$number" ;;
        esac
    done | sort -nu
}

interrupt_name() { awk -v n="$1:" '$1 == n { print $NF }' "$root/proc/interrupts"; }

# A mask of cores as the kernel reads it: hexadecimal, 32 to a word, the highest first.
mask() {
    local core word words=() text=''
    for core; do
        words[core / 32]=$((${words[core / 32]:-0} | 1 << core % 32))
        for ((word = core / 32; word >= 0; word--)); do : "${words[word]:=0}"; done
    done
    for word in "${words[@]}"; do text=$(printf '%08x' "$word")${text:+,$text}; done
    plain_mask "$text"
}

# Without what leads it, since kernels differ in that: 00000000,00000003 is 3.
plain_mask() {
    local text=$1
    while [[ $text == [0,]?* ]]; do text=${text:1}; done
    echo "$text"
}
