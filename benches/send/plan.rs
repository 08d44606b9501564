//! What is compared, with which frames and how many sockets.

use std::os::fd::RawFd;

use crate::plain;
use crate::ring::{BareRing, Copies, Flags, Settings, USUAL};

pub struct Plan {
    pub name: &'static str,
    pub payload_bytes: usize,
    pub sockets: usize,
    /// Times that every way takes its turn.
    pub rounds: usize,
    /// Sends to each socket in one turn.
    pub sweeps: usize,
    /// The first of them is send(2), which the others are compared with.
    pub ways: fn(&[RawFd], usize) -> Vec<Way>,
}

pub struct Way {
    pub name: String,
    /// Sends the frame to every socket; says how many bytes were taken.
    pub send: Box<dyn FnMut() -> usize>,
    /// What is to be said of it after all rounds.
    pub remark: Option<Box<dyn Fn() -> String>>,
}

pub fn all(small: bool) -> Vec<Plan> {
    let (rounds, many, sweeps) = if small { (1, 50, 1) } else { (9, 2_000, 10) };
    let flush = |payload_bytes| Plan {
        name: "flush",
        payload_bytes,
        sockets: many,
        rounds,
        sweeps,
        ways: ways_of_a_flush,
    };
    let copies = |payload_bytes, sockets| Plan {
        name: "copies",
        payload_bytes,
        sockets: if small { 10 } else { sockets },
        rounds,
        sweeps,
        ways: ways_to_copy,
    };
    // Frames of one quote and of fifty; then large ones, of which fewer fit into the caches.
    vec![
        flush(110),
        flush(5_500),
        copies(6 << 10, 1_000),
        copies(32 << 10, 400),
        copies(256 << 10, 64),
    ]
}

fn ways_of_a_flush(fds: &[RawFd], payload_bytes: usize) -> Vec<Way> {
    let mut shuffled = fds.to_vec();
    fastrand::Rng::with_seed(1).shuffle(&mut shuffled);
    let mut ways = vec![Way::plain("send(2)", fds, payload_bytes)];
    ways.push(Way::server(fds, payload_bytes));
    let bare = |name: &str, settings| Way::bare(name, settings, fds, payload_bytes);
    for chunk in [16, 64, 256, 1024] {
        ways.push(bare(&format!("ring, by {chunk}"), Settings { chunk, ..USUAL }));
    }
    let (cooperative, no_flags) = (Flags::CooperativeTaskrun, Flags::None);
    ways.extend([
        bare("by 256, COOP_TASKRUN", Settings { flags: cooperative, ..USUAL }),
        bare("by 256, no flags", Settings { flags: no_flags, ..USUAL }),
        bare("by 256, ring registered", Settings { ring_registered: true, ..USUAL }),
        bare("by 16, ring registered", Settings { ring_registered: true, chunk: 16, ..USUAL }),
        bare("by 256, files registered", Settings { files_registered: true, ..USUAL }),
        Way::plain("send(2), sockets shuffled", &shuffled, payload_bytes),
        Way::bare("by 256, sockets shuffled", USUAL, &shuffled, payload_bytes),
        // The same once more: how far two measurements of one thing are apart.
        Way::plain("send(2) again", fds, payload_bytes),
    ]);
    ways
}

fn ways_to_copy(fds: &[RawFd], payload_bytes: usize) -> Vec<Way> {
    let bare = |name: &str, copies| {
        // So many bytes may be on their way: a chunk of large frames is a small one.
        let chunk = ((1 << 20) / payload_bytes).clamp(16, 256);
        Way::bare(name, Settings { copies, chunk, ..USUAL }, fds, payload_bytes)
    };
    vec![
        Way::plain("send(2)", fds, payload_bytes),
        bare("ring", Copies::Made),
        bare("SEND_ZC", Copies::Avoided),
        bare("SEND_ZC, buffer registered", Copies::AvoidedFromRegistered),
        Way::plain("send(2) again", fds, payload_bytes),
    ]
}

impl Way {
    fn plain(name: &str, fds: &[RawFd], payload_bytes: usize) -> Way {
        let (fds, payload) = (fds.to_vec(), vec![b'x'; payload_bytes]);
        let send = Box::new(move || plain::send(&fds, &payload));
        Way { name: name.into(), send, remark: None }
    }

    fn server(fds: &[RawFd], payload_bytes: usize) -> Way {
        let (fds, payload) = (fds.to_vec(), vec![b'x'; payload_bytes]);
        let (mut ring, chunk) = (plain::server_ring(), tapecast::limits::SENDS_PER_CHUNK);
        let send = Box::new(move || plain::send_by(&mut ring, &fds, &payload, chunk));
        Way { name: format!("the server's ring, by {chunk}"), send, remark: None }
    }

    fn bare(name: &str, settings: Settings, fds: &[RawFd], payload_bytes: usize) -> Way {
        let mut ring = BareRing::new(settings, fds, payload_bytes);
        let usage = ring.usage.clone();
        let remark: Box<dyn Fn() -> String> = Box::new(move || {
            format!("of {} notifications {} said copied", usage.notified.get(), usage.copied.get())
        });
        let remark = (settings.copies != Copies::Made).then_some(remark);
        Way { name: name.into(), send: Box::new(move || ring.send()), remark }
    }
}
