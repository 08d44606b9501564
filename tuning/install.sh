#!/usr/bin/env bash
# Installs Tapecast as a service of systemd: binary, user, units, configuration. Runs again without
# harm: what is as it should be is left alone, a configuration that exists is kept, and a server
# that runs is restarted only where its binary or its units have changed.
set -euo pipefail

usage() {
    cat << 'END'
usage: tuning/install.sh [--binary FILE] [--listen ADDRESS:PORT] [--no-start] [--dry-run] [--root DIR]
       tuning/install.sh --uninstall [--dry-run] [--root DIR]

  --binary FILE          what to install [default: target/release/tapecast beside this folder]
  --listen ADDRESS:PORT  where the stream is served [default: as installed before, or
                         127.0.0.1:9001]; 0.0.0.0:9001 for all of IPv4, [::]:9001 for both
  --no-start             installs and enables, but neither starts nor restarts anything
  --uninstall            stops it and removes all of it: binary, units, their drop-ins and masks,
                         user, and the configuration in /etc/tapecast
  --dry-run              prints what would be done, with the text of each file, and does nothing
  --root DIR             installs into the tree of another system, and starts nothing

exit codes: 0 done, 1 failed, 2 wrong use
END
}

fail() {
    echo "tuning/install.sh: $*" >&2
    exit 1
}

# Wrong use, as with the program itself.
misuse() {
    echo "tuning/install.sh: $*" >&2
    exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=$here/../target/release/tapecast
listen=
root=
start=yes
dry=
uninstall=
given=()
while [ $# -gt 0 ]; do
    case $1 in
        --binary | --listen | --root)
            [ -n "${2-}" ] || misuse "$1 wants a value; see --help"
            given+=("$1")
            declare "${1#--}=$2"
            shift
            ;;
        --no-start) start= ;;
        --uninstall) uninstall=yes ;;
        --dry-run) dry=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        *) misuse "unknown argument '$1'; see --help" ;;
    esac
    shift
done

