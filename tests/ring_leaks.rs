//! A ring that ends in the middle of everything gives all of it back. Method: descriptors of the
//! process before and after (so this is the only test in its process), and peers that see the end.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use bytes::Bytes;
use tapecast::config::SocketOptions;
use tapecast::shard::{Completion, RingSettings, SocketRing, Token, listen};

#[test]
fn a_ring_that_ends_in_the_middle_of_everything_leaks_nothing() {
    run();
    // The first run may leave what is made once a process.
    let before = descriptors();
    run();
    assert_eq!(descriptors(), before);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc is mounted").count()
}

fn run() {
    let any = "127.0.0.1:0".parse().expect("an address");
    // Its peers say nothing at first, and are to be accepted all the same.
    let options = SocketOptions { defer_accept: false, ..SocketOptions::default() };
    let listener = listen(any, 1, &options).expect("listens").remove(0);
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().expect("bound");
    // SAFETY: no pointer is passed, and the descriptor is new.
    let bell = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
    let settings = RingSettings { entries: 16, completions: 32, buffers: 4, buffer_bytes: 256 };
    let mut ring = SocketRing::new(settings, bell.as_raw_fd()).expect("io_uring");
    let frame = Bytes::from(vec![1; 1_000_000]);

    let connect = || TcpStream::connect(address).expect("connects");
    let mut peers: Vec<TcpStream> = (0..20).map(|_| connect()).collect();
    let served: Vec<_> = peers.iter().map(|_| listener.accept().expect("accepts").0).collect();
    for (slot, socket) in (0..).zip(&served) {
        let token = Token { slot, generation: 0 };
        ring.receive(token, socket.as_raw_fd());
        ring.send_rest(token, socket.as_raw_fd(), frame.clone());
    }
    ring.timeout_at(u64::MAX / 2);
    // Some completions are taken and their buffers lost, some are left to the ring's end.
    let mut taken = Vec::new();
    peers.iter_mut().for_each(|peer| peer.write_all(b"hello").expect("sends"));
    ring.collect(7, &mut taken);
    for completion in &taken {
        if let Completion::Sent { token, result: Ok(sent) } = completion {
            let socket = &served[token.slot as usize];
            ring.send_rest(*token, socket.as_raw_fd(), frame.slice(*sent..));
        }
    }
    // More accepts than the completion queue holds, and nobody takes them.
    ring.accept(listener.as_raw_fd());
    ring.collect(0, &mut taken);
    peers.extend((0..100).map(|_| connect()));
    ring.collect(0, &mut taken);

    drop((taken, served));
    drop((ring, listener));
    assert!(frame.is_unique(), "the ring has released its frames");
    for mut peer in peers {
        match peer.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
        }
    }
}
