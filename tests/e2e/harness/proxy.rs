//! nginx and HAProxy from Debian, with the configurations that are shipped.

use super::wait_for;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// In place of the shipped two minutes: what a test can wait for.
pub const IDLE_S: u64 = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `http`, with `X-Forwarded-For`.
    Nginx,
    /// `stream`, with version 1 of the PROXY protocol.
    NginxStream,
    /// Version 2.
    Haproxy,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Nginx, Kind::NginxStream, Kind::Haproxy];

    /// Flags of the server behind it.
    pub fn flags(self) -> &'static str {
        match self {
            Kind::Nginx => "--trusted-proxy 127.0.0.1",
            Kind::NginxStream | Kind::Haproxy => "--trusted-proxy 127.0.0.1 --proxy-protocol",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Kind::Nginx | Kind::NginxStream => "nginx",
            Kind::Haproxy => "haproxy",
        }
    }

    /// The shipped file, with what it names on the machine replaced.
    fn configuration(self, folder: &str, listen: SocketAddr, server: SocketAddr) -> String {
        let file = match self {
            Kind::Nginx | Kind::NginxStream => "nginx.conf",
            Kind::Haproxy => "haproxy.cfg",
        };
        let path = format!("{}/tuning/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (listen, server) = (listen.to_string(), server.to_string());
        let (pid, log) = (format!("pid {folder}/pid;"), format!("error_log {folder}/log warn;"));
        let access = format!("access_log {folder}/access;");
        let (idle, listen_80) = (format!(" {IDLE_S}s"), format!("listen {listen} "));
        let bind = format!("bind {listen} ");
        let (http, stream) = text.split_once("\nhttp {").unwrap_or((&text, ""));
        let stream: Vec<&str> = stream.lines().filter_map(|l| l.strip_prefix("#| ")).collect();
        let text = match self {
            Kind::NginxStream => format!("{}\n{}\n", http.replace("#| ", ""), stream.join("\n")),
            _ => text.clone(),
        };
        let replaced: &[(&str, &str)] = match self {
            Kind::Nginx => &[
                ("pid /run/nginx.pid;", &pid),
                ("error_log /var/log/nginx/error.log warn;", &log),
                ("access_log /var/log/nginx/tapecast.log;", &access),
                ("listen 80 ", &listen_80),
                ("127.0.0.1:9001", &server),
                (" 120s", &idle),
            ],
            Kind::NginxStream => &[
                ("pid /run/nginx.pid;", &pid),
                ("error_log /var/log/nginx/error.log warn;", &log),
                ("listen 8080 ", &listen_80),
                ("127.0.0.1:9001", &server),
                (" 120s", &idle),
            ],
            Kind::Haproxy => &[
                ("log /dev/log local0", "log stderr format raw local0"),
                ("maxconn 30000", "maxconn 500"),
                ("bind :80 ", &bind),
                ("127.0.0.1:9001", &server),
                (" 120s", &idle),
            ],
        };
        replaced.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{file} has no {from:?} any more");
            text.replace(from, to)
        })
    }
}

/// Killed, and its files removed, when it is dropped.
pub struct Proxy {
    child: Child,
    pub address: SocketAddr,
    folder: PathBuf,
}

impl Proxy {
    /// Starts it before this server, and waits until it takes connections.
    pub fn start(kind: Kind, server: SocketAddr) -> Proxy {
        let (folder, address) = (folder(), free_address());
        let file = folder.join("conf");
        let text = kind.configuration(&folder.to_string_lossy(), address, server);
        fs::write(&file, text).expect("a file in the folder just made");
        let Output { status, stderr, .. } = command(kind, &folder, true).output().expect(MISSING);
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{kind:?} does not take its configuration: {said}");
        let mut command = command(kind, &folder, false);
        let log = fs::File::create(folder.join("said")).expect("a file in the folder just made");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut proxy = Proxy { child: command.spawn().expect(MISSING), address, folder };
        wait_for("a proxy that listens", || {
            assert!(proxy.child.try_wait().expect("our child").is_none(), "{}", proxy.log());
            TcpStream::connect(address).ok()
        });
        proxy
    }

    pub fn log(&self) -> String {
        let texts = ["said", "log", "access"].map(|name| fs::read(self.folder.join(name)));
        texts
            .into_iter()
            .flatten()
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the proxy ---\n{}", self.log());
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// HAProxy that speaks TLS before a server, with a certificate of an authority made for it.
pub struct TlsProxy {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl TlsProxy {
    pub fn start(server: SocketAddr) -> TlsProxy {
        let (folder, address) = (folder(), free_address());
        let write = |name: &str, text: String| {
            fs::write(folder.join(name), text).expect("a file in the folder just made");
        };
        let mut params = rcgen::CertificateParams::new(vec![]).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().expect("a key");
        let authority = rcgen::CertifiedIssuer::self_signed(params, authority_key).expect("signed");
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_string()]).expect("a name");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        write("authority.pem", authority.pem());
        write("server.pem", certificate.pem() + &key.serialize_pem());
        let pem = folder.join("server.pem");
        write(
            "conf",
            format!(
                "defaults\n mode tcp\n timeout connect 5s\n timeout client 120s\n \
                 timeout server 120s\nfrontend tls\n bind {address} ssl crt {}\n \
                 default_backend node\nbackend node\n server node {server}\n",
                pem.display()
            ),
        );
        let mut command = command(Kind::Haproxy, &folder, false);
        let log = fs::File::create(folder.join("said")).expect("a file in the folder just made");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut proxy = TlsProxy { child: command.spawn().expect(MISSING), address, folder };
        wait_for("a proxy that listens", || {
            let said = fs::read_to_string(proxy.folder.join("said")).unwrap_or_default();
            assert!(proxy.child.try_wait().expect("our child").is_none(), "{said}");
            TcpStream::connect(address).ok()
        });
        proxy
    }

    /// By the name that the certificate is of.
    pub fn url(&self, target: &str) -> String {
        format!("wss://localhost:{}{target}", self.address.port())
    }

    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const MISSING: &str = "nginx and haproxy; tests/run installs nginx-light, libnginx-mod-stream and \
                       haproxy";

/// In the foreground and in one process, so that its end is the end of all of it.
fn command(kind: Kind, folder: &std::path::Path, only_check: bool) -> Command {
    let file = folder.join("conf");
    let mut command = Command::new(kind.program());
    // Where a user's path does not lead.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    match kind {
        Kind::Nginx | Kind::NginxStream => {
            command.arg("-p").arg("/usr/share/nginx").arg("-c").arg(file);
            command.args(["-g", "daemon off; master_process off;"]);
            command.args(only_check.then_some("-t"));
        }
        Kind::Haproxy => {
            command.arg(if only_check { "-c" } else { "-db" }).arg("-f").arg(file);
        }
    }
    command
}

fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tapecast-proxy-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("the temporary folder can be written");
    folder
}

/// Neither program says which port it got, so it is given one that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("just bound")
}
