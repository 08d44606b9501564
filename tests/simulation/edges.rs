//! What happens at the sockets of a run: bytes arrive, sends end, connections begin and end.

use super::client::Mood;
use super::run::Run;
use std::net::{Ipv4Addr, SocketAddr};
use tapecast::hub::Refused;
use tapecast::session::{CloseReason, Phase};

impl Run {
    /// Everything that happens at sockets, each by chance, in any order.
    pub fn clients_act(&mut self) {
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
                _ if self.busy && self.rng.u8(..40) == 0 => self.shed(client),
                _ => {}
            }
        }
    }

    fn connect(&mut self, client: usize) {
        // A few addresses that count against a limit, though nobody reaches it.
        let address = Ipv4Addr::new(192, 0, 2, client as u8 % 3);
        let peer = SocketAddr::from((address, 4_000 + client as u16));
        match self.hub.judge(peer.ip(), self.now) {
            Ok(()) => {}
            // Some seeds have a small budget: then the breaker refuses, and this one comes later.
            Err(Refused::MemoryPressure) => return,
            Err(other) => panic!("no limit but memory is near: {other:?}"),
        }
        let (slot, _) = self.hub.open(peer, self.rng.u64(..), self.now);
        if self.owners.len() <= slot as usize {
            self.owners.resize(slot as usize + 1, 0);
        }
        self.owners[slot as usize] = client;
        let limits = (self.gets_every, self.symbols_max);
        self.clients[client].connect(slot, &mut self.rng, &self.world, limits);
        if self.hub.settings().admission.proxies.announce {
            let line = format!("PROXY TCP4 198.51.100.{} 192.0.2.9 4000 9001\r\n", client % 2);
            self.clients[client].announce(line.as_bytes());
        }
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
        let slot = connection.slot;
        self.receive(slot, &bytes);
        let Some(connection) = &mut self.clients[client].connection else { return };
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

    /// The shard ends a session, as after an error of ours or when there is too much load.
    fn shed(&mut self, client: usize) {
        let Some(connection) = &mut self.clients[client].connection else { return };
        connection.checker.is_lost = true;
        let reason = [CloseReason::Internal, CloseReason::Overload][self.rng.usize(..2)];
        self.hub.end(connection.slot, reason, self.now);
    }

    pub fn hang_up(&mut self, client: usize) {
        let Some(connection) = &mut self.clients[client].connection else { return };
        if !connection.left {
            connection.left = true;
            let errno = [0, 104][self.rng.usize(..2)];
            self.hub.receive_ended(connection.slot, errno, self.now);
        }
    }
}
