#!/usr/bin/env bats
# What install.sh refuses, and what it says with --dry-run. Method: an empty root, a program that is
# a script, and a systemctl that does nothing, so that nothing of the machine is touched.

load stage

setup() {
    TUNING=$BATS_TEST_DIRNAME/../../tuning
    ROOT=$BATS_TEST_TMPDIR/root
    PROGRAM=$BATS_TEST_TMPDIR/tapecast
    mkdir -p "$ROOT" "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\necho "# the defaults"\n' > "$PROGRAM"
    printf '#!/bin/sh\necho "systemd 252"\n' > "$BATS_TEST_TMPDIR/bin/systemctl"
    chmod +x "$PROGRAM" "$BATS_TEST_TMPDIR/bin/systemctl"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# Each line of standard input, as a dry run shows a file's.
shown() {
    local line
    while IFS= read -r line; do
        has_lines "  | $line"
    done
}

@test "wrong use is exit code 2 and names what was wrong" {
    while IFS='|' read -r arguments words; do
        # shellcheck disable=SC2086 # arguments are several words
        run "$TUNING/install.sh" --dry-run $arguments
        echo "$arguments: $status, $output"
        [ "$status" -eq 2 ]
        has_text "$words"
    done << 'TEXT'
install|unknown argument 'install'
--fast|unknown argument '--fast'
--root|--root wants a value
--root /nonexistent/root|--root /nonexistent/root: there is no such directory
--binary /nonexistent/program|--binary /nonexistent/program: there is no such program
--binary /|--binary /: there is no such program
--listen 9001|--listen 9001: give an address and a port
--listen localhost:9001|--listen localhost:9001: give an address and a port
--listen 0.0.0.0:99999|--listen 0.0.0.0:99999: give an address and a port
--listen 0.0.0.0:0|--listen 0.0.0.0:0: give an address and a port
--listen 0.0.0:9001|--listen 0.0.0:9001: give an address and a port
--listen 0.0.0.256:9001|--listen 0.0.0.256:9001: give an address and a port
TEXT
    run "$TUNING/install.sh" --dry-run --root ""
    [ "$status" -eq 2 ]
    has_text "--root wants a value"
}

@test "a dry run shows the text of each file that it would write, and writes none" {
    run "$TUNING/install.sh" --dry-run --root "$ROOT" --binary "$PROGRAM" --listen '[::]:09001'
    [ "$status" -eq 0 ]
    has_lines "installs $ROOT/usr/local/bin/tapecast" \
        "installs $ROOT/usr/local/lib/systemd/system/tapecast.service" \
        "installs $ROOT/etc/tapecast/tapecast.toml" \
        "  | ListenStream=[::]:09001" "  | # the defaults"
    for file in tapecast.service tapecast.socket tapecast.sysusers; do
        shown < "$TUNING/$file"
    done
    # The program is no text.
    [[ $output != *"| #!/bin/sh"* ]]
    [ -z "$(find "$ROOT" -type f)" ]
}
