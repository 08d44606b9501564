//! How a run comes to rest and to its end, and what must hold then.

use super::act::Act;
use super::checker::Stage;
use super::client::Mood;
use super::run::{NS_PER_MS, Run};
use tapecast::hub::{Pressure, Used};
use tapecast::session::Place;

/// Longer than the slowest rate's interval and a handshake together.
const REST_MS: u64 = 3_200;

impl Run {
    /// No tick comes, everyone reads, clocks run out: then everyone has the newest of all.
    pub fn rest(&mut self) {
        self.busy = false;
        for client in &mut self.clients {
            client.mood = Mood::Eager;
        }
        let end_ms = self.now.ms + REST_MS;
        while self.now.ms < end_ms {
            // Where no client does anything, only what the hub announces wakes it.
            let next_ms = self.hub.next_ms().unwrap_or(end_ms).clamp(self.now.ms + 1, end_ms);
            let is_quiet = self.clients.iter().all(|client| client.is_quiet());
            self.sleep(match is_quiet {
                true if self.hub.has_work(self.now) => 1,
                true => next_ms - self.now.ms,
                false => 20,
            });
        }
        assert_eq!(self.hub.lagging(), 0, "nobody is behind at rest");
        for client in &self.clients {
            let Some(connection) = &client.connection else { continue };
            if !connection.is_sound() || connection.has_more() {
                continue;
            }
            connection.checker.at_rest(&self.world);
            let session = self.hub.session(connection.slot).expect("not released");
            assert!(!matches!(session.place, Place::Behind(_)));
            let is_idle = session.queued || session.outgoing.is_none();
            assert!(is_idle, "memory for frames, and none to send");
            assert!(session.decoder.is_at_rest(), "memory for frames, and none begun");
        }
    }

    fn sleep(&mut self, ms: u64) {
        self.now.ms += ms;
        self.now.unix_ns += ms as i64 * NS_PER_MS;
        for _ in 0..3 {
            self.clients_act();
        }
        for client in &mut self.clients {
            client.answer_pings(&mut self.rng);
        }
        self.turn();
    }

    /// Clients whose connection nothing is wrong with.
    fn sound(&self) -> Vec<usize> {
        let clients = self.clients.iter().enumerate();
        let sound = clients.filter(|(_, client)| {
            client.connection.as_ref().is_some_and(|c| c.is_sound() && !c.has_more())
        });
        sound.map(|(index, _)| index).collect()
    }

    pub fn leave_all(&mut self) {
        let mut goodbyes = Vec::new();
        for client in self.sound() {
            if self.rng.bool() {
                self.clients[client].say(Act::Close, &mut self.rng);
                goodbyes.push(client);
            } else {
                self.hang_up(client);
            }
        }
        self.run_out();
        goodbyes.retain(|client| !self.shed.contains(client));
        for client in goodbyes {
            let end = self.clients[client].farewell;
            assert_eq!(end, Some((Stage::Closed(1000), 0)), "the answer to a Close frame");
        }
    }

    /// The server stops: everyone is told, then closed.
    pub fn drain(&mut self) {
        let mut told = self.sound();
        self.hub.drain(self.rng.u64(..1_000), self.now);
        self.run_out();
        told.retain(|client| !self.shed.contains(client));
        for client in told {
            let end = self.clients[client].farewell;
            assert_eq!(end, Some((Stage::Closed(1012), 1)), "a shutdown event, then the Close");
        }
    }

    /// All that was begun is ended; who is still there then hangs up.
    fn run_out(&mut self) {
        for _ in 0..100 {
            self.sleep(50);
        }
        for client in 0..self.clients.len() {
            self.hang_up(client);
        }
        for _ in 0..100 {
            self.sleep(50);
        }
    }

    /// The last one has left: every budget is back at zero.
    pub fn check_empty(&mut self) {
        assert!(self.clients.iter().all(|client| client.connection.is_none()), "all released");
        assert_eq!((self.hub.sessions(), self.hub.cohorts(), self.hub.subscribed()), (0, 0, 0));
        assert!(self.hub.admission().is_at_rest(), "nobody is held against a limit");
        // Timers that nobody needs any more run out, and nothing arms new ones.
        self.now.ms += 10_000_000;
        self.turn();
        assert_eq!(self.hub.next_ms(), None, "a clock runs for nobody");
        self.hub.check();
        assert_eq!(self.hub.used(), Used::default(), "nobody is there, and something is held");
        assert_eq!(self.hub.breaker().pressure(), Pressure::Normal);
        let counters = self.hub.counters();
        assert_eq!(counters.opened, counters.closed.iter().sum::<u64>(), "every end is counted");
    }
}
