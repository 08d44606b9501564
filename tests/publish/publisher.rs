//! A `tapecast publish` process.

use crate::nats_server::NatsServer;
use crate::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// Killed when it is dropped.
pub struct Publisher {
    child: Child,
    stdin: Option<ChildStdin>,
    log: Arc<Mutex<String>>,
}

impl Publisher {
    /// With these flags, split at blanks.
    pub fn start(server: &NatsServer, flags: &str) -> Publisher {
        Publisher::start_with(&server.url(), flags, &[])
    }

    /// To this server, with these variables.
    pub fn start_with(url: &str, flags: &str, environment: &[(&str, &str)]) -> Publisher {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapecast"));
        command.args(["publish", "--to", url]).args(flags.split_whitespace());
        command.env("TAPECAST_LOG_LEVEL", "info").envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary that cargo has just built");
        let log = Arc::new(Mutex::new(String::new()));
        copy(child.stdout.take().expect("it is piped"), Arc::clone(&log));
        copy(child.stderr.take().expect("it is piped"), Arc::clone(&log));
        let stdin = child.stdin.take();
        Publisher { child, stdin, log }
    }

    /// How it calls itself.
    pub fn is_named(&self, instance: &str) -> bool {
        instance.ends_with(&format!("-{}", self.child.id()))
    }

    /// Gives it lines, where its feed is `stdin`.
    pub fn write(&mut self, lines: &str) {
        let stdin = self.stdin.as_mut().expect("it is piped");
        stdin.write_all(lines.as_bytes()).and_then(|()| stdin.flush()).expect("it reads");
    }

    /// What it printed and logged.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic holds it").clone()
    }

    pub fn wait_for_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log of {}", self.child.id()), || {
            self.log().contains(text).then_some(())
        });
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is our child");
    }

    pub fn wait_exit(&mut self) -> ExitStatus {
        wait_for("the publisher's end", || self.child.try_wait().expect("it is our child"))
    }

    /// As an operator stops it; gives its log.
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.wait_exit();
        let log = wait_for("its last line", || {
            let log = self.log();
            log.contains("connections").then_some(log)
        });
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        log
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(mut from: impl Read + Send + 'static, to: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..count]);
            to.lock().expect("no panic holds it").push_str(&text);
        }
    });
}
