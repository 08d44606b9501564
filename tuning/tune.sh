#!/usr/bin/env bash
# Tunes a Linux host for a Tapecast server: shows what there is and what is wanted, applies it,
# takes it back, or makes it last. The keys are in keys.sh, and their trade-offs too.
#
# A value that is better already is left alone; a key that this kernel lacks is told and no error;
# what apply changes is first written to a state file, from which revert restores it.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C

# shellcheck source=keys.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/keys.sh"

readonly MARK='# Written by tune.sh of Tapecast; "tune.sh revert --persisted" removes it.'
readonly PERSISTED=(/etc/sysctl.d/90-tapecast.conf /etc/security/limits.d/90-tapecast.conf
    /etc/tmpfiles.d/90-tapecast.conf)

usage() {
    cat << 'TEXT'
usage: tune.sh show|apply|revert|persist [flags]

  show               each key: its value now, the value wanted, and why
  apply              sets what is not as wanted, until the next boot
  revert             restores exactly what was there before the first apply
  persist            writes sysctl.d, limits.d and tmpfiles.d: for every boot from the next on

  --connections N    connections to be ready for [20000]
  --shards N         shards of the server [one a core]
  --cores LIST       cores of the shards in their order, for example 0-3,8 [all]
  --only LIST        only keys that begin with one of these, for example net.ipv4,fs
  --long             show: with the trade-off of each key
  --dry-run          says what would be written, and writes nothing
  --persisted        revert: removes also what persist wrote
  --state FILE       what revert restores from [/run/tapecast/tune.state]
  --root DIR         takes DIR for /: for tests and images

 Off by default, since each costs something that is not for everybody:
  --busy-poll        waiting reads look at the network card by themselves: burns CPU
  --governor         the shards' cores at full clock: burns power
  --affinity         interrupts and packet steering of the network card in line with the shards
  --nic NAME         that card [the one of the default route]

exit code: 0 done, 1 something could not be set, 2 wrong use
TEXT
}

wrong_use() {
    printf 'tune.sh: %s; "tune.sh --help" has all commands and flags\n' "$1" >&2
    exit 2
}

# ---- What is there ------------------------------------------------------------------------------

names=() rules=() wants=() whys=() costs=()

# One key of keys.sh, if it is asked for.
row() {
    if is_chosen "$1"; then
        names+=("$1") rules+=("$2") wants+=("$3") whys+=("$4") costs+=("$5")
    fi
}

is_chosen() {
    local start
    if [ ${#only[@]} -eq 0 ]; then return 0; fi
    for start in "${only[@]}"; do
        if [[ $1 == "$start"* ]]; then return 0; fi
    done
    return 1
}

# Below the root.
path_of() {
    local rest=${1#*/}
    case $1 in
        nofile) echo /proc/self/limits ;;
        thp.*) echo "/sys/kernel/mm/transparent_hugepage/${1#thp.}" ;;
        governor/*) echo "/sys/devices/system/cpu/$rest/cpufreq/scaling_governor" ;;
        irq/*) echo "/proc/irq/$rest/smp_affinity_list" ;;
        xps/*) echo "/sys/class/net/${rest%/*}/queues/${rest##*/}/xps_cpus" ;;
        rps/*) echo "/sys/class/net/${rest%/*}/queues/${rest##*/}/rps_cpus" ;;
        *) echo "/proc/sys/${1//.//}" ;;
    esac
}

