//! One run: the hub's loop as a shard drives it, with the world, the clients and their sockets.

use super::client::{Client, Mood};
use super::world::World;
use fastrand::Rng;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use tapecast::hub::{Effect, Hub, HubSettings};
use tapecast::session::{Now, Phase};

const STEPS: usize = 90;
const NS_PER_MS: i64 = 1_000_000;

pub struct Run {
    rng: Rng,
    hub: Hub,
    world: World,
    now: Now,
    clients: Vec<Client>,
    /// Client by slot.
    owners: Vec<usize>,
    /// Of all that clients were sent.
    hash: DefaultHasher,
    gets_every: bool,
    symbols_max: usize,
    /// Now and then so much comes at once that a flush needs several frames.
    bursts: bool,
    /// Busy: commands, closes and new connections come. At rest: only what ends by itself.
    busy: bool,
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
            batch_sends: [1, 2, 256][rng.usize(..3)],
            canary,
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
        self.clients_act();
        let burst = if self.bursts && self.rng.u8(..20) == 0 { 900 } else { 12 };
        for _ in 0..self.rng.usize(..burst) {
            if self.hub.is_full() {
                break;
            }
            for tick in self.world.ticks(&mut self.rng, self.now.unix_ns) {
                self.hub.tick(&tick);
            }
        }
        self.turn();
    }

    fn pass_time(&mut self) {
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
    fn turn(&mut self) {
        self.hub.check();
        while self.hub.next_batch(self.now) {
            self.send();
            self.hub.check();
            if self.busy && self.rng.u8(..3) == 0 {
                self.clients_act();
            }
        }
        self.hub.timers(self.now);
        self.hub.check();
        for effect in self.hub.take_effects() {
            self.perform(effect);
        }
        let promised = self.hub.next_ms();
        assert!(promised.is_none_or(|at| at > self.now.ms) || self.hub.has_work(self.now));
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

    fn deliver(&mut self, owner: usize, bytes: &[u8]) {
        (owner, bytes).hash(&mut self.hash);
        let connection = self.clients[owner].connection.as_mut().expect("a slot has its client");
        assert!(!connection.shut, "bytes after the server has shut its side");
        connection.checker.take(bytes, self.now.ms, &self.world);
    }

    fn perform(&mut self, effect: Effect) {
        let (Effect::SendRest { slot } | Effect::Shut { slot } | Effect::Drop { slot, .. }) =
            effect;
        let client = &mut self.clients[self.owners[slot as usize]];
        let connection = client.connection.as_mut().expect("a slot has its client");
        match effect {
            Effect::SendRest { .. } => {
                assert!(connection.rest.is_none(), "one send at a time");
                connection.rest = Some(self.hub.rest(slot));
            }
            Effect::Shut { .. } => connection.shut = true,
            Effect::Drop { abort, .. } => {
                assert_eq!(connection.dropped.replace(abort), None, "dropped once");
            }
        }
    }

    /// Everything that happens at sockets, each by chance, in any order.
    fn clients_act(&mut self) {
        for _ in 0..self.clients.len() {
            let client = self.rng.usize(..self.clients.len());
            if self.clients[client].connection.is_none() {
                if self.busy && self.rng.u8(..3) == 0 {
                    self.connect(client);
                }
                continue;
            }
            if self.busy {
                self.clients[client].live(&mut self.rng, &self.world);
            }
            match self.rng.u8(..10) {
                0..5 => self.give(client),
                5..8 => self.complete_rest(client),
                8 => self.close(client),
                _ if self.busy && self.rng.u8(..20) == 0 => self.hang_up(client),
                _ => {}
            }
        }
    }

    fn connect(&mut self, client: usize) {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4_000 + client as u16));
        let (slot, _) = self.hub.open(peer, self.rng.u64(..), self.now);
        if self.owners.len() <= slot as usize {
            self.owners.resize(slot as usize + 1, 0);
        }
        self.owners[slot as usize] = client;
        let limits = (self.gets_every, self.symbols_max);
        self.clients[client].connect(slot, &mut self.rng, &self.world, limits);
    }

    fn give(&mut self, client: usize) {
        let Some(connection) = &mut self.clients[client].connection else { return };
        if connection.left || !connection.has_more() {
            return;
        }
        let most = [1, 7, 60, 4_000][self.rng.usize(..4)];
        let bytes = connection.give(most);
        let session = self.hub.session(connection.slot).expect("not released");
        let listens = session.is_listening();
        self.hub.receive(connection.slot, &bytes, self.now);
        match listens {
            true => connection.given(&self.world),
            false => connection.checker.is_lost = true,
        }
    }

    /// A send under way makes some progress, or fails.
    fn complete_rest(&mut self, client: usize) {
        let mood = self.clients[client].mood;
        let Some(connection) = &mut self.clients[client].connection else { return };
        if connection.rest.is_none() || (mood == Mood::Stuck && connection.dropped.is_none()) {
            return;
        }
        let (slot, rest) = (connection.slot, connection.rest.take().expect("just seen"));
        assert_eq!(rest, self.hub.rest(slot), "what the kernel reads stays as it is");
        let whole = mood == Mood::Eager || self.rng.bool();
        let taken = if whole { rest.len() } else { self.rng.usize(1..=rest.len()) };
        let fails = mood == Mood::Moody && self.rng.u8(..100) == 0;
        let result = match (connection.dropped, fails) {
            (Some(_), _) => -125,
            (None, true) => -32,
            _ if self.rng.u8(..20) == 0 => -4,
            _ => taken as i32,
        };
        if let Ok(taken) = usize::try_from(result) {
            self.deliver(client, &rest[..taken]);
        }
        self.hub.rest_sent(slot, result, self.now);
    }

    /// The last steps of a connection that the server has begun to close.
    fn close(&mut self, client: usize) {
        let Some(connection) = &mut self.clients[client].connection else { return };
        if connection.dropped.is_some() {
            if connection.rest.is_none() {
                let session = self.hub.release(connection.slot).expect("released once");
                assert!(matches!(session.phase, Phase::Ended(_)));
                self.clients[client].end();
            }
        } else if connection.shut && !connection.left && self.rng.u8(..3) > 0 {
            connection.left = true;
            self.hub.receive_ended(connection.slot, 0, self.now);
        }
    }

    fn hang_up(&mut self, client: usize) {
        let Some(connection) = &mut self.clients[client].connection else { return };
        if !connection.left {
            connection.left = true;
            let errno = [0, 104][self.rng.usize(..2)];
            self.hub.receive_ended(connection.slot, errno, self.now);
        }
    }

    /// No tick comes, everyone reads, clocks run out: then everyone has the newest of all.
    fn rest(&mut self) {
        self.busy = false;
        for client in &mut self.clients {
            client.mood = Mood::Eager;
        }
        for _ in 0..160 {
            self.now.ms += 20;
            self.now.unix_ns += 20 * NS_PER_MS;
            for _ in 0..3 {
                self.clients_act();
            }
            self.answer_pings();
            self.turn();
        }
        assert_eq!(self.hub.lagging(), 0, "nobody is behind at rest");
        for client in &self.clients {
            let Some(connection) = &client.connection else { continue };
            if connection.is_sound() && !connection.has_more() {
                connection.checker.at_rest(&self.world);
            }
        }
    }

    fn answer_pings(&mut self) {
        for client in &mut self.clients {
            let Some(connection) = &mut client.connection else { continue };
            for _ in 0..std::mem::take(&mut connection.checker.pongs_due) {
                client.say(super::act::Act::WsPong, &mut self.rng);
            }
        }
    }

    fn leave_all(&mut self) {
        for client in 0..self.clients.len() {
            match self.rng.bool() {
                true => self.clients[client].say(super::act::Act::Close, &mut self.rng),
                false => self.hang_up(client),
            }
        }
        self.run_out();
    }

    /// The server stops: everyone is told, then closed.
    fn drain(&mut self) {
        self.hub.drain(self.rng.u64(..2_000), self.now);
        let sound = self.clients.iter().filter_map(|c| c.connection.as_ref());
        let sound = sound.filter(|c| c.is_sound() && !c.has_more()).count();
        self.run_out();
        assert!(sound <= self.clients.len());
    }

    fn run_out(&mut self) {
        for _ in 0..400 {
            self.now.ms += 50;
            self.now.unix_ns += 50 * NS_PER_MS;
            for _ in 0..3 {
                self.clients_act();
            }
            self.turn();
        }
        // Who is still there says nothing; the pings' deadline is behind them or they hang up now.
        for client in 0..self.clients.len() {
            self.hang_up(client);
        }
        for _ in 0..100 {
            self.now.ms += 50;
            for _ in 0..3 {
                self.clients_act();
            }
            self.turn();
        }
    }

    /// The last one has left: every budget is back at zero.
    fn check_empty(&mut self) {
        assert!(self.clients.iter().all(|client| client.connection.is_none()), "all released");
        assert_eq!((self.hub.sessions(), self.hub.cohorts(), self.hub.subscribed()), (0, 0, 0));
        // Timers that nobody needs any more run out, and nothing arms new ones.
        self.now.ms += 10_000_000;
        self.turn();
        assert_eq!(self.hub.next_ms(), None, "a clock runs for nobody");
        self.hub.check();
        let counters = self.hub.counters();
        assert_eq!(counters.opened, counters.closed.iter().sum::<u64>(), "every end is counted");
    }
}
