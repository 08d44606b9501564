//! A real nats-server of a test's own: a free port, a directory of its own, and an end in any case.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Where Debian's package has it.
const PROGRAM: &str = "/usr/sbin/nats-server";

/// How long a start may take on a machine that does much else.
const START_MAX: Duration = Duration::from_secs(20);

/// What a server is to be.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// With a store under its directory.
    pub jetstream: bool,
    /// Lines of its configuration, such as those for logins.
    pub more: String,
}

/// Ended by `kill -9` when it is dropped, or when the thread that started it dies.
#[derive(Debug)]
pub struct NatsServer {
    process: Option<Child>,
    dir: PathBuf,
    /// 0 before the first start.
    port: u16,
    setup: Setup,
}

impl NatsServer {
    pub fn start(setup: Setup) -> NatsServer {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tapecast-nats-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(dir.join("ports")).expect("a directory for the server");
        let mut server = NatsServer { process: None, dir, port: 0, setup };
        server.restart();
        server
    }

    /// With JetStream, and nothing else that is special.
    pub fn with_jetstream() -> NatsServer {
        NatsServer::start(Setup { jetstream: true, ..Setup::default() })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// For certificates and the like; removed with the server.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts it again where it has ended: on the same port, with the same store.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let config = self.dir.join("nats.conf");
        fs::write(&config, self.config()).expect("its configuration");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log());
        // Should this thread be killed, the server ends with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", PROGRAM, "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("its log"));
        let child = command.spawn().unwrap_or_else(|why| {
            panic!("{PROGRAM} by setpriv: {why}; apt-get install nats-server util-linux")
        });
        let ports = self.dir.join("ports").join(format!("nats-server_{}.ports", child.id()));
        self.process = Some(child);
        self.port = self.wait_for_port(&ports);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.process.take().expect("it runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is our child");
    }

    /// `kill -STOP`: its sockets stay, and nobody reads them.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// `kill -CONT`.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// What it wrote so far.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().expect("kill(1)");
        assert!(status.success(), "kill -{name} {id}: {status}");
    }

    fn log(&self) -> PathBuf {
        self.dir.join("nats.log")
    }

    fn config(&self) -> String {
        let (dir, more) = (self.dir.display(), &self.setup.more);
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let jetstream = match self.setup.jetstream {
            true => format!("jetstream {{ store_dir: \"{dir}/store\" }}\n"),
            false => String::new(),
        };
        format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: \"{dir}/ports\"\n{jetstream}{more}\n"
        )
    }

    fn wait_for_port(&mut self, ports: &Path) -> u16 {
        let deadline = Instant::now() + START_MAX;
        loop {
            let text = fs::read(ports).unwrap_or_default();
            if let Ok(found) = serde_json::from_slice::<Value>(&text) {
                let url = found["nats"][0].as_str().expect("a URL").to_string();
                let port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
                return port.unwrap_or_else(|| panic!("no port in {url}"));
            }
            let ended = self.process.as_mut().expect("it was started").try_wait();
            let ended = ended.expect("it is our child");
            let log = self.log_text();
            assert!(ended.is_none(), "nats-server ended with {ended:?}:\n{log}");
            assert!(Instant::now() < deadline, "nats-server is not up:\n{log}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        // What cannot be removed is in the way of nobody.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
