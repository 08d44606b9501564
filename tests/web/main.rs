//! The browser client and the pages: in Node, and in a real browser.
//!
//! Method: scripts in this folder, each of which starts servers of its own on free ports, asserts
//! in its own language and ends them. `tests/run` installs what they import, under `target/web`,
//! and Debian's `chromium`. Nothing here asserts speed; everything has a deadline.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Far above what any of the scripts takes.
const PATIENCE: Duration = Duration::from_secs(300);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `tests/run` has put the packages.
fn packages() -> PathBuf {
    let path = root().join("target/web/node_modules");
    assert!(path.exists(), "{} is missing; run tests/run once, which installs it", path.display());
    path
}

/// Ends the script also where the test does not end well; the script's servers and browser see
/// their pipe close and end too.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        from.read_to_end(&mut text).expect("a pipe of our child");
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// One after the other: a browser is heavy, and the scripts watch the time that passes.
fn run(command: &mut Command) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    command.env("TAPECAST_NODE", packages()).env("TAPECAST_BINARY", env!("CARGO_BIN_EXE_tapecast"));
    command.current_dir(root().join("tests/web"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut script = Script(command.spawn().expect("tests/run checks that node is there"));
    let out = read(script.0.stdout.take().expect("it is piped"));
    let err = read(script.0.stderr.take().expect("it is piped"));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = script.0.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > deadline {
            drop(script);
            panic!("not done in {PATIENCE:?}\n{}", out.join().expect("it does not panic"));
        }
        thread::sleep(Duration::from_millis(20));
    };
    let (out, err) = (out.join(), err.join());
    let text = |part: thread::Result<String>| part.expect("it does not panic");
    assert!(status.success(), "{status}\n{}\n{}", text(out), text(err));
}

fn node(file: &str) {
    let timeout = "--test-timeout=120000";
    run(Command::new("node").args(["--test", "--test-reporter=spec", timeout, file]));
}

/// Method: delays with injected randomness; closes and oddities from a server made of `ws`.
#[test]
fn client_follows_the_protocol() {
    node("client.test.mjs");
}

/// Method: a real server that is cut off, stopped, frozen, full and started again.
#[test]
fn client_survives_what_happens_to_servers() {
    node("survival.test.mjs");
}

/// Method: TypeScript's strict check of the module, and of a use whose mistakes it must find.
#[test]
fn client_is_typed() {
    let compiler = packages().join("typescript/bin/tsc");
    run(Command::new("node").arg(compiler).args(["--project", "tsconfig.json"]));
}

/// Method: Debian's chromium, headless, with a real server: prices that move, restart, refusal,
/// keyboard, a phone's size, axe-core's rules.
#[test]
fn ticker_page_works_in_a_browser() {
    node("ticker.test.mjs");
}

/// Method: the same for the status page, with a server that is then frozen.
#[test]
fn status_page_works_in_a_browser() {
    node("status.test.mjs");
}
