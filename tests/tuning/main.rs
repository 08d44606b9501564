//! `tuning/tune.sh`: what it shows, sets, restores and makes last; and what `tuning/install.sh`
//! says before it does anything.
//!
//! Method: bats runs the `.bats` files of this folder, each a test here, so that one command runs
//! them with all others; and shellcheck reads all of them and the scripts of `tuning/`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tuning")
}

/// Panics: the program is missing, or it fails; its output is in the message.
fn succeeds(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap_or_else(|error| {
        panic!("{program} does not run ({error}); install the Debian package {program}")
    });
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}:\n{text}{errors}");
}

fn bats(file: &str) {
    let path = folder().join(file);
    succeeds("bats", &[path.to_str().expect("the repository's path is UTF-8")]);
}

#[test]
fn keys_of_the_machine_on_a_tree_of_files() {
    bats("host.bats");
}

/// Needs root, for a network namespace.
#[test]
fn keys_of_a_network_namespace_for_real() {
    bats("namespace.bats");
}

/// The service itself is installed for real in `tests/systemd`.
#[test]
fn what_the_installer_refuses_and_what_it_would_write() {
    bats("install.bats");
}

#[test]
fn shellcheck_finds_nothing() {
    let scripts = ["tuning/tune.sh", "tuning/keys.sh", "tuning/install.sh"];
    let tests = ["host.bats", "install.bats", "namespace.bats", "stage.bash"];
    let tests: Vec<PathBuf> = tests.iter().map(|file| folder().join(file)).collect();
    let tests = tests.iter().map(|path| path.to_str().expect("the repository's path is UTF-8"));
    succeeds("shellcheck", &scripts.into_iter().chain(tests).collect::<Vec<_>>());
}