# The value of a key: numbers with single blanks between, of several words the chosen one. Fails
# where the kernel lacks the key.
value_of() {
    local text words
    text=$(cat "$root$(path_of "$1")" 2> /dev/null) || return 1
    case $1 in
        nofile)
            text=$(awk '/^Max open files/ { print $5 }' <<< "$text")
            if [ "$text" = unlimited ]; then text=$((1 << 30)); fi
            ;;
        thp.*) text=${text#*[} text=${text%%]*} ;;
        xps/* | rps/*) text=$(plain_mask "$text") ;;
    esac
    read -ra words <<< "$text"
    echo "${words[*]}"
}

# What a key should become, given its rule, the value wanted and the value now.
target() {
    local rule=$1 wanted is index result=()
    read -ra wanted <<< "$2"
    read -ra is <<< "$3"
    case $rule in
        exact) result=("$2") ;;
        word) if [[ "|$2|" == *"|$3|"* ]]; then result=("$3"); else result=("${2%%|*}"); fi ;;
        range)
            result=("$(lesser "${is[0]}" "${wanted[0]}")" "$(greater "${is[1]}" "${wanted[1]}")")
            ;;
        floor)
            for index in "${!wanted[@]}"; do
                result+=("$(greater "${is[index]}" "${wanted[index]}")")
            done
            ;;
        ceiling) result=("$(lesser "$3" "$2")") ;;
    esac
    echo "${result[*]}"
}

lesser() { echo $(($1 < $2 ? $1 : $2)); }
greater() { echo $(($1 > $2 ? $1 : $2)); }

# Looks at row $1: sets `now`, `goal` and `verdict`, which is one of
#   ok       as wanted, or better
#   set      apply sets it
#   later    it counts for processes to come: persist writes it
#   fixed    it can be read but not set here: in a network namespace, or without the rights
#   absent   this kernel, or this network namespace, lacks it
look_at() {
    local name=${names[$1]}
    goal=${wants[$1]} verdict='absent'
    now=$(value_of "$name") || { now='-' && return 0; }
    goal=$(target "${rules[$1]}" "${wants[$1]}" "$now")
    if [ "$goal" = "$now" ]; then
        verdict=ok
    elif [ "$name" = nofile ]; then
        verdict=later
    elif [ -w "$root$(path_of "$name")" ]; then
        verdict='set'
    else
        verdict=fixed
    fi
}

# ---- Commands -----------------------------------------------------------------------------------

show() {
    local index wrong=0
    printf 'for %s connections on cores %s with %s MiB of memory\n\n' "$connections" \
        "${cores[*]}" $((ram_kib / 1024))
    printf '%-7s %-34s %-23s %-23s %s\n' '' KEY NOW WANTED WHY
    for index in "${!names[@]}"; do
        look_at "$index"
        case $verdict in ok | absent) ;; *) wrong=$((wrong + 1)) ;; esac
        printf '%-7s %-34s %-23s %-23s %s\n' "$verdict" "${names[index]}" "$now" "$goal" \
            "${whys[index]}"
        if [ "$long" = yes ]; then fold -s -w 80 <<< "${costs[index]}" | sed 's/^/          /'; fi
    done
    printf '\n%s of %s keys are not as wanted. ' "$wrong" "${#names[@]}"
    echo 'set: apply sets it. later: persist writes it. fixed: not from here.'
}

apply() {
    local index name failed=0 changed=0
    check_namespace
    for index in "${!names[@]}"; do
        name=${names[index]}
        look_at "$index"
        case $verdict in
            absent) echo "absent $name: this kernel or network namespace lacks it" ;;
            fixed) echo "fixed $name = $now: it cannot be set from here" ;;
            later) echo "later $name = $goal (now $now): for new logins, by \"tune.sh persist\"" ;;
            set)
                remember "$name" "$now"
                if put "$name" "$now" "$goal"; then changed=$((changed + 1)); else failed=1; fi
                ;;
        esac
    done
    if [ "$dry_run" = no ]; then echo "$changed changed"; fi
    if [ "$affinity$root" = yes ] && pgrep -x irqbalance > /dev/null 2>&1; then
        echo 'tune.sh: irqbalance runs, and will move the interrupts again; stop it' >&2
    fi
    return $failed
}

# Writes a value, or says so. The kernel may refuse it, or make something else of it.
put() {
    if [ "$dry_run" = yes ]; then
        echo "would set $1 = $3 (now $2)"
    elif { echo "$3" > "$root$(path_of "$1")"; } 2> /dev/null && [ "$(value_of "$1")" = "$3" ]; then
        echo "set $1 = $3 (was $2)"
    else
        echo "tune.sh: $1: the kernel does not take '$3'; it is '$(value_of "$1")'" >&2
        return 1
    fi
}

# The state file: a line that names the network namespace, then "key<TAB>value before" in the order
# in which they were set. It is in /run, so it ends with the boot, as what apply sets does.
remember() {
    if [ "$dry_run" = yes ]; then return; fi
    if [ ! -e "$state" ]; then
        mkdir -p "${state%/*}"
        printf 'namespace\t%s\n' "$namespace" > "$state"
    fi
    # What was there before the first apply counts, not what an earlier apply made of it.
    if ! cut -f 1 "$state" | grep -qxF "$1"; then printf '%s\t%s\n' "$1" "$2" >> "$state"; fi
}

check_namespace() {
    local key saved
    if [ ! -e "$state" ]; then return; fi
    IFS=$'\t' read -r key saved < "$state"
    if [ "$key $saved" != "namespace $namespace" ]; then
        wrong_use "$state is of the network namespace $saved, this is $namespace; give a --state"
    fi
}

# Restores in the opposite order; what cannot be restored stays in the state file.
revert() {
    local name before now left=''
    check_namespace
    if [ ! -e "$state" ]; then
        echo "nothing to revert: there is no $state"
    else
        while IFS=$'\t' read -r name before; do
            now=$(value_of "$name") || now='-'
            if [ "$now" != "$before" ] && ! put "$name" "$now" "$before"; then
                left=$name$'\t'$before$'\n'$left
            fi
        done < <(tail -n +2 "$state" | tac)
        if [ "$dry_run" = no ]; then
            if [ -n "$left" ]; then
                printf 'namespace\t%s\n%s' "$namespace" "$left" > "$state"
            else
                rm "$state"
            fi
        fi
    fi
    if [ "$persisted" = yes ]; then remove_persisted; fi
    [ -z "$left" ]
}

# Writes every key, also one that is right just now: it may be so by an apply.
persist() {
    local index name path failed=0 sysctls=() limits=() tmpfiles=()
    # All or none: half of the keys would be found missing after the next boot.
    for path in "${PERSISTED[@]}"; do
        if is_foreign "$root$path"; then
            echo "tune.sh: $root$path is not ours: move it away first; nothing is written" >&2
            failed=1
        fi
    done
    [ $failed = 0 ] || return 1
    for index in "${!names[@]}"; do
        name=${names[index]}
        look_at "$index"
        case $verdict:$name in
            absent:*) echo "absent $name: not written" ;;
            *:nofile)
                # PAM cannot grant more than the kernel allows, and then lets nobody log in.
                if [ "$goal" -gt "$(value_of fs.nr_open || echo 1048576)" ]; then
                    echo "tune.sh: nofile = $goal is above fs.nr_open: run \"apply\" first" >&2
                    failed=1
                else
                    limits+=("* hard nofile $goal" "root hard nofile $goal")
                fi
                ;;
            *:thp.* | *:governor/*) tmpfiles+=("w $(path_of "$name") - - - - $goal") ;;
            *:irq/* | *:xps/* | *:rps/*)
                echo "not written: $name; its number may change with a boot, so apply it after one"
                ;;
            *) sysctls+=("$name = $goal") ;;
        esac
    done
    write_file "${PERSISTED[0]}" ${sysctls[@]+"${sysctls[@]}"}
    write_file "${PERSISTED[1]}" ${limits[@]+"${limits[@]}"}
    write_file "${PERSISTED[2]}" ${tmpfiles[@]+"${tmpfiles[@]}"}
    return $failed
}

# Somebody else has written a file of this name.
is_foreign() { [ -e "$1" ] && [ "$(head -n 1 "$1")" != "$MARK" ]; }

write_file() {
    local file=$root$1
    shift
    if [ $# -eq 0 ]; then return; fi
    if [ "$dry_run" = yes ]; then
        printf 'would write %s:\n' "$file"
        printf '    %s\n' "$@"
    else
        mkdir -p "${file%/*}"
        printf '%s\n' "$MARK" "$@" > "$file"
        echo "written $file"
    fi
}

remove_persisted() {
    local path file
    for path in "${PERSISTED[@]}"; do
        file=$root$path
        if [ ! -e "$file" ]; then
            continue
        elif is_foreign "$file"; then
            echo "left $file: it is not ours"
        elif [ "$dry_run" = yes ]; then
            echo "would remove $file"
        else
            rm "$file"
            echo "removed $file; what it set at the boot stays until the next one"
        fi
    done
}

# ---- The command line ---------------------------------------------------------------------------

command='' connections=20000 shards='' core_list='' only=() long=no dry_run=no persisted=no
state='' root='' busy_poll=no governor=no affinity=no nic=''

read_flags() {
    while [ $# -gt 0 ]; do
        case $1 in
            show | apply | revert | persist)
                if [ -n "$command" ]; then wrong_use "$command and $1 are two commands"; fi
                command=$1
                ;;
            --long) long=yes ;;
            --dry-run) dry_run=yes ;;
            --persisted) persisted=yes ;;
            --busy-poll) busy_poll=yes ;;
            --governor) governor=yes ;;
            --affinity) affinity=yes ;;
            -h | --help) usage && exit ;;
            --*)
                if [ $# -lt 2 ]; then wrong_use "$1: it has no value, or is no flag"; fi
                read_value "$1" "$2"
                shift
                ;;
            *) wrong_use "$1: no such command" ;;
        esac
        shift
    done
}

read_value() {
    case $1 in
        --connections) connections=$2 ;;
        --shards) shards=$2 ;;
        --cores) core_list=$2 ;;
        --only) IFS=, read -ra only <<< "$2" ;;
        --state) state=$2 ;;
        --root) root=${2%/} ;;
        --nic) nic=$2 ;;
        *) wrong_use "$1: no such flag" ;;
    esac
}

number() {
    if ! [[ $2 =~ ^[1-9][0-9]{0,7}$ ]]; then wrong_use "$1 $2: give a number from 1 on"; fi
}

# "0-3,8" as "0 1 2 3 8".
expand() {
    local part
    for part in ${1//,/ }; do seq -s ' ' "${part%-*}" "${part#*-}"; done
}

look_around() {
    number --connections "$connections"
    local fact
    for fact in proc/meminfo sys/devices/system/cpu/online; do
        if ! [ -r "$root/$fact" ]; then
            wrong_use "--root $root: there is no $fact; give the / of a system that runs"
        fi
    done
    if [ -z "$core_list" ]; then core_list=$(cat "$root/sys/devices/system/cpu/online"); fi
    if ! [[ $core_list =~ ^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$ ]]; then
        wrong_use "--cores $core_list: write it like 0-3,8"
    fi
    mapfile -t cores < <(expand "$core_list" | tr ' ' '\n')
    if [ -n "$shards" ]; then
        number --shards "$shards"
        # As the server places them: the first cores, and where they are fewer, in turn.
        cores=("${cores[@]:0:shards}")
    fi
    if [ "$affinity" = yes ]; then
        if [ -z "$nic" ]; then
            nic=$(awk '$2 == "00000000" { print $1; exit }' "$root/proc/net/route")
        fi
        if ! [ -d "$root/sys/class/net/$nic/queues" ]; then
            wrong_use "--nic ${nic:-(no default route)}: there is no such network card"
        fi
    fi
    page=$(getconf PAGESIZE)
    ram_kib=$(awk '$1 == "MemTotal:" { print $2 }' "$root/proc/meminfo")
    state=${state:-$root/run/tapecast/tune.state}
    namespace=$(readlink /proc/self/ns/net)
}

read_flags "$@"
if [ -z "$command" ]; then usage >&2 && exit 2; fi
look_around
list_keys
"$command"
