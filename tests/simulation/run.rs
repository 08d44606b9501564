//! One run: the hub's loop as a shard drives it, with the world, the clients and their sockets.

use super::client::Client;
use super::world::World;
use fastrand::Rng;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use tapecast::hub::{AdmissionLimits, Effect, Hub, HubSettings, MemorySettings};
use tapecast::limits::{FRAME_PAYLOAD_BYTES_MAX, FRAME_PAYLOAD_BYTES_MIN};
use tapecast::session::{CloseReason, Now, Phase, Place};
use tapecast::wire::Proxies;

const STEPS: usize = 90;
pub const NS_PER_MS: i64 = 1_000_000;

pub struct Run {
    pub rng: Rng,
    pub hub: Hub,
    pub world: World,
    pub now: Now,
    pub clients: Vec<Client>,
    /// Client by slot.
    pub owners: Vec<usize>,
    /// Of all that clients were sent.
    pub hash: DefaultHasher,
    pub gets_every: bool,
    pub symbols_max: usize,
    /// Now and then so much comes at once that a flush needs several frames.
    pub bursts: bool,
    /// Busy: commands, closes and new connections come. At rest: only what ends by itself.
    pub busy: bool,
    /// Clients of which some connection was closed for want of memory.
    pub shed: BTreeSet<usize>,
}

impl Run {
    pub fn new(seed: u64, canary: bool) -> Run {
        let mut rng = Rng::with_seed(seed);
        let tape_ticks = [8, 16, 64, 4096][rng.usize(..4)];
        let flush_ms = [0, 0, 5, 50][rng.usize(..4)];
        let settings = HubSettings {
            tape_ticks,
            flush_ms,
            handshake_ms: 1_000,
            ping_ms: [1_500, 20_000][rng.usize(..2)],
            pong_ms: 1_000,
            write_stall_ms: [500, 8_000][rng.usize(..2)],
            close_ms: 700,
            session_symbols_max: [6, 20_000][rng.usize(..2)],
            frame_bytes: [FRAME_PAYLOAD_BYTES_MIN, FRAME_PAYLOAD_BYTES_MAX][rng.usize(..2)],
            batch_sends: [1, 2, 256][rng.usize(..3)],
            canary,
            memory: MemorySettings {
                // At rest eight clients cost 40 KB, and one that is stuck costs 60 KB and more.
                budget_bytes: [u64::MAX, u64::MAX, 1_000_000, 250_000][rng.usize(..4)],
                ..MemorySettings::default()
            },
            fault_injection: true,
            admission: AdmissionLimits {
                proxies: proxies(tape_ticks),
                ..AdmissionLimits::default()
            },
            ..HubSettings::default()
        };
        let symbols_max = settings.session_symbols_max;
        let world = World::new(tape_ticks, rng.u8(1..3));
        let now = Now { ms: rng.u64(1..1_000_000), unix_ns: 1_700_000_000_000_000_000 };
        let count = rng.usize(2..9);
        Run {
            hub: Hub::new(settings, world.epoch.clone(), now),
            world,
            now,
            clients: (0..count).map(|_| Client::new(&mut rng)).collect(),
            owners: Vec::new(),
            hash: DefaultHasher::new(),
            gets_every: flush_ms == 0,
            symbols_max,
            bursts: rng.u8(..4) == 0,
            busy: true,
            shed: BTreeSet::new(),
            rng,
        }
    }

    /// Runs to the end; gives a hash of all bytes that went to clients.
    pub fn run(mut self) -> u64 {
        for _ in 0..self.rng.usize(1..3) {
            self.busy = true;
            for _ in 0..STEPS {
                self.step();
            }
            self.rest();
        }
        match self.rng.u8(..4) {
            0 => self.drain(),
            _ => self.leave_all(),
        }
        self.check_empty();
        self.hash.finish()
    }

    fn step(&mut self) {
        self.pass_time();
        if self.rng.u8(..200) == 0 {
            self.renew();
        }
        self.clients_act();
        let burst = if self.bursts && self.rng.u8(..20) == 0 { 900 } else { 12 };
        self.ticks_come(burst);
        self.turn();
    }

    fn ticks_come(&mut self, most: usize) {
        for _ in 0..self.rng.usize(..most) {
            if self.hub.is_full() {
                break;
            }
            if self.busy && self.rng.u16(..1_500) == 0 {
                let epoch = self.world.next_epoch(&mut self.rng);
                self.hub.tick(&epoch);
                self.world.enter(self.hub.epoch());
                continue;
            }
            for tick in self.world.ticks(&mut self.rng, self.now.unix_ns) {
                self.hub.tick(&tick);
            }
        }
    }

    fn pass_time(&mut self) {
        let slot = self.rng.u32(..10);
        self.hub.sample_socket(slot, self.rng.u64(..60_000));
        let ms = match self.rng.u8(..100) {
            0 => self.rng.u64(..30_000),
            1..4 => self.rng.u64(..2_000),
            4..40 => 0,
            _ => self.rng.u64(..20),
        };
        self.now.ms += ms;
        self.now.unix_ns += ms as i64 * NS_PER_MS;
        if self.rng.u8(..100) == 0 {
            // Somebody sets the clock; the other one only grows.
            self.now.unix_ns += self.rng.i64(-60_000..60_000) * NS_PER_MS;
        }
    }

