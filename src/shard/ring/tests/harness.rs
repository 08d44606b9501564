//! A ring with a listener, driven as a shard drives it.

use super::*;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use crate::config::SocketOptions;
use crate::shard::{listen, socket};

/// A ring, its eventfd and a listener.
pub struct Rig {
    pub ring: SocketRing,
    pub bell: OwnedFd,
    pub listener: OwnedFd,
    pub address: SocketAddr,
}

impl Rig {
    pub fn new(settings: RingSettings) -> Rig {
        // SAFETY: no pointer is passed, and the descriptor is new.
        let bell = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = listen(any, 1, &SocketOptions::default()).expect("listens").remove(0);
        let bound = socket2::SockRef::from(&listener).local_addr().expect("bound");
        let address = bound.as_socket().expect("an internet address");
        let bell_fd = bell.as_raw_fd();
        let mut ring = SocketRing::new(settings, bell_fd).expect("this kernel has io_uring");
        ring.arm_bell();
        Rig { ring, bell, listener, address }
    }

    /// Sleeps as a shard does, until the eventfd rings.
    pub fn sleep(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        assert!(self.bell_rings_within(left), "no wake-up before the deadline");
        let mut count = [0u8; 8];
        // SAFETY: eight bytes, as eventfd(2) wants.
        let read = unsafe { libc::read(self.bell.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
        assert_eq!(read, 8);
    }

    pub fn bell_rings(&self) -> bool {
        self.bell_rings_within(Duration::ZERO)
    }

    fn bell_rings_within(&self, time: Duration) -> bool {
        let mut poll = libc::pollfd { fd: self.bell.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        unsafe { libc::poll(&mut poll, 1, time.as_millis() as i32) == 1 }
    }

    /// Submits what is queued, checks that nothing is to be told, and silences the bell.
    pub fn quieten(&mut self) {
        let mut out = Vec::new();
        assert!(!self.ring.collect(10, &mut out) && out.is_empty(), "{out:?}");
        if self.bell_rings() {
            self.sleep(Instant::now());
        }
    }

    /// Collects, three at a time, until `enough` says so.
    pub fn until(&mut self, mut enough: impl FnMut(&mut SocketRing, Completion) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut out = Vec::new();
        loop {
            let more = self.ring.collect(3, &mut out);
            assert!(out.len() <= 3);
            let mut done = false;
            out.drain(..).for_each(|completion| done |= enough(&mut self.ring, completion));
            if done {
                return;
            }
            if !more {
                self.sleep(deadline);
            }
        }
    }

    pub fn one(&mut self) -> Completion {
        let mut first = None;
        self.until(|_, completion| {
            assert!(first.replace(completion).is_none(), "one completion is expected");
            true
        });
        first.expect("until ends with one")
    }

    /// A connected pair: the peer's end and the server's, through the ring.
    pub fn pairs(&mut self, count: usize) -> Vec<(TcpStream, OwnedFd)> {
        self.ring.accept(self.listener.as_raw_fd());
        let connect = |_| TcpStream::connect(self.address).expect("connects");
        let mut peers: Vec<TcpStream> = (0..count).map(connect).collect();
        let mut pairs = Vec::new();
        let listener = self.listener.as_raw_fd();
        self.until(|ring, completion| match completion {
            Completion::Accepted { fd, more, .. } => {
                if !more {
                    // So it ends where its completions overflow.
                    ring.accept(listener);
                }
                let far = socket::peer_address(fd.as_fd()).expect("connected");
                let at = peers.iter().position(|p| p.local_addr().expect("bound") == far);
                pairs.push((peers.swap_remove(at.expect("a peer of this test")), fd));
                pairs.len() == count
            }
            other => panic!("{other:?}"),
        });
        self.ring.cancel_accept();
        assert!(matches!(self.one(), Completion::AcceptEnded { .. }));
        pairs
    }
}
