//! Where a fault is played: a network, a server, a thousand healthy clients, and rounds.
//!
//! The main type is [`Stage`]. One is up at a time, since the faults of one would be the noise of
//! another.

mod frames;
pub mod healthy;
pub mod network;
pub mod peer;
mod results;
pub mod server;

use healthy::Healthy;
use network::Network;
use peer::{Peer, addresses};
use results::Row;
use server::Server;
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clients that must not notice.
const HEALTHY: usize = 1000;

/// Pairs of a quiet and a faulty phase.
const ROUNDS: usize = 3;

/// Least length of a phase, so that its percentiles mean something.
const PHASE: Duration = Duration::from_millis(1000);

/// What comes on top of a deadline before a test gives up. The machine may be busy; the tables say
/// how long it took.
const MARGIN: Duration = Duration::from_secs(15);

/// 500 events a second, of ten symbols; hostile clients share an address.
const FLAGS: &str = "--max-per-address 20000 \
    --feed synthetic:symbols=10,interval_ms=50,burst=25,trades=40,names=S,test_symbols=off";

static IN_USE: Mutex<()> = Mutex::new(());

pub struct Stage {
    healthy: Healthy,
    pub server: Server,
    pub network: Network,
    _alone: MutexGuard<'static, ()>,
}

/// A fault's hostile clients of one round, and when it began.
pub struct Struck {
    pub peers: Vec<Peer>,
    /// Their sessions end; no others may.
    pub must_end: HashSet<SocketAddr>,
    /// They may have become sessions, or not.
    pub may_end: HashSet<SocketAddr>,
    pub since: Instant,
    /// The peers have seen the end themselves, as a part of the fault.
    pub seen: bool,
    /// The longest that the server may take, as its flags say.
    pub deadline: Duration,
}

impl Struck {
    pub fn now(peers: Vec<Peer>, deadline: Duration) -> Struck {
        let (must_end, may_end) = (addresses(&peers), HashSet::new());
        Struck { peers, must_end, may_end, since: Instant::now(), seen: false, deadline }
    }

    /// Each peer has read its end: how long that took says more of the peers than of the server.
    pub fn was_seen(mut self) -> Struck {
        self.seen = true;
        self
    }

    pub fn hold(&mut self, peers: Vec<Peer>) {
        self.must_end.extend(addresses(&peers));
        self.peers.extend(peers);
    }
}

impl Stage {
    pub fn new(flags: &str) -> Stage {
        let alone = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Network::new();
        let server = Server::start(network.near, &format!("{FLAGS} {flags}"));
        keep_off_the_shard();
        let healthy = Healthy::start(server.address, HEALTHY);
        Stage { healthy, server, network, _alone: alone }
    }

    /// So many connections from the namespace.
    pub fn connect(&self, count: usize, receive_bytes: Option<usize>) -> Vec<Peer> {
        self.network.connect(self.server.address, count, receive_bytes)
    }

    /// The same, upgraded and subscribed to everything.
    pub fn subscribe(&self, count: usize, receive_bytes: Option<usize>) -> Vec<Peer> {
        let mut peers = self.connect(count, receive_bytes);
        peer::upgrade(&mut peers, "symbols=*");
        peers
    }

    /// Plays a fault in rounds. `strike` does it and gives the clients whose sessions must end;
    /// their ends must be for one of `reasons`. Afterwards nothing of them may be left.
    pub fn play(
        &self,
        fault: &'static str,
        reasons: &[&str],
        mut strike: impl FnMut(&Stage) -> Struck,
    ) {
        let before = self.server.descriptors_at_rest();
        let (mut detected, mut deadline, mut clients) = (None, Duration::ZERO, 0);
        let mut ends = Vec::new();
        let (mut latencies, mut theirs) = (Vec::new(), HashSet::<SocketAddr>::new());
        for _ in 0..ROUNDS {
            self.healthy.cut();
            std::thread::sleep(PHASE);
            let quiet = self.healthy.cut();
            let began = Instant::now();
            self.server.forget_ends();
            let struck = strike(self);
            clients = struck.must_end.len().max(struck.may_end.len());
            deadline = struck.deadline;
            // A socket is closed before its end is logged: one that is not waited for may be
            // of an earlier round.
            theirs.extend(struck.must_end.union(&struck.may_end));
            self.wait_ended(&struck);
            drop(struck.peers);
            self.wait_descriptors(fault, before);
            for ended in self.server.ends() {
                assert!(theirs.contains(&ended.peer), "{fault}: {ended:?}");
                assert!(reasons.contains(&&*ended.reason), "{fault}: {ended:?}");
                let took = ended.at.saturating_duration_since(struck.since);
                detected = detected.max((!struck.seen).then_some(took));
                ends.push(ended.reason);
            }
            std::thread::sleep(PHASE.saturating_sub(began.elapsed()));
            latencies.push((quiet, self.healthy.cut()));
        }
        let ends = summary(ends.into_iter());
        let deadline = format!("{:.1} s", deadline.as_secs_f64());
        Row { fault, clients, ends, detected, deadline, latencies }.report();
    }

    pub fn wait_ended(&self, struck: &Struck) {
        let patience = struck.deadline.saturating_sub(struck.since.elapsed()) + MARGIN;
        self.server.wait_ended(&struck.must_end, patience);
    }

    /// What has been measured of this phase is preparation, and does not count.
    pub fn begin_phase(&self) {
        self.healthy.cut();
    }

    /// Ends all, and asserts that the healthy clients missed nothing.
    pub fn end(self) {
        let wrong = self.healthy.end();
        let shown = &wrong[..wrong.len().min(10)];
        assert!(wrong.is_empty(), "{} wrongs to healthy clients: {shown:#?}", wrong.len());
        self.server.stop();
    }

    /// Connections that the server has accepted and not read from yet.
    pub fn connect_accepted(&self, count: usize) -> Vec<Peer> {
        let before = self.server.descriptors_at_rest();
        let peers = self.connect(count, None);
        self.wait_accepted(before + count);
        peers
    }

    pub fn wait_accepted(&self, descriptors: usize) {
        self.wait_descriptors("accepting", descriptors);
    }

    fn wait_descriptors(&self, fault: &str, before: usize) {
        let until = Instant::now() + MARGIN;
        loop {
            let now = self.server.descriptors();
            if now == before {
                return;
            }
            let ends = || summary(self.server.ends().into_iter().map(|ended| ended.reason));
            assert!(
                Instant::now() < until,
                "{fault}: {before} descriptors, now {now}; sessions ended by {}",
                ends()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Each word with how often it came.
fn summary(words: impl Iterator<Item = String>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    counts.join(", ")
}

/// The shard has the first core; this thread, and those it starts, take the last.
fn keep_off_the_shard() {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if cores.len() > 1 {
        core_affinity::set_for_current(cores[cores.len() - 1]);
    }
}
