//! Clients in other languages: scripts in `tests/clients`, with what `tests/run` installed.

use super::{PATIENCE, Server};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

fn in_target(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("target").join(path);
    assert!(path.exists(), "{} is missing; run tests/run once, which installs it", path.display());
    path
}

/// Runs `tests/clients/{name}` with the server's address; it must succeed. Gives what it printed.
pub fn run(name: &str, server: &Server, arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name);
    let mut command = match name.ends_with(".py") {
        true => Command::new(in_target("venv/bin/python")),
        false => Command::new("node"),
    };
    if name.ends_with(".mjs") {
        command.env("TAPECAST_NODE", in_target("node/node_modules"));
    }
    command.arg(script).arg(server.address.to_string()).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("tests/run checks that python3 and node are there");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("it is our child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it is our child");
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it has ended");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}
