//! `tapecast record` of what is published: its login is a setting there too.
//!
//! Method: a real nats-server that asks for a login, with a stream that has five trades; what the
//! binary says of its recording.

use crate::harness::server::BINARY;
use crate::harness::wait_for;
use crate::publisher::{Kept, Publisher};
use crate::server::{NatsServer, Setup};
use async_nats::ConnectOptions;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What two seconds of it print and log.
fn record(nats: &NatsServer, out: &Path, flags: &[&str], variables: &[(&str, &str)]) -> String {
    let _ = fs::remove_dir_all(out);
    let mut command = Command::new(BINARY);
    command.args(["record", "--feed", &nats.url(), "--seconds", "2", "--out"]).arg(out);
    let output = command.args(flags).envs(variables.iter().copied()).output();
    let output = output.expect("the binary that cargo has just built");
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat()
}

#[test]
fn a_recording_logs_in_by_flags_variables_and_file() {
    let more = "authorization { user: me, password: \"pass@word\" }".into();
    let nats = NatsServer::start(Setup { jetstream: true, more });
    let login = ConnectOptions::with_user_and_password("me".into(), "pass@word".into());
    let publisher = Publisher::start_as(login, &nats.url(), "a", "e1", 1, Some(Kept::All));
    publisher.trades("A", 1..=5);
    publisher.settle();
    let [password, settings] = ["password", "settings.toml"].map(|name| nats.dir().join(name));
    fs::write(&password, "pass@word\n").expect("the server's directory");
    let (password, out) = (password.to_str().expect("UTF-8"), nats.dir().join("tapes"));
    let text = format!("[nats]\nnats_user = 'me'\nnats_password_file = '{password}'\n");
    fs::write(&settings, text).expect("the server's directory");
    let settings = settings.to_str().expect("UTF-8");
    let flags = ["--nats-user", "me", "--nats-password-file", password];
    let variables = [("TAPECAST_NATS_USER", "me"), ("TAPECAST_NATS_PASSWORD_FILE", password)];
    for (flags, variables) in
        [(&flags[..], &[][..]), (&[], &variables), (&["--config", settings], &[])]
    {
        // Two seconds may be too few for a machine that does much else.
        wait_for("a recording of all five trades", || {
            record(&nats, &out, flags, variables).contains("of them  5 trades").then_some(())
        });
    }
    let text = record(&nats, &out, &[], &[]);
    assert!(text.contains("refused the login") && text.contains("of them  0 trades"), "{text}");
}

#[test]
fn a_setting_that_is_wrong_is_wrong_use() {
    let arguments = ["record", "--feed", "nats://127.0.0.1:1", "--out", "/nonexistent/tapes"];
    let mut command = Command::new(BINARY);
    let output = command.args(arguments).args(["--nats-tls-required=perhaps"]).output();
    let output = output.expect("the binary that cargo has just built");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("--nats-tls-required perhaps"), "{text}");
}