    /// The part of a shard's turn after the inlet.
    pub fn turn(&mut self) {
        self.hub.check();
        while self.next_batch() {
            if self.busy && self.rng.u16(..2_000) == 0 {
                self.renew();
                continue;
            }
            self.send();
            self.hub.check();
            if self.busy && self.rng.u8(..3) == 0 {
                self.clients_act();
            }
            // A long flush goes on in the next turn. Who catches up then has quotes merged.
            let merges = self.gets_every && self.anybody_catches_up();
            if self.busy && !merges && self.rng.u8(..3) == 0 {
                self.ticks_come(6);
            }
        }
        self.hub.timers(self.now);
        self.hub.check();
        self.note_shed();
        for effect in self.hub.take_effects() {
            self.perform(effect);
        }
        let promised = self.hub.next_ms();
        assert!(promised.is_none_or(|at| at > self.now.ms) || self.hub.has_work(self.now));
    }

    /// It may begin the epoch that the feed has begun before.
    fn next_batch(&mut self) -> bool {
        let is_any = self.hub.next_batch(self.now);
        self.world.enter(self.hub.epoch());
        is_any
    }

    fn anybody_catches_up(&self) -> bool {
        let connections = self.clients.iter().filter_map(|client| client.connection.as_ref());
        let mut places = connections.filter_map(|c| Some(&self.hub.session(c.slot)?.place));
        places.any(|place| matches!(place, Place::Behind(lag) if !lag.waiting))
    }

    /// Clients that the hub closed for want of memory owe nothing to their checkers any more.
    fn note_shed(&mut self) {
        for (index, client) in self.clients.iter_mut().enumerate() {
            let Some(connection) = &mut client.connection else { continue };
            let session = self.hub.session(connection.slot).expect("not released");
            let (Phase::Closing(reason) | Phase::Ended(reason)) = session.phase else { continue };
            if reason == CloseReason::Overload {
                connection.checker.is_lost = true;
                self.shed.insert(index);
            }
        }
    }

    fn send(&mut self) {
        let sends = self.hub.batch().sends().to_vec();
        let mut results = Vec::with_capacity(sends.len());
        for (index, send) in sends.iter().enumerate() {
            assert!(sends[..index].iter().all(|s| s.slot != send.slot), "twice in one batch");
            let session = self.hub.session(send.slot).expect("a send to a live slot");
            let over = matches!(session.phase, Phase::Lingering(_) | Phase::Ended(_));
            assert!(!over, "a send to a session that is {:?}", session.phase);
            let owner = self.owners[send.slot as usize];
            let result = self.clients[owner].takes(send.end - send.start, &mut self.rng);
            results.push(result);
            let taken = usize::try_from(result).unwrap_or(0);
            let bytes = self.hub.batch().bytes()[send.start..send.start + taken].to_vec();
            self.deliver(owner, &bytes);
        }
        self.hub.sent(&results, self.now);
    }

    pub fn deliver(&mut self, owner: usize, bytes: &[u8]) {
        (owner, bytes).hash(&mut self.hash);
        let connection = self.clients[owner].connection.as_mut().expect("a slot has its client");
        assert!(!connection.shut, "bytes after the server has shut its side");
        connection.checker.take(bytes, self.now.ms, &self.world);
    }

    fn perform(&mut self, effect: Effect) {
        let (Effect::SendRest { slot }
        | Effect::Shut { slot }
        | Effect::Pause { slot }
        | Effect::Resume { slot }
        | Effect::Drop { slot, .. }) = effect;
        let client = &mut self.clients[self.owners[slot as usize]];
        let connection = client.connection.as_mut().expect("a slot has its client");
        match effect {
            Effect::SendRest { .. } => {
                assert!(connection.rest.is_none(), "one send at a time");
                connection.rest = Some(self.hub.rest(slot));
            }
            Effect::Shut { .. } => connection.shut = true,
            // What has been received already may come all the same, so here everything does.
            Effect::Pause { .. } | Effect::Resume { .. } => {}
            Effect::Drop { abort, .. } => {
                let is_cut = !self.hub.rest(slot).is_empty();
                assert!(abort || !is_cut, "an orderly end in the middle of a frame");
                assert_eq!(connection.dropped.replace(abort), None, "dropped once");
            }
        }
    }
}

/// Two of three connections come from a proxy that names the client in the upgrade; in runs with
/// the shortest tape, all come from one that names it before.
fn proxies(tape_ticks: usize) -> Proxies {
    let announce = tape_ticks == 8;
    let trusted = if announce { "192.0.2.0/24" } else { "192.0.2.0/31" };
    let trusted = vec![trusted.parse().expect("a network")];
    Proxies { trusted, announce, ..Proxies::default() }
}
