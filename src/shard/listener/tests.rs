//! Method: real sockets on loopback, read back with getsockopt.

use super::*;
use socket2::SockRef;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn address_of(listener: &OwnedFd) -> SocketAddr {
    let bound = SockRef::from(listener).local_addr().expect("bound");
    bound.as_socket().expect("an internet address")
}

#[test]
fn accepted_sockets_inherit_every_option() {
    let options = SocketOptions::default();
    let listener = listen(loopback(), 1, &options).expect("listens").remove(0);
    let address = address_of(&listener);
    let mut peer = TcpStream::connect(address).expect("connects");
    peer.write_all(b"x").expect("sends");
    let (accepted, _) = TcpListener::from(listener).accept().expect("accepts");
    let socket = SockRef::from(&accepted);
    let seconds = |n: u32| Duration::from_secs(n.into());
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(10)));
    assert_eq!(socket.send_buffer_size().unwrap(), 2 * options.send_buffer_bytes as usize);
    assert_eq!(socket.recv_buffer_size().unwrap(), 2 * options.receive_buffer_bytes as usize);
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), options.notsent_lowat_bytes);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(options.keepalive_idle_s));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(options.keepalive_interval_s));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), options.keepalive_count);
}

/// Method: a silent client comes before one that speaks; who is accepted first tells. That the
/// silent one is accepted too is the end of the wait.
#[test]
fn who_speaks_is_accepted_before_who_is_silent_unless_that_is_off() {
    for (defer_accept, speaker_is_first) in [(true, true), (false, false)] {
        let options = SocketOptions { defer_accept, ..SocketOptions::default() };
        let listener = listen(loopback(), 1, &options).expect("listens").remove(0);
        let address = address_of(&listener);
        let silent = TcpStream::connect(address).expect("connects");
        let mut speaker = TcpStream::connect(address).expect("connects");
        speaker.write_all(b"GET").expect("sends");
        let listener = TcpListener::from(listener);
        let accepted = [(); 2].map(|()| listener.accept().expect("accepts").1);
        let (silent, speaker) = (silent.local_addr().unwrap(), speaker.local_addr().unwrap());
        let expected = if speaker_is_first { [speaker, silent] } else { [silent, speaker] };
        assert_eq!(accepted, expected, "defer_accept={defer_accept}");
    }
}

