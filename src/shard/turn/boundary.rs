//! Where a panic within a turn stops, and where one is made on purpose.

use super::Shard;
use crate::hub::Torn;
use crate::panics;
use crate::session::Now;
use crate::shard::BufferId;
use crate::wire::Fault;
use std::thread;
use std::time::Duration;

impl Shard {
    /// What bytes of a session panic with ends that session; the rest of the hub goes on.
    pub(super) fn received(&mut self, slot: u32, buffer: &BufferId, now: Now) {
        let (hub, ring) = (&mut self.hub, &self.ring);
        let Err(caught) = panics::catch(|| hub.receive(slot, ring.buffer(buffer), now)) else {
            return;
        };
        let id = self.hub.session(slot).map(|session| session.id);
        match self.hub.receive_panicked(slot, now) {
            Ok(()) => panics::report("session ends", id, caught),
            Err(Torn) => {
                panics::report("the hub's tables are torn", id, caught);
                panic!("no session of this hub can go on");
            }
        }
    }

    /// A fault that a client asked for, where that is allowed.
    pub(super) fn make_fault(&mut self) {
        match self.hub.take_fault() {
            None => {}
            Some(Fault::Stall { ms }) => thread::sleep(Duration::from_millis(ms)),
            Some(fault) => {
                self.salvage_fails = fault == Fault::Salvage;
                panic!("a fault was asked for in the turn");
            }
        }
    }
}
