//! The real binary as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `serve` on a free port with these flags beside.
    pub fn start(flags: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tapecast"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "off"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (written, mut stderr) = (log.clone(), child.stderr.take().expect("a pipe"));
        thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut block) {
                let text = String::from_utf8_lossy(&block[..count]);
                written.lock().expect("no writer panics").push_str(&text);
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let address = loop {
            let mut line = String::new();
            let count = stdout.read_line(&mut line).expect("UTF-8");
            assert!(count > 0, "it ended: {}", log.lock().expect("no writer panics"));
            if let Some((_, url)) = line.split_once("ws://") {
                let address = url.split('/').next().expect("a split gives one");
                break address.parse().expect("an address");
            }
        };
        // What is printed later must find a reader.
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Server { child, address, log }
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("asked for once")
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("no writer panics").clone()
    }

    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in the log:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let signal = rustix::process::Signal::TERM;
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// The exit code, when the process has ended.
    pub fn exit_code(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code().expect("it exits by itself");
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