# What of the arguments is wrong is told before what this machine lacks.
is_address() {
    local number
    [[ $1 =~ ^(([0-9.]+)|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})$ ]] || return 1
    local address=${BASH_REMATCH[2]} port=$((10#${BASH_REMATCH[3]}))
    ((port >= 1 && port <= 65535)) || return 1
    [ -n "$address" ] || return 0
    [[ $address =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$ ]] || return 1
    for number in ${address//./ }; do
        ((10#$number <= 255)) || return 1
    done
}

for flag in "${given[@]}"; do
    case $flag in
        --binary)
            if [ -z "$uninstall" ] && { [ ! -f "$binary" ] || [ ! -x "$binary" ]; }; then
                misuse "--binary $binary: there is no such program; build it with 'cargo build \
--release'"
            fi
            ;;
        --listen)
            is_address "$listen" || misuse "--listen $listen: give an address and a port, as \
0.0.0.0:9001 or [::]:9001"
            ;;
    esac
done
root=${root%/}
if [ -n "$root" ]; then
    [ -d "$root" ] || misuse "--root $root: there is no such directory"
    start=
fi
if [ -z "$dry$root" ] && [ "$(id -u)" != 0 ]; then
    fail "this needs to be root: run it with sudo, or with --dry-run to see what it does"
fi
command -v systemctl > /dev/null || fail "systemctl is missing: this is for systems with systemd"

program=$root/usr/local/bin/tapecast
units=$root/usr/local/lib/systemd/system
users=$root/usr/local/lib/sysusers.d
config=$root/etc/tapecast
overrides=$root/etc/systemd/system
shards=$units/tapecast.socket.d/shards.conf
reload=$units/tapecast.service.d/notify-reload.conf

# Does it, or says it.
run() {
    if [ -n "$dry" ]; then
        printf '+ %s\n' "$*"
    else
        "$@"
    fi
}

systemd() {
    if [ -n "$root" ]; then
        case $1 in
            enable | disable) run systemctl --quiet --root="$root" "$@" ;;
        esac
    else
        run systemctl --quiet "$@"
    fi
}

# Puts standard input into a file, at once and whole: the text of a program that runs cannot be
# overwritten. Says on its exit whether the file was another before.
new=
trap '[ -z "$new" ] || rm -f "$new"' EXIT
put() {
    local mode=$1 file=$2
    # Each step says by itself that it failed: where the exit is asked for, "set -e" is off.
    new=$(mktemp) || fail "cannot make a temporary file in ${TMPDIR:-/tmp}"
    cat > "$new" || fail "cannot write $new"
    if cmp -s "$new" "$file"; then
        rm "$new"
        return 1
    fi
    echo "installs $file"
    if [ -n "$dry" ]; then
        [ "$file" = "$program" ] || sed 's/^/  | /' "$new"
        rm "$new"
        return
    fi
    if ! { install -D -m "$mode" "$new" "$file.new" && mv "$file.new" "$file"; }; then
        rm -f "$file.new"
        fail "cannot write $file"
    fi
    rm "$new"
}

# A unit that was switched off for good, by a link to nothing. It is neither enabled nor started.
is_masked() { [ "$(readlink "$overrides/$1")" = /dev/null ]; }

# The version of systemd in another root, without running anything of it: the machine may be of
# another kind. Nothing where there is none yet.
version_in_root() {
    find -H "$root/usr/lib" "$root/lib" -name 'libsystemd-shared-*.so' 2> /dev/null \
        | sed -n 's/.*-shared-\([0-9]*\).*/\1/p' | sort -n | tail -n 1 || true
}

# Directories that an installation may have made go when nothing is in them.
remove_empty() {
    local directory
    for directory in "$@"; do
        if [ -d "$directory" ] && [ -z "$(ls -A "$directory")" ]; then
            run rmdir "$directory"
        fi
    done
}

if [ -n "$uninstall" ]; then
    for unit in tapecast.socket tapecast.service; do
        if is_masked "$unit"; then
            echo "removes $overrides/$unit"
            run rm "$overrides/$unit"
        fi
        if [ -e "$units/$unit" ]; then
            systemd disable "$unit"
        fi
    done
    # The socket first: a connection would start the service again.
    if [ -z "$root" ]; then
        for unit in tapecast.socket tapecast.service; do
            [ ! -e "$units/$unit" ] || systemd stop "$unit"
        done
    fi
    for path in "$program" "$units/tapecast.service" "$units/tapecast.socket" \
        "$units/tapecast.service.d" "$units/tapecast.socket.d" "$users/tapecast.conf" \
        "$overrides/tapecast.service.d" "$overrides/tapecast.socket.d" "$config"; do
        if [ -e "$path" ]; then
            echo "removes $path"
            run rm -r "$path"
        fi
    done
    remove_empty "$units" "${units%/*}" "$users"
    if [ -z "$root" ]; then
        systemd daemon-reload
        # What had failed would still be listed.
        run systemctl reset-failed tapecast.service tapecast.socket 2> /dev/null || true
    fi
    if grep -qs '^tapecast:' "$root/etc/passwd"; then
        echo "removes the user tapecast"
        run userdel ${root:+--prefix "$root"} tapecast
    fi
    exit 0
fi

[ -x "$binary" ] || fail "there is no program '$binary'; build it with 'cargo build --release', or \
name it with --binary"
if [ -z "$listen" ] && [ -e "$shards" ]; then
    listen=$(sed -n 's/^ListenStream=\(..*\)/\1/p' "$shards" | head -n 1)
fi
listen=${listen:-127.0.0.1:9001}
is_address "$listen" || fail "$shards has ListenStream=$listen, which is no address and port; give \
--listen"

if [ -n "$root" ]; then
    # systemd-sysusers makes the files of the users in it, but not the directory.
    run mkdir -p "$root/etc"
fi
program_changed=''
service_changed=''
socket_changed=''
put 755 "$program" < "$binary" && program_changed=yes
put 644 "$users/tapecast.conf" < "$here/tapecast.sysusers" || true
run systemd-sysusers ${root:+--root="$root"} "$users/tapecast.conf"

put 644 "$units/tapecast.service" < "$here/tapecast.service" && service_changed=yes
if [ -n "$root" ]; then
    version=$(version_in_root)
else
    version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
fi
if [ "${version:-0}" -ge 253 ]; then
    put 644 "$reload" < "$here/notify-reload.conf" && service_changed=yes
elif [ -e "$reload" ]; then
    run rm "$reload"
    service_changed=yes
fi

put 644 "$units/tapecast.socket" < "$here/tapecast.socket" && socket_changed=yes
cores=$(nproc) || fail "cannot count the cores: nproc of coreutils failed"
sockets="# Of tuning/install.sh: one socket for each core, so that the kernel spreads connections.
[Socket]
ListenStream="
for ((core = cores; core > 0; core--)); do
    sockets+=$'\n'"ListenStream=$listen"
done
# Not through a pipe, in which a failure would stay unseen.
put 644 "$shards" <<< "$sockets" && socket_changed=yes

if [ -e "$config/tapecast.toml" ]; then
    echo "keeps $config/tapecast.toml"
else
    defaults=$("$binary" config --default) || fail "'$binary config --default' failed"
    put 644 "$config/tapecast.toml" <<< "$defaults"
fi

[ -n "$root" ] || systemd daemon-reload
if is_masked tapecast.service; then
    echo "neither enables nor starts anything: tapecast.service is masked ('systemctl unmask')"
    exit 0
fi
in_use=(tapecast.socket tapecast.service)
serves="serves ws://$listen/v1/stream"
meanwhile="nobody is refused"
if is_masked tapecast.socket; then
    echo "leaves tapecast.socket alone: it is masked ('systemctl unmask tapecast.socket')"
    in_use=(tapecast.service)
    serves="serves by itself, as 'listen' of its configuration says"
    meanwhile="who connects meanwhile is refused"
fi
systemd enable "${in_use[@]}"
[ -n "$start" ] || exit 0

is_active() { systemctl --quiet is-active "$1" 2> /dev/null; }
if [ -n "$socket_changed" ] && is_active tapecast.socket; then
    echo "the sockets have changed: clients are refused while they are made again"
    systemd stop tapecast.socket tapecast.service
fi
if [ -n "$program_changed$service_changed" ] && is_active tapecast.service; then
    echo "restarts tapecast.service: its clients are told and come back; $meanwhile"
    systemd restart tapecast.service
fi
systemd start "${in_use[@]}"
[ -n "$dry" ] || echo "$serves; see 'systemctl status tapecast'"
