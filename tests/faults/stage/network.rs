//! A network of the test's own: a namespace, and a pair of virtual cards into it.
//!
//! The server listens on the near card; hostile clients live behind the far one, where a power cut
//! is one command. Everything is removed on drop, also when the test panics; what a killed run
//! left behind is removed by the next one.

use super::peer::Peer;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Beginning of the names of all namespaces of these tests; the process id follows.
const NAME: &str = "tapecast-";

/// Networks that this process has made.
static COUNT: AtomicU8 = AtomicU8::new(0);

pub struct Network {
    name: String,
    near_card: String,
    /// Where the server listens.
    pub near: IpAddr,
    /// Where the clients in the namespace come from.
    pub far: IpAddr,
}

impl Network {
    /// Needs root and `ip` (iproute2); says so where it has not.
    pub fn new() -> Network {
        remove_stale();
        let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // 198.18.0.0/15 is for tests of networks (RFC 2544): nobody routes it.
        let (third, fourth) = ((pid >> 4) as u8, (pid as u8 & 0xf) << 4 | (count & 3) << 2);
        let address = |host: u8| IpAddr::V4(Ipv4Addr::new(198, 18, third, fourth + host));
        let network = Network {
            name: format!("{NAME}{pid}-{count}"),
            near_card: format!("tcn{pid}-{count}"),
            near: address(1),
            far: address(2),
        };
        network.make();
        network
    }

    fn make(&self) {
        let Network { name, near_card, near, far } = self;
        ip(&format!("netns add {name}"));
        ip(&format!("link add {near_card} type veth peer name far netns {name}"));
        ip(&format!("address add {near}/30 dev {near_card}"));
        ip(&format!("link set {near_card} up"));
        ip(&format!("-n {name} address add {far}/30 dev far"));
        ip(&format!("-n {name} link set lo up"));
        ip(&format!("-n {name} link set far up"));
    }

    /// The power of the clients' machine is cut: nothing leaves it any more, not even a reset.
    pub fn cut(&self) {
        ip(&format!("-n {} link set far down", self.name));
    }

    pub fn mend(&self) {
        ip(&format!("-n {} link set far up", self.name));
    }

    /// The command with its arguments, to be run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// So many connections from inside to the server. `receive_bytes` is their `SO_RCVBUF`.
    pub fn connect(&self, to: SocketAddr, count: usize, receive_bytes: Option<usize>) -> Vec<Peer> {
        let path = format!("/var/run/netns/{}", self.name);
        let space = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        // A socket stays in the namespace of the thread that made it; the thread does not.
        let inside = move || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter a namespace");
            (0..count).map(|_| connect(to, receive_bytes)).collect::<Vec<Peer>>()
        };
        std::thread::spawn(inside).join().expect("every connection is made")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The card first: a namespace lives on as long as a socket in it does.
        remove_card(&self.near_card);
        remove(&self.name);
    }
}

fn connect(to: SocketAddr, receive_bytes: Option<usize>) -> Peer {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
    if let Some(bytes) = receive_bytes {
        // Before the connect: the window is announced in the handshake (tcp(7)).
        socket.set_recv_buffer_size(bytes).expect("SO_RCVBUF");
    }
    socket.set_tcp_nodelay(true).expect("TCP_NODELAY");
    let limit = Duration::from_secs(20);
    socket.connect_timeout(&to.into(), limit).unwrap_or_else(|e| panic!("connect: {e}"));
    Peer::new(socket.into())
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.unwrap_or_else(|e| {
        panic!("ip {arguments}: {e}; the faults need iproute2, which tests/run installs")
    });
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}(network namespaces need root)");
}

/// Failures are ignored: it may be gone already.
fn remove(namespace: &str) {
    let _ = Command::new("ip").args(["netns", "delete", namespace]).output();
}

fn remove_card(card: &str) {
    let _ = Command::new("ip").args(["link", "delete", card]).output();
}

/// Removes what runs left behind whose process is gone.
fn remove_stale() {
    let Ok(entries) = std::fs::read_dir("/var/run/netns") else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let Some((pid, count)) = name.strip_prefix(NAME).and_then(|rest| rest.split_once('-'))
        else {
            continue;
        };
        if std::fs::metadata(format!("/proc/{pid}")).is_err() {
            remove_card(&format!("tcn{pid}-{count}"));
            remove(&name);
        }
    }
}