#[test]
fn every_shard_listens_on_the_same_port_and_gets_connections() {
    let listeners = listen(loopback(), 3, &SocketOptions::default()).expect("listens");
    let address = address_of(&listeners[0]);
    assert_ne!(address.port(), 0);
    for listener in &listeners {
        assert_eq!(address_of(listener), address);
        // SAFETY: F_GETFD takes no pointer.
        let flags = unsafe { libc::fcntl(listener.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
    }
    let (tell, told) = mpsc::channel();
    for (shard, listener) in listeners.into_iter().enumerate() {
        let tell = tell.clone();
        // Ends with the test's process: nothing wakes its accept.
        std::thread::spawn(move || {
            for peer in TcpListener::from(listener).incoming() {
                peer.expect("accepts").write_all(b"x").expect("sends");
                tell.send(shard).ok();
            }
        });
    }
    let _peers: Vec<_> = (0..60).map(|_| TcpStream::connect(address).expect("connects")).collect();
    let mut counts = [0; 3];
    for _ in 0..60 {
        counts[told.recv_timeout(Duration::from_secs(10)).expect("accepted")] += 1;
    }
    assert!(counts.iter().all(|n| *n > 0), "{counts:?}");
}

#[test]
fn a_port_that_is_shared_unseen_is_refused() {
    let options = SocketOptions::default();
    let first = listen(loopback(), 2, &options).expect("listens");
    let address = address_of(&first[0]);
    let error = listen(address, 2, &options).expect_err("in use");
    assert!(matches!(error, ListenError::InUse(_)));
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("--listen"), "{text}");
    drop(first);
    let again = listen(address, 2, &options).expect("free again");
    assert_eq!(address_of(&again[1]), address);
}

#[test]
fn a_restart_binds_while_old_connections_are_in_time_wait() {
    let options = SocketOptions::default();
    let listener = listen(loopback(), 1, &options).expect("listens").remove(0);
    let address = address_of(&listener);
    let peer = TcpStream::connect(address).expect("connects");
    let listener = TcpListener::from(listener);
    // The side that closes first waits: here the server's.
    drop(listener.accept().expect("accepts"));
    drop((peer, listener));
    listen(address, 1, &options).expect("listens again");
}

#[test]
fn addresses_that_cannot_be_had_are_explained() {
    let options = SocketOptions::default();
    let elsewhere = "192.0.2.1:9001".parse().expect("an address (RFC 5737)");
    let error = listen(elsewhere, 1, &options).expect_err("not ours");
    assert!(matches!(error, ListenError::NotOurs(_)), "{error}");
    let denied = io::Error::from_raw_os_error(libc::EACCES);
    let low = "0.0.0.0:80".parse().expect("an address");
    let text = explain(low, "bind", denied).to_string();
    assert!(text.contains("0.0.0.0:80") && text.contains("setcap"), "{text}");
}

#[test]
fn the_any_address_of_ipv6_serves_both_families() {
    let any = "[::]:0".parse().expect("an address");
    let listeners = match listen(any, 2, &SocketOptions::default()) {
        Err(ListenError::NoSuchFamily(_)) => return eprintln!("skipped: no IPv6 here"),
        listeners => listeners.expect("listens"),
    };
    let port = address_of(&listeners[1]).port();
    for host in ["127.0.0.1", "::1"] {
        TcpStream::connect((host, port)).expect(host);
    }
    assert!(listeners[0].as_fd().as_raw_fd() >= 0);
}

/// What a peer that stops reading makes the kernel hold on our side, from `SO_MEMINFO`, which is
/// what `ss -m` shows as skmem. With the bytes of a session it must stay below 100 KiB.
#[test]
fn a_peer_that_does_not_read_costs_less_than_its_budget() {
    let listener = listen(loopback(), 1, &SocketOptions::default()).expect("listens").remove(0);
    let peer = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    peer.set_recv_buffer_size(8192).expect("before the connect");
    peer.connect(&address_of(&listener).into()).expect("connects");
    let (mut accepted, _) = TcpListener::from(listener).accept().expect("accepts");
    accepted.set_nonblocking(true).expect("a socket");
    while accepted.write(&[1; 5_500]).is_ok() {}
    let mut memory = [0u32; 9];
    let mut size = size_of_val(&memory) as u32;
    let (fd, level, name) = (accepted.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO);
    // SAFETY: the buffer is valid for `size` bytes.
    let got = unsafe { libc::getsockopt(fd, level, name, memory.as_mut_ptr().cast(), &mut size) };
    assert_eq!(got, 0);
    // Received, allocated ahead, and queued to send.
    let bytes = memory[0] + memory[4] + memory[5];
    assert!(bytes < 64 * 1024, "{bytes} bytes: {memory:?}");
}

/// Method: over loopback the sender's core handles the packets, so clients of each core must all
/// come to the listener that asked for it.
#[test]
fn a_listener_gets_the_connections_of_the_core_it_prefers() {
    let cores: Vec<_> = core_affinity::get_core_ids().unwrap_or_default();
    let [first, .., last] = cores[..] else { panic!("this test needs two cores") };
    // These clients say nothing, and are to be accepted all the same.
    let options = SocketOptions { defer_accept: false, ..SocketOptions::default() };
    let listeners = listen(loopback(), 2, &options).expect("listens");
    let address = address_of(&listeners[0]);
    for (listener, core) in listeners.iter().zip([first, last]) {
        prefer_core(listener, core.id).expect("an option of every TCP socket");
    }
    for (chosen, core) in [first, last].into_iter().enumerate() {
        let dial = move || {
            assert!(core_affinity::set_for_current(core));
            (0..20).map(|_| TcpStream::connect(address).expect("connects")).collect::<Vec<_>>()
        };
        let peers = std::thread::spawn(dial).join().expect("connects");
        let counts = [0, 1].map(|listener| accepted(&listeners[listener]));
        assert_eq!(counts[chosen], peers.len(), "core {}: {counts:?}", core.id);
    }
}

/// Connections that wait at a listener; they are accepted and closed.
fn accepted(listener: &OwnedFd) -> usize {
    let listener = TcpListener::from(listener.try_clone().expect("a descriptor"));
    listener.set_nonblocking(true).expect("an option");
    listener.incoming().take_while(Result::is_ok).count()
}
