//! `tapecast top` against real servers: one frame as text, its errors, and a whole session in a
//! terminal.
//!
//! Method: what is printed is held against what the test's own client and flags caused. The
//! terminal is a pseudo terminal of a script in `tests/clients`, which reads the screen through a
//! terminal emulator, so that it sees what a person would.

use crate::harness::server::BINARY;
use crate::harness::{Raw, Server, script, wait_for};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::thread;

fn top(arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("top").args(arguments).stdin(Stdio::null());
    command.output().expect("the binary that cargo has just built")
}

fn told(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).expect("UTF-8")
}

#[test]
fn one_frame_shows_a_server_and_its_client() {
    let server = Server::start("--shards 2 --feed synthetic:symbols=50,rate=2000");
    let mut client = Raw::connect(server.address);
    client.upgrade("/v1/stream?symbols=*");
    client.frame().expect("the connected message");
    let url = format!("http://{}/", server.admin());
    wait_for("a frame with the client in it", || {
        let output = top(&[&url, "--once"]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output.stderr));
        let text = told(&output.stdout);
        assert!(!text.contains('\x1b'), "plain text: {text}");
        let words = ["tapecast 0.1.0  serving", "1 on ", "synthetic", "live", "nobody lags"];
        (text.contains("sessions 1 of ") && words.iter().all(|word| text.contains(word)))
            .then_some(())
    });
    server.stop();
}

#[test]
fn a_client_that_reads_nothing_is_in_the_table() {
    let server = Server::start(
        "--shards 1 --feed synthetic:symbols=500,rate=20000 --write-stall-ms 600000 \
         --user-timeout-ms 600000",
    );
    let mut client = Raw::connect_small(server.address, 8 * 1024);
    client.upgrade("/v1/stream?symbols=*");
    let url = format!("http://{}", server.admin());
    wait_for("the client among those that lag", || {
        let text = told(&top(&[&url, "--once"]).stdout);
        (text.contains("lagging 1, by ticks behind") && text.contains(" 127.0.0.1:")).then_some(())
    });
    server.stop();
}

#[test]
fn wrong_use_is_refused_before_anything_is_asked() {
    for (arguments, word) in [
        (&["ws://127.0.0.1:9001/v1/stream"][..], "admin port"),
        (&["https://127.0.0.1/"][..], "TLS"),
        (&["--every", "1"][..], "100 to"),
    ] {
        let output = top(arguments);
        let error = told(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(word) && error.contains(arguments.last().expect("one")), "{error}");
    }
}

#[test]
fn what_is_no_admin_port_is_told() {
    let (_held, nobody) = deaf();
    let server = Server::start("");
    let stranger = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let shell = answering(b"SSH-2.0-OpenSSH_9.2\r\n");
    let endless = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n{");
    for (address, word) in [
        (nobody, "nothing listens at"),
        (server.address, "answers 404"),
        (stranger, "is not a Tapecast's admin port"),
        (shell, "is this a Tapecast's admin port?"),
        (endless, "is this a Tapecast's admin port?"),
    ] {
        let output = top(&[&format!("http://{address}/"), "--once"]);
        let error = told(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(word) && error.contains(&address.to_string()), "{error}");
    }
    server.stop();
}

#[test]
fn a_mute_server_is_not_waited_for() {
    let mute = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = mute.local_addr().expect("it is bound");
    let output = top(&[&format!("http://{address}/"), "--once"]);
    let error = told(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("has not answered within 2 s"), "{error}");
}

/// Gives one connection these bytes, and then its end; where that is of a thread that has been
/// forgotten, the process takes it along.
fn answering(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the program asks");
        // A head of a request; what is wrong with the rest is for the program to tell.
        let _ = stream.read(&mut [0; 4_096]);
        let _ = stream.write_all(bytes);
    });
    address
}

/// An address where nobody listens, and the socket that keeps others from getting it.
fn deaf() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("of IPv4");
    (socket, address)
}

/// Method: the script looks at the screen, turns to help and back, changes its size, and quits;
/// another one loses its server and finds the next; another is ended by SIGTERM. Each time the
/// terminal must be as before.
#[test]
fn a_session_in_a_terminal_gives_it_back() {
    let server = Server::start("--shards 1");
    let admin = server.admin().to_string();
    script::run("top_terminal.py", &server, &[BINARY, &admin, &server.pid().to_string()]);
}
